// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mcast::bench {

/// One datagram of `count` RTM_NEWLINK messages as a dump of rtnetlink holds them.
[[nodiscard]] std::vector<std::uint8_t> rtnetlink_burst(unsigned count);

/// `count` messages of FreeBSD's routing socket as interfaces leave that arrive one after the
/// other: an arrival, flags, an address of each family.
[[nodiscard]] std::vector<std::uint8_t> routing_socket_burst(unsigned count);

/// Decodes all of it, and returns how many messages were told.
[[nodiscard]] std::size_t decode_rtnetlink(const std::vector<std::uint8_t>& burst);
[[nodiscard]] std::size_t decode_routing_socket(const std::vector<std::uint8_t>& burst);

}  // namespace mcast::bench
