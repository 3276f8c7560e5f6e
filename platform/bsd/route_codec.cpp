// SPDX-License-Identifier: BSD-2-Clause
//
// The layouts of net/route.h and net/if.h, which have not changed from FreeBSD 13 to 15. Messages
// start anywhere, and sockaddrs at multiples of 4 only, so everything is copied out.
#include "platform/bsd/route_codec.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace mcast::platform {
namespace {

using Bytes = std::span<const std::uint8_t>;

// What every message begins with: its length in 16 bits, version, type.
constexpr std::size_t kVersion = 2;
constexpr std::size_t kType = 3;
constexpr std::size_t kPrefixLength = 4;

constexpr std::uint8_t kRtmVersion = 5;
constexpr std::uint8_t kRtmNewAddress = 0x0c;
constexpr std::uint8_t kRtmDelAddress = 0x0d;
constexpr std::uint8_t kRtmInterfaceInfo = 0x0e;
constexpr std::uint8_t kRtmInterfaceAnnounce = 0x11;

// struct if_announcemsghdr
constexpr std::size_t kAnnounceIndex = 4;
constexpr std::size_t kAnnounceName = 6;
constexpr std::size_t kAnnounceNameLength = 16;
constexpr std::size_t kAnnounceWhat = 22;
constexpr std::size_t kAnnounceLength = 24;
constexpr std::uint16_t kArrival = 0;
constexpr std::uint16_t kDeparture = 1;

// struct if_msghdr, with struct if_data from 16 on
constexpr std::size_t kInfoFlags = 8;
constexpr std::size_t kInfoIndex = 12;
constexpr std::size_t kInfoLinkState = 16 + 4;
constexpr std::size_t kInfoLength = 168;

// struct ifa_msghdr, which sockaddrs follow
constexpr std::size_t kAddressMask = 4;
constexpr std::size_t kAddressIndex = 12;
constexpr std::size_t kAddressLength = 20;

// The bits of the mask tell which of the sockaddrs follow, in this order: RTAX_*.
constexpr unsigned kInterfaceAddress = 5;
constexpr unsigned kSockaddrKinds = 8;
/// SA_SIZE: they are padded to a multiple of sizeof(long), and an empty one is as long as that.
constexpr std::size_t kSockaddrAlignment = 8;

// struct sockaddr_in and struct sockaddr_in6, with their length and family in a byte each
constexpr std::uint8_t kFamilyIpv4 = 2;
constexpr std::uint8_t kFamilyIpv6 = 28;
constexpr std::size_t kSockaddrFamily = 1;
constexpr std::size_t kIpv4Address = 4;
constexpr std::size_t kIpv6Address = 8;

template <class Number>
Number number_at(Bytes message, std::size_t offset) {
  Number number;
  std::memcpy(&number, message.data() + offset, sizeof number);
  return number;
}

/// Index 0 is no interface.
std::optional<IfIndex> index_at(Bytes message, std::size_t offset) {
  const auto index = number_at<std::uint16_t>(message, offset);
  if (index == 0) return std::nullopt;
  return IfIndex(index);
}

std::optional<RouteMessage> decode_announcement(Bytes message) {
  // Exactly: whatever a program writes to a routing socket, the kernel passes on to the others
  // even when it refuses it (net/rtsock.c route_output). Such a message is as long as an rt_msghdr
  // at least, so this length is the kernel's own, and nobody can feign a departure.
  if (message.size() != kAnnounceLength) return std::nullopt;
  const auto index = index_at(message, kAnnounceIndex);
  const auto what = number_at<std::uint16_t>(message, kAnnounceWhat);
  if (!index || (what != kArrival && what != kDeparture)) return std::nullopt;
  std::array<char, kAnnounceNameLength> name{};
  std::memcpy(name.data(), message.data() + kAnnounceName, name.size());
  const auto end = std::ranges::find(name, '\0');
  return InterfaceAnnounced{what == kDeparture, *index, std::string(name.begin(), end)};
}

std::optional<RouteMessage> decode_info(Bytes message) {
  if (message.size() < kInfoLength) return std::nullopt;
  const auto index = index_at(message, kInfoIndex);
  if (!index) return std::nullopt;
  return InterfaceInfo{*index, number_at<std::uint32_t>(message, kInfoFlags),
                       message[kInfoLinkState]};
}

/// Takes the first sockaddr off. None: it does not fit.
std::optional<Bytes> take_sockaddr(Bytes& rest) {
  if (rest.empty()) return std::nullopt;
  const std::size_t length = rest[0];
  if (length > rest.size()) return std::nullopt;
  const std::size_t padded =
      length == 0 ? kSockaddrAlignment
                  : (length + kSockaddrAlignment - 1) / kSockaddrAlignment * kSockaddrAlignment;
  const Bytes sockaddr = rest.first(length);
  rest = rest.subspan(std::min(padded, rest.size()));
  return sockaddr;
}

std::optional<RouteMessage> decode_address(Bytes message) {
  if (message.size() < kAddressLength) return std::nullopt;
  const auto index = index_at(message, kAddressIndex);
  if (!index) return std::nullopt;
  AddressAnnounced result{message[kType] == kRtmDelAddress, *index, std::nullopt};
  const auto mask = number_at<std::uint32_t>(message, kAddressMask);
  Bytes rest = message.subspan(kAddressLength);
  for (unsigned kind = 0; kind < kSockaddrKinds; ++kind) {
    if ((mask >> kind & 1U) == 0) continue;
    const auto sockaddr = take_sockaddr(rest);
    if (!sockaddr) return std::nullopt;
    if (kind == kInterfaceAddress) result.address = decode_sockaddr(*sockaddr);
  }
  return result;
}

std::optional<RouteMessage> decode(Bytes message) {
  switch (message[kType]) {
    case kRtmInterfaceAnnounce:
      return decode_announcement(message);
    case kRtmInterfaceInfo:
      return decode_info(message);
    case kRtmNewAddress:
    case kRtmDelAddress:
      return decode_address(message);
    default:
      return OtherMessage{};
  }
}

}  // namespace

std::optional<RouteMessage> take_route_message(std::span<const std::uint8_t>& bytes) {
  const std::size_t length = bytes.size() < kPrefixLength ? 0 : number_at<std::uint16_t>(bytes, 0);
  if (length < kPrefixLength || length > bytes.size()) {
    bytes = {};
    return std::nullopt;
  }
  const Bytes message = bytes.first(length);
  bytes = bytes.subspan(length);
  if (message[kVersion] != kRtmVersion) return std::nullopt;
  return decode(message);
}

std::optional<Address> decode_sockaddr(std::span<const std::uint8_t> sockaddr) {
  if (sockaddr.size() <= kSockaddrFamily) return std::nullopt;
  const std::uint8_t family = sockaddr[kSockaddrFamily];
  if (family == kFamilyIpv4 && sockaddr.size() >= kIpv4Address + 4) {
    return Address::from_v4(sockaddr.subspan(kIpv4Address).first<4>());
  }
  if (family != kFamilyIpv6 || sockaddr.size() < kIpv6Address + 16) return std::nullopt;
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), sockaddr.data() + kIpv6Address, octets.size());
  // Inside of the kernel the zone stands in the second 16 bits (netinet6/scope6.c); it is taken out
  // of what leaves, but not everywhere. They are zero in a link-local address.
  if (octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80) octets[2] = octets[3] = 0;
  const auto address = Address::from_v6(octets);
  if (address.family() != Family::ipv6) return std::nullopt;
  return address;
}

}  // namespace mcast::platform
