// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>

#include "core/address.hpp"
#include "core/ids.hpp"

/// What of Multicast Router Discovery over IPv4 is done differently by each backend; that over IPv6
/// is RFC 3542's everywhere.
namespace mcast::platform {

/// Makes a raw IGMP socket tell where packets arrive. Where the system has filters, only
/// solicitations wake the reader.
[[nodiscard]] bool prepare_receiver4(int fd);
/// One hop, no copy for this host, the marks of internetwork control. The same everywhere.
[[nodiscard]] bool prepare_sender4(int fd);

/// The interface that a control message tells; none if it is about something else.
[[nodiscard]] std::optional<IfIndex> arrival4(const cmsghdr& message);

/// Sends an IGMP message to a group on an interface. `fd` is prepared for both. 0 or an errno:
/// ENODEV or ENXIO if the interface is gone.
[[nodiscard]] int send4(int fd, std::span<const std::uint8_t> message, const Address& group,
                        IfIndex link);

}  // namespace mcast::platform
