// SPDX-License-Identifier: BSD-2-Clause
#include "platform/discovery_codec.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace mcast::platform {
namespace {

constexpr std::uint8_t kAdvertisement4 = 0x30;
constexpr std::uint8_t kTermination4 = 0x32;
constexpr std::uint8_t kAdvertisement6 = 151;
constexpr std::uint8_t kTermination6 = 153;

// Type, interval or zero, checksum; an advertisement goes on with query interval and robustness
// variable, 16 bits each.
constexpr std::size_t kShortLength = 4;
constexpr std::size_t kAdvertisementLength = 8;
constexpr std::size_t kChecksum = 2;

// Of an IPv4 header.
constexpr std::size_t kIpv4Length = 20;
constexpr std::size_t kTotalLength = 2;
constexpr std::size_t kTtl = 8;
constexpr std::size_t kProtocol = 9;
constexpr std::size_t kDestination = 16;
constexpr std::uint8_t kIgmp = 2;

constexpr std::uint8_t kIcmp6 = 58;
constexpr int kHops = 1;

unsigned word_at(std::span<const std::uint8_t> data, std::size_t at) {
  return static_cast<unsigned>(data[at]) << 8U | data[at + 1];
}

bool is_link_local(const Address& address) {
  const auto bytes = address.octets();
  return address.family() == Family::ipv6 && bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80;
}

}  // namespace

Address all_snoopers(Family family) {
  if (family == Family::ipv4) return Address::from_v4(std::array<std::uint8_t, 4>{224, 0, 0, 106});
  return Address::from_v6(
      std::array<std::uint8_t, 16>{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x6a});
}

Address all_routers(Family family) {
  if (family == Family::ipv4) return Address::from_v4(std::array<std::uint8_t, 4>{224, 0, 0, 2});
  return Address::from_v6(
      std::array<std::uint8_t, 16>{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
}

std::uint16_t internet_checksum(std::span<const std::uint8_t> data) {
  std::uint32_t sum = 0;
  std::size_t at = 0;
  for (; at + 1 < data.size(); at += 2) {
    sum += word_at(data, at);
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  if (at < data.size()) sum += static_cast<std::uint32_t>(data[at]) << 8U;
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> encode_message(const AnnounceStep& step) {
  const bool v4 = step.link.family == Family::ipv4;
  std::vector<std::uint8_t> bytes;
  switch (step.kind) {
    case AnnounceStep::Kind::advertise:
      // The daemon is no querier of IGMP or MLD: its query interval and robustness variable are 0.
      bytes.resize(kAdvertisementLength);
      bytes[0] = v4 ? kAdvertisement4 : kAdvertisement6;
      bytes[1] = step.interval;
      break;
    case AnnounceStep::Kind::terminate:
      bytes.resize(kShortLength);
      bytes[0] = v4 ? kTermination4 : kTermination6;
      break;
    case AnnounceStep::Kind::listen:
    case AnnounceStep::Kind::stop_listening:
      return {};
  }
  if (!v4) return bytes;
  const std::uint16_t checksum = internet_checksum(bytes);
  bytes[kChecksum] = static_cast<std::uint8_t>(checksum >> 8U);
  bytes[kChecksum + 1] = static_cast<std::uint8_t>(checksum);
  return bytes;
}

bool is_solicitation(std::span<const std::uint8_t> packet) {
  if (packet.size() < kIpv4Length || packet[0] >> 4U != 4) return false;
  const std::size_t header = (packet[0] & 0xfU) * std::size_t{4};
  const std::size_t total = word_at(packet, kTotalLength);
  if (header < kIpv4Length || total > packet.size() || total < header + kShortLength) return false;
  if (packet[kProtocol] != kIgmp || packet[kTtl] != kHops) return false;
  if (!std::ranges::equal(packet.subspan(kDestination, 4), all_routers(Family::ipv4).octets())) {
    return false;
  }
  const auto message = packet.subspan(header, total - header);
  return message[0] == kSolicitation4 && internet_checksum(message) == 0;
}

bool is_solicitation(std::span<const std::uint8_t> message, const Ipv6Header& header) {
  if (message.size() < kShortLength || message.size() > 0xffff) return false;
  if (message[0] != kSolicitation6 || header.hop_limit != kHops) return false;
  if (header.destination != all_routers(Family::ipv6) || !is_link_local(header.source)) {
    return false;
  }
  // The pseudo-header of RFC 8200, section 8.1.
  std::vector<std::uint8_t> summed(header.source.octets().begin(), header.source.octets().end());
  summed.insert(summed.end(), header.destination.octets().begin(),
                header.destination.octets().end());
  summed.insert(summed.end(), {0, 0, static_cast<std::uint8_t>(message.size() >> 8U),
                               static_cast<std::uint8_t>(message.size()), 0, 0, 0, kIcmp6});
  summed.insert(summed.end(), message.begin(), message.end());
  return internet_checksum(summed) == 0;
}

}  // namespace mcast::platform
