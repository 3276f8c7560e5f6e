// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/ids.hpp"
#include "core/ops.hpp"

/// What the kernel writes to a table socket. The layouts are those of MROUTING 3.5, the same on
/// every system: struct igmpmsg (linux/mroute.h, netinet/ip_mroute.h) and struct mrt6msg
/// (linux/mroute6.h, netinet6/ip6_mroute.h).
namespace mcast::platform {

/// The upcall in a packet read from the socket of `table`; none if it is another packet (an IPv4
/// table socket receives all IGMP), a kind of upcall that nobody needs, or malformed.
[[nodiscard]] std::optional<Upcall> decode_upcall(std::span<const std::uint8_t> packet,
                                                  TableKey table);

}  // namespace mcast::platform
