// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>

#include "core/traits.hpp"

namespace mcast::testing {

/// What kernels do differently and no planner asks about. It goes with traits that tell the same
/// kernels apart.
struct Habits {
  explicit Habits(const FamilyTraits& traits);

  /// How long packets of an unknown flow wait for an answer.
  Milliseconds unresolved_life;
  /// A wrong interface is reported only while the entry's parent has a slot.
  bool reports_need_parent;
  /// A packet on a wrong interface is counted as one of the entry's packets too.
  bool counts_wrong_packets;
  /// An interface with several slots is taken for the lowest of them.
  bool lowest_slot_first;
  /// Packets of an interface without a slot are asked about too, with the number after the last
  /// slot in use.
  bool asks_without_slot;
};

/// Links and memberships are of no family.
struct LinkHabits {
  explicit LinkHabits(const KernelTraits& traits);

  /// A rename is told as the removal of one interface and the arrival of another.
  bool rename_is_two_events;
  /// Sockets lose memberships with the interface. Elsewhere they keep a record without an effect,
  /// which stands in the way of a new join for the same index.
  bool departure_leaves_groups;
};

}  // namespace mcast::testing
