// SPDX-License-Identifier: BSD-2-Clause
#include "platform/upcall_codec.hpp"

#include <cstddef>
#include <cstring>

namespace mcast::platform {
namespace {

// struct igmpmsg lies over an IPv4 header: the kind over its TTL, a zero over the protocol, which
// no real packet has there, the VIF over the checksum.
constexpr std::size_t kIgmpKind = 8;
constexpr std::size_t kIgmpZero = 9;
constexpr std::size_t kIgmpVif = 10;
constexpr std::size_t kIgmpSource = 12;
constexpr std::size_t kIgmpGroup = 16;
constexpr std::size_t kIgmpLength = 20;

constexpr std::size_t kMrt6Zero = 0;
constexpr std::size_t kMrt6Kind = 1;
constexpr std::size_t kMrt6Mif = 2;
constexpr std::size_t kMrt6Source = 8;
constexpr std::size_t kMrt6Group = 24;
constexpr std::size_t kMrt6Length = 40;

// IGMPMSG_* and MRT6MSG_*.
constexpr std::uint8_t kNoCache = 1;
constexpr std::uint8_t kWrongVif = 2;

std::optional<Upcall> make_upcall(std::uint8_t kind, TableKey table, const FlowKey& flow,
                                  std::uint16_t slot) {
  if (kind != kNoCache && kind != kWrongVif) return std::nullopt;
  if (slot >= kMaxSlots) return std::nullopt;
  // A packet may carry any addresses. A mapped IPv6 address would be taken for IPv4, and an entry
  // with an unspecified source is one for every source.
  if (flow.source.family() != table.family || flow.group.family() != table.family) {
    return std::nullopt;
  }
  if (!flow.group.is_multicast() || flow.source.is_multicast() || flow.source.is_unspecified()) {
    return std::nullopt;
  }
  return Upcall{kind == kNoCache ? Upcall::Kind::no_cache : Upcall::Kind::wrong_vif, table, flow,
                VifIndex(slot)};
}

std::optional<Upcall> decode_igmpmsg(std::span<const std::uint8_t> packet, TableKey table) {
  if (packet.size() < kIgmpLength || packet[kIgmpZero] != 0) return std::nullopt;
  const FlowKey flow{Address::from_v4(packet.subspan(kIgmpSource).first<4>()),
                     Address::from_v4(packet.subspan(kIgmpGroup).first<4>())};
  // The next byte is the high part on new kernels only; on others it is half a checksum.
  return make_upcall(packet[kIgmpKind], table, flow, packet[kIgmpVif]);
}

std::optional<Upcall> decode_mrt6msg(std::span<const std::uint8_t> packet, TableKey table) {
  if (packet.size() < kMrt6Length || packet[kMrt6Zero] != 0) return std::nullopt;
  std::uint16_t mif = 0;  // in host order
  std::memcpy(&mif, packet.data() + kMrt6Mif, sizeof mif);
  const FlowKey flow{Address::from_v6(packet.subspan(kMrt6Source).first<16>()),
                     Address::from_v6(packet.subspan(kMrt6Group).first<16>())};
  return make_upcall(packet[kMrt6Kind], table, flow, mif);
}

}  // namespace

std::optional<Upcall> decode_upcall(std::span<const std::uint8_t> packet, TableKey table) {
  return table.family == Family::ipv4 ? decode_igmpmsg(packet, table)
                                      : decode_mrt6msg(packet, table);
}

}  // namespace mcast::platform
