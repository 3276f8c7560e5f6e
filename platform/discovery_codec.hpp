// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/address.hpp"
#include "core/router_discovery.hpp"

/// Messages of Multicast Router Discovery (RFC 4286): IGMP 0x30 to 0x32, ICMPv6 151 to 153.
namespace mcast::platform {

// Types of messages; what asks has to be known to the kernel's filters too.
inline constexpr std::uint8_t kSolicitation4 = 0x31;
inline constexpr std::uint8_t kSolicitation6 = 152;

/// Where routers speak: 224.0.0.106 and ff02::6a.
[[nodiscard]] Address all_snoopers(Family family);
/// Where routers are asked: 224.0.0.2 and ff02::2.
[[nodiscard]] Address all_routers(Family family);

/// The body of an advertisement or a termination, after the IP header. The checksum of ICMPv6,
/// which covers the source, is left to the kernel. Empty for steps that are no message.
[[nodiscard]] std::vector<std::uint8_t> encode_message(const AnnounceStep& step);

/// Whether an IPv4 packet, header included as raw sockets deliver it, is a sound solicitation.
[[nodiscard]] bool is_solicitation(std::span<const std::uint8_t> packet);

/// What an IPv6 header said, which raw sockets deliver apart from the packet.
struct Ipv6Header {
  Address source;
  Address destination;
  int hop_limit = -1;
};
/// Whether an ICMPv6 message is a sound solicitation.
[[nodiscard]] bool is_solicitation(std::span<const std::uint8_t> message, const Ipv6Header& header);

/// The Internet checksum (RFC 1071) in host order; 0 over data that contains its own.
[[nodiscard]] std::uint16_t internet_checksum(std::span<const std::uint8_t> data);

}  // namespace mcast::platform
