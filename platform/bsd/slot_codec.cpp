// SPDX-License-Identifier: BSD-2-Clause
#include "platform/bsd/slot_codec.hpp"

#include <algorithm>
#include <cstddef>

namespace mcast::platform {
namespace {

// MAXVIFS and MAXMIFS.
constexpr std::size_t kVifs = 32;
constexpr std::size_t kMifs = 64;

/// A field of each entry that is zero when the slot is free.
struct Field {
  std::size_t offset;
  std::size_t size;
};
// The address by which the kernel itself tells (add_vif, del_vif), and the interface.
constexpr Field kVifAddress{4, 4};
constexpr std::size_t kVifLength64 = 56;
constexpr Field kVifInterface64{16, 8};
constexpr std::size_t kVifLength32 = 36;
constexpr Field kVifInterface32{16, 4};
// The interface: an index, on older kernels a pointer.
constexpr std::size_t kMifLength = 64;
constexpr Field kMifInterface{24, 8};

bool is_set(std::span<const std::uint8_t> entry, Field field) {
  return is_used(entry.subspan(field.offset, field.size));
}

}  // namespace

std::optional<SlotSet> used_vifs(std::span<const std::uint8_t> viftable) {
  const bool wide = viftable.size() == kVifs * kVifLength64;
  if (!wide && viftable.size() != kVifs * kVifLength32) return std::nullopt;
  const std::size_t length = wide ? kVifLength64 : kVifLength32;
  SlotSet used;
  for (std::size_t slot = 0; slot < kVifs; ++slot) {
    const auto entry = viftable.subspan(slot * length, length);
    used[slot] =
        is_set(entry, kVifAddress) || is_set(entry, wide ? kVifInterface64 : kVifInterface32);
  }
  return used;
}

std::optional<SlotSet> used_mifs(std::span<const std::uint8_t> mif6table) {
  if (mif6table.size() != kMifs * kMifLength) return std::nullopt;
  SlotSet used;
  for (std::size_t slot = 0; slot < kMifs; ++slot) {
    used[slot] = is_set(mif6table.subspan(slot * kMifLength, kMifLength), kMifInterface);
  }
  return used;
}

bool is_used(std::span<const std::uint8_t> table) {
  return std::ranges::any_of(table, [](std::uint8_t byte) { return byte != 0; });
}

}  // namespace mcast::platform
