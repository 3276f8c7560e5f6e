// SPDX-License-Identifier: BSD-2-Clause
#include "core/slot_table.hpp"

#include <algorithm>

namespace mcast {

namespace {

void release(Slot& slot) {
  slot.wanted = {};
  slot.reserved = false;
  slot.holder = {};
}

void give(Slot& slot, const Link& link) {
  if (slot.wanted != link.index) {
    slot.failures = 0;
    slot.retry_at = 0;
    slot.error.clear();
  }
  slot.wanted = link.index;
  slot.reserved = false;
  slot.holder = link;
}

}  // namespace

void SlotTable::assign(const std::vector<const Link*>& admitted, const Rules& rules) {
  const auto admitted_link = [&](IfIndex index) -> const Link* {
    const auto position = std::ranges::find(admitted, index, &Link::index);
    return position == admitted.end() ? nullptr : *position;
  };
  for (Slot& slot : slots_) {
    if (slot.wanted.value != 0) {
      if (const Link* link = admitted_link(slot.wanted)) {
        give(slot, *link);
      } else {
        release(slot);
      }
    } else if (slot.reserved && !rules.mention(slot.holder)) {
      release(slot);
    }
  }
  for (const Link* link : admitted) {
    if (slot_of(link->index)) continue;
    if (Slot* place = find_place(*link, rules)) give(*place, *link);
  }
}

Slot* SlotTable::find_place(const Link& link, const Rules& rules) {
  Slot* alike = nullptr;
  Slot* free = nullptr;
  Slot* free_but_bound = nullptr;
  Slot* oldest = nullptr;
  bool oldest_is_named = true;
  for (Slot& slot : slots_) {
    if (slot.wanted.value != 0) continue;
    if (!slot.reserved) {
      Slot*& candidate = slot.bound.value == 0 ? free : free_but_bound;
      if (candidate == nullptr) candidate = &slot;
      continue;
    }
    if (slot.holder.name == link.name) return &slot;
    const bool named = rules.name_exactly(slot.holder);
    if (!named && rules.treat_alike(slot.holder, link) &&
        (alike == nullptr || slot.departed_at < alike->departed_at)) {
      alike = &slot;
    }
    // Reservations that no rule names go first, then the oldest.
    const bool better = oldest == nullptr || (oldest_is_named && !named) ||
                        (oldest_is_named == named && slot.departed_at < oldest->departed_at);
    if (better) {
      oldest = &slot;
      oldest_is_named = named;
    }
  }
  for (Slot* choice : {alike, free, free_but_bound}) {
    if (choice != nullptr) return choice;
  }
  return oldest;
}

std::optional<VifIndex> SlotTable::depart(IfIndex link, bool unbound) {
  std::optional<VifIndex> had;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.bound == link && link.value != 0) {
      had = slot_number(i);
      slot.bound = unbound ? IfIndex() : kDangling;
    }
    if (slot.wanted == link && link.value != 0) {
      had = slot_number(i);
      slot.wanted = {};
      slot.reserved = true;
      slot.departed_at = ++departures_;
    }
  }
  return had;
}

void SlotTable::reset() {
  for (Slot& slot : slots_) slot = Slot{};
}

std::optional<VifIndex> SlotTable::slot_of(IfIndex link) const {
  const auto position = std::ranges::find(slots_, link, &Slot::wanted);
  if (position == slots_.end()) return std::nullopt;
  return slot_number(static_cast<std::size_t>(position - slots_.begin()));
}

std::size_t SlotTable::used() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      slots_, [](const Slot& slot) { return slot.bound.value != 0 || slot.has_holder(); }));
}

}  // namespace mcast
