// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bitset>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/address.hpp"
#include "core/ids.hpp"
#include "core/ref_pool.hpp"

namespace mcast {

using SlotSet = std::bitset<kMaxSlots>;

/// The paths of the rules that have a say in what happens to a group whoever sends it. Groups with
/// the same share a NativeForm, so that a link event is evaluated once for all of them.
struct NativeRules {
  std::vector<std::uint32_t> native;    ///< of this group and any source, to be native
  std::vector<std::uint32_t> learned;   ///< of this group and any source, to be learned
  std::vector<std::uint32_t> narrower;  ///< of this group and a range of sources
  std::vector<std::uint32_t> wider;     ///< of a range of groups
  auto operator<=>(const NativeRules&) const = default;
};

/// What follows from them: the entries for any source, or why there are none.
struct NativeForm {
  std::vector<std::uint32_t> entries;  ///< shapes, in an order of puts
  SlotSet listed;                      ///< slots that some entry lists: the kernel never asks there
  SlotSet learning;                    ///< slots whose packets the kernel has to ask about
  std::string why_not;                 ///< empty: the group is native
  std::set<std::uint32_t> groups;
};

/// One group with rules that are to be native, and what the kernel holds for it.
struct NativeGroup {
  struct Entry {
    std::uint32_t shape = kNone;
    bool unsure = false;  ///< put while an output may have been gone already: put again
  };
  Address group;
  std::uint32_t rules = 0;       ///< how many are to be native
  std::uint32_t form = kNone;    ///< none: no rule is native any more, and what is left is dropped
  std::vector<Entry> installed;  ///< the first put first
  /// Slots whose packets no rule wants. They are blocked for all sources at once: a stop filter for
  /// one source would keep the native entries from forwarding it.
  SlotSet blocked;
  std::string noted;     ///< what was last said about it
  bool dirty = false;    ///< waits in the queue for comparison
  bool retry = false;    ///< the last step failed
  bool rewrite = false;  ///< drop all and put them again
  bool in_use = false;
};

}  // namespace mcast
