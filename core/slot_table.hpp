// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/link.hpp"
#include "core/traits.hpp"

namespace mcast {

/// What a slot holds whose interface departed without the kernel taking the binding away: never the
/// index of an interface, so that the slot is unbound whoever is to have it.
inline constexpr IfIndex kDangling{0xffffffff};

/// One VIF or MIF: what the kernel holds in it and for whom it is meant.
struct Slot {
  IfIndex bound;  ///< acknowledged by the kernel; 0: nothing; or kDangling
  /// By which of its addresses, where that is how an interface is named.
  std::optional<Address> bound_by;
  IfIndex wanted;  ///< who is to have it; 0: nobody now
  /// The interface as last seen, while it is wanted and, if `reserved`, after it departed.
  Link holder;
  bool reserved = false;
  std::uint64_t departed_at = 0;  ///< order of departures, to give up the oldest first

  unsigned failures = 0;  ///< of binding or unbinding in a row
  Milliseconds retry_at = 0;
  std::string error;

  /// Fanouts with flows that were put without this slot because it was not bound then.
  std::set<std::uint32_t> lacking;

  [[nodiscard]] bool in_place() const { return wanted.value != 0 && bound == wanted; }
  [[nodiscard]] bool has_holder() const { return wanted.value != 0 || reserved; }
};

/// Decides which interface gets which slot of one table. Slots are kept as long as possible: an
/// interface that departs keeps its slot in reserve, so that its return costs one kernel call.
class SlotTable {
 public:
  explicit SlotTable(std::size_t count) : slots_(count) {}

  /// How names relate to the rules, asked while slots are assigned.
  struct Rules {
    /// Some rule means this interface (by a name it has, or a wildcard).
    std::function<bool(const Link&)> mention;
    /// Some rule names it exactly.
    std::function<bool(const Link&)> name_exactly;
    /// Every rule treats both interfaces alike, so that one may take over the other's slot and
    /// entries as they are.
    std::function<bool(const Link&, const Link&)> treat_alike;
  };

  /// `admitted`: the interfaces that are to have a slot, in the order in which new slots are handed
  /// out; at most as many as there are slots.
  void assign(const std::vector<const Link*>& admitted, const Rules& rules);
  /// The interface is gone: its slot becomes reserved. `unbound`: the kernel took the binding away.
  /// Returns the slot it had.
  std::optional<VifIndex> depart(IfIndex link, bool unbound);
  /// Forgets what the kernel holds and all reservations.
  void reset();

  [[nodiscard]] std::optional<VifIndex> slot_of(IfIndex link) const;
  [[nodiscard]] Slot& operator[](VifIndex slot) { return slots_[slot.value]; }
  [[nodiscard]] const Slot& operator[](VifIndex slot) const { return slots_[slot.value]; }
  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  /// Slots that are bound, wanted or reserved.
  [[nodiscard]] std::size_t used() const;

 private:
  Slot* find_place(const Link& link, const Rules& rules);

  std::vector<Slot> slots_;
  std::uint64_t departures_ = 0;
};

}  // namespace mcast
