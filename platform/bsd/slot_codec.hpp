// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>

#include "core/ids.hpp"

/// What the kernel tells of the slots of a table, as bytes.
namespace mcast::platform {

/// Which slots are in use.
using SlotSet = std::bitset<kMaxSlots>;

/// From net.inet.ip.viftable: 32 times the part of struct vif that is the user's, 56 bytes where a
/// pointer has 8. None if it is laid out in another way; empty if nothing was read.
[[nodiscard]] std::optional<SlotSet> used_vifs(std::span<const std::uint8_t> viftable);

/// From net.inet6.ip6.mif6table: 64 times struct mif6_sctl, 64 bytes.
[[nodiscard]] std::optional<SlotSet> used_mifs(std::span<const std::uint8_t> mif6table);

/// Whether anything is in a table that the kernel clears with its last user.
[[nodiscard]] bool is_used(std::span<const std::uint8_t> table);

}  // namespace mcast::platform
