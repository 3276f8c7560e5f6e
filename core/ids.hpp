// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "core/address.hpp"

namespace mcast {

/// An integer that cannot be mistaken for another kind of integer.
template <class Tag, class Rep>
struct StrongId {
  Rep value{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;
};

/// The kernel's interface index; 0 is never an interface.
using IfIndex = StrongId<struct IfIndexTag, std::uint32_t>;
/// A VIF (IPv4) or MIF (IPv6): the number of an interface's slot in one routing table.
using VifIndex = StrongId<struct VifIndexTag, std::uint16_t>;
/// The slot at this place of an array with one element for each.
[[nodiscard]] constexpr VifIndex slot_number(std::size_t place) {
  return VifIndex{static_cast<std::uint16_t>(place)};
}
/// The kernel's id of a multicast routing table (Linux) or FIB (FreeBSD).
using TableId = StrongId<struct TableIdTag, std::uint32_t>;

/// One multicast routing table; tables of the two families are independent even with equal ids.
struct TableKey {
  Family family = Family::ipv4;
  TableId id;
  constexpr auto operator<=>(const TableKey&) const = default;
};

/// The most slots any supported kernel has per table: FreeBSD's MAXMIFS (netinet6/ip6_mroute.h).
/// Linux and FreeBSD IPv4 have 32; KernelTraits tells.
inline constexpr std::size_t kMaxSlots = 64;

/// Time since an arbitrary origin, in milliseconds. Passed into the engine, which has no clock.
using Milliseconds = std::int64_t;

}  // namespace mcast

template <class Tag, class Rep>
struct std::hash<mcast::StrongId<Tag, Rep>> {
  std::size_t operator()(const mcast::StrongId<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
