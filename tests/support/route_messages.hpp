// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/address.hpp"

/// Messages of FreeBSD's routing socket, put together byte by byte as its kernel does on LP64.
namespace mcast::testing {

using RouteBytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kRtmAdd = 0x01;
inline constexpr std::uint8_t kRtmNewAddr = 0x0c;
inline constexpr std::uint8_t kRtmDelAddr = 0x0d;
inline constexpr std::uint8_t kRtmIfInfo = 0x0e;
inline constexpr std::uint8_t kRtmNewMaddr = 0x0f;
inline constexpr std::uint8_t kRtmIfAnnounce = 0x11;
inline constexpr std::uint8_t kRtmIeee80211 = 0x12;
inline constexpr std::uint8_t kRtmIpfwLog = 0x13;

/// A message of this type that is all zero behind what every message begins with.
inline RouteBytes route_message(std::uint8_t type, std::size_t length) {
  RouteBytes bytes(length);
  const auto in_16_bits = static_cast<std::uint16_t>(length);
  std::memcpy(bytes.data(), &in_16_bits, sizeof in_16_bits);
  bytes[2] = 5;  // RTM_VERSION
  bytes[3] = type;
  return bytes;
}

/// struct if_announcemsghdr
inline RouteBytes announcement(bool departed, std::uint16_t index, std::string_view name) {
  RouteBytes bytes = route_message(kRtmIfAnnounce, 24);
  std::memcpy(&bytes[4], &index, sizeof index);
  std::memcpy(&bytes[6], name.data(), name.size());
  bytes[22] = departed ? 1 : 0;
  return bytes;
}

/// struct if_msghdr with struct if_data
inline RouteBytes interface_info(std::uint16_t index, std::uint32_t flags,
                                 std::uint8_t link_state = 2) {
  RouteBytes bytes = route_message(kRtmIfInfo, 168);
  std::memcpy(&bytes[8], &flags, sizeof flags);
  std::memcpy(&bytes[12], &index, sizeof index);
  bytes[16] = 6;  // IFT_ETHER
  bytes[20] = link_state;
  bytes[22] = 152;  // ifi_datalen
  return bytes;
}

/// struct ifa_msghdr (or the shorter ifma_msghdr) and the sockaddrs behind it.
class AddressMessage {
 public:
  AddressMessage(std::uint8_t type, std::uint16_t index) : bytes_(route_message(type, 20)) {
    std::memcpy(&bytes_[12], &index, sizeof index);
  }
  /// The next sockaddr, of kind RTAX_*; they come in the order of their kinds.
  AddressMessage& sockaddr(unsigned kind, RouteBytes sockaddr) {
    mask_ |= 1U << kind;
    sockaddr.resize(sockaddr.empty() ? 8 : (sockaddr.size() + 7) / 8 * 8);
    bytes_.insert(bytes_.end(), sockaddr.begin(), sockaddr.end());
    return *this;
  }
  /// Says that these follow.
  AddressMessage& claim(std::uint32_t mask) {
    mask_ = mask;
    return *this;
  }
  [[nodiscard]] RouteBytes bytes() const {
    RouteBytes done = bytes_;
    const auto length = static_cast<std::uint16_t>(done.size());
    std::memcpy(done.data(), &length, sizeof length);
    std::memcpy(&done[4], &mask_, sizeof mask_);
    return done;
  }

 private:
  RouteBytes bytes_;
  std::uint32_t mask_ = 0;
};

/// struct sockaddr_in or sockaddr_in6
inline RouteBytes sockaddr_of(const Address& address, std::uint32_t scope = 0) {
  const bool v4 = address.family() == Family::ipv4;
  RouteBytes bytes(v4 ? 16 : 28);
  bytes[0] = static_cast<std::uint8_t>(bytes.size());
  bytes[1] = v4 ? 2 : 28;
  const auto octets = address.octets();
  std::memcpy(&bytes[v4 ? 4 : 8], octets.data(), octets.size());
  if (!v4) std::memcpy(&bytes[24], &scope, sizeof scope);
  return bytes;
}

/// struct sockaddr_dl with room for the longest name
inline RouteBytes sockaddr_dl(std::uint16_t index, std::string_view name) {
  RouteBytes bytes(56);
  bytes[0] = 56;
  bytes[1] = 18;
  std::memcpy(&bytes[2], &index, sizeof index);
  bytes[5] = static_cast<std::uint8_t>(name.size());
  std::memcpy(&bytes[8], name.data(), name.size());
  return bytes;
}

/// As the kernel writes it: netmask, interface, address and for IPv4 the broadcast address.
inline AddressMessage address_message(bool removed, std::uint16_t index, const Address& address,
                                      std::string_view name) {
  AddressMessage message(removed ? kRtmDelAddr : kRtmNewAddr, index);
  const bool v4 = address.family() == Family::ipv4;
  message.sockaddr(2, sockaddr_of(v4 ? *Address::parse("255.255.255.0")
                                     : *Address::parse("ffff:ffff:ffff:ffff::")));
  message.sockaddr(4, sockaddr_dl(index, name));
  message.sockaddr(5, sockaddr_of(address, v4 ? 0 : index));
  if (v4) message.sockaddr(7, sockaddr_of(*Address::parse("10.0.0.255")));
  return message;
}

}  // namespace mcast::testing
