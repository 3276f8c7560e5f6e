// SPDX-License-Identifier: BSD-2-Clause
// The steps that give native groups their entries, and the record of what the kernel holds of them.
#include <algorithm>
#include <utility>

#include "core/native_order.hpp"
#include "core/table.hpp"

namespace mcast {

namespace {

FlowKey any_source(const Address& group) {
  return {Address::unspecified(group.family()), group};
}

}  // namespace

void Table::mark_native_dirty(std::uint32_t id) {
  NativeGroup& group = native_groups_[id];
  if (group.dirty) return;
  group.dirty = true;
  native_changed_ = true;
  native_dirty_.push_back(id);
}

/// The entries that the group should have, in an order of puts. Blocks come last: no other entry
/// lists their slot.
std::vector<MfcShape> Table::wanted_native(NativeGroup& group) const {
  std::vector<MfcShape> wanted;
  const NativeForm* form = group.form == kNone ? nullptr : &native_forms_[group.form];
  if (form == nullptr || form->entries.empty()) {
    group.blocked.reset();
    return wanted;
  }
  for (const std::uint32_t shape : form->entries) wanted.push_back(shapes_[shape]);
  group.blocked &= ~(form->listed | form->learning);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const VifIndex slot = slot_number(i);
    if (!slots_[slot].has_holder()) group.blocked.reset(i);
    if (!group.blocked[i]) continue;
    wanted.push_back(any_source_entry(MfcShape{.parent = slot, .ttls = {}}));
  }
  return wanted;
}

/// Entries let go of what is not wanted any more before slots change hands and before exceptions to
/// them are dropped.
void Table::plan_native_reductions(Plan& plan) {
  for (const std::uint32_t id : native_dirty_) {
    NativeGroup& group = native_groups_[id];
    if (group.retry || group.rewrite) continue;
    const auto wanted = wanted_native(group);
    for (const NativeGroup::Entry& entry : group.installed) {
      const MfcShape& have = shapes_[entry.shape];
      const auto want = std::ranges::find(wanted, have.parent, &MfcShape::parent);
      // What still arrives from the old holder of its parent's slot is none of its business.
      const Slot& parent = slots_[have.parent];
      const bool is_taken = parent.bound.value != 0 && !parent.in_place();
      const bool stays = want != wanted.end() && !is_taken;
      const MfcShape rest = stays ? common_part(have, *want) : MfcShape{};
      if (stays && rest == have) continue;
      if (stays && parent.in_place()) {
        plan.emplace_back(PutMfc{key_, any_source(group.group), restricted(rest)});
      } else {
        plan.emplace_back(DropMfc{key_, any_source(group.group), have.parent});
      }
    }
  }
}

/// What an entry may go on with: outputs that are wanted, but for slots that change hands if they
/// are wanted otherwise.
MfcShape Table::common_part(const MfcShape& have, const MfcShape& want) const {
  const auto changes_hands = [&](VifIndex slot) {
    return slots_[slot].bound != slots_[slot].wanted;
  };
  MfcShape part = have;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const VifIndex slot = slot_number(i);
    // Packets of a new holder of the parent take every output.
    const bool is_other =
        have.ttls[i] != want.ttls[i] && (changes_hands(slot) || changes_hands(have.parent));
    if (want.ttls[i] == 0 || is_other) part.ttls[i] = 0;
  }
  return part;
}

/// Whether a flow waits for native entries of its group that could not be reduced.
bool Table::is_postponed(std::uint32_t id) {
  if (native_retries_.empty() || flows_[id].observed == kNone) return false;
  const std::uint32_t group = native_group(flows_[id].key.group);
  if (group == kNone || !native_groups_[group].retry) return false;
  if (!flows_[id].has(Flow::kRetry)) {
    flows_[id].set(Flow::kRetry);
    retries_.push_back(id);
  }
  return true;
}

bool Table::is_blocked_natively(VifIndex slot) {
  return std::ranges::any_of(native_retries_, [&](std::uint32_t id) {
    NativeGroup& group = native_groups_[id];
    const auto wanted = wanted_native(group);
    return std::ranges::any_of(group.installed, [&](const NativeGroup::Entry& entry) {
      const MfcShape& have = shapes_[entry.shape];
      const auto want = std::ranges::find(wanted, have.parent, &MfcShape::parent);
      return endangers(have, want == wanted.end() ? nullptr : &*want, slot);
    });
  });
}

void Table::plan_native_groups(Plan& plan, std::size_t limit) {
  while (!native_dirty_.empty() && plan.size() < limit) {
    const std::uint32_t id = native_dirty_.back();
    native_dirty_.pop_back();
    NativeGroup& group = native_groups_[id];
    group.dirty = false;
    note_native(group);
    if (is_held_back(group)) {
      group.retry = true;
      native_retries_.push_back(id);
    }
    plan_native_group(plan, group);
    const bool in_use = group.form != kNone || group.rules != 0 || !group.installed.empty() ||
                        group.retry || unclassified_.contains(id);
    if (in_use) continue;
    native_ids_.erase(group.group);
    group = NativeGroup{};
    native_free_.push_back(id);
  }
}

/// Whether an exception to it could not be put.
bool Table::is_held_back(const NativeGroup& group) const {
  return !group.retry && std::ranges::any_of(retries_, [&](std::uint32_t id) {
    return flows_[id].key.group == group.group;
  });
}

/// Drops what is not wanted or out of order, updates what stays in place, then puts the rest. Until
/// the entries are in place, learned flows stay as they are.
void Table::plan_native_group(Plan& plan, NativeGroup& group) {
  if (group.retry) return;
  const FlowKey flow = any_source(group.group);
  std::vector<VifIndex> parents;
  for (const NativeGroup::Entry& entry : group.installed) {
    parents.push_back(shapes_[entry.shape].parent);
  }
  auto wanted = wanted_native(group);
  std::erase_if(wanted, [&](const MfcShape& want) {
    if (slots_[want.parent].in_place() || std::ranges::count(parents, want.parent) != 0) {
      return false;
    }
    native_lacking_[want.parent.value].insert(group.form);  // nothing can arrive yet
    return true;
  });
  const auto moved = out_of_order(parents, wanted);
  // Of those that are installed and wanted.
  const auto stays = [&](VifIndex parent) {
    return !group.rewrite && std::ranges::count(moved, parent) == 0;
  };
  const auto is_wanted = [&](VifIndex parent) {
    return std::ranges::count(wanted, parent, &MfcShape::parent) != 0;
  };
  for (const VifIndex parent : parents) {
    if (!is_wanted(parent) || !stays(parent)) plan.emplace_back(DropMfc{key_, flow, parent});
  }
  const auto put = [&](const MfcShape& want) {
    if (!slots_[want.parent].in_place()) {
      // A put would leave out the parent, which then would not revive.
      native_lacking_[want.parent.value].insert(group.form);
      return;
    }
    lack_natively(group, restricted(want), want);
    plan.emplace_back(PutMfc{key_, flow, restricted(want)});
  };
  std::vector<MfcShape> anew;
  for (const MfcShape& want : wanted) {
    const auto at = std::ranges::find(parents, want.parent);
    if (at == parents.end() || !stays(want.parent)) {
      anew.push_back(want);
      continue;
    }
    const auto& entry = group.installed[static_cast<std::size_t>(at - parents.begin())];
    lack_natively(group, shapes_[entry.shape], want);
    if (entry.unsure || !is_close_enough(shapes_[entry.shape], want)) put(want);
  }
  for (const MfcShape& want : anew) put(want);
}

/// Notes the slots that an entry does without until they are bound.
void Table::lack_natively(const NativeGroup& group, const MfcShape& have, const MfcShape& want) {
  if (group.form == kNone) return;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (want.ttls[i] != 0 && have.ttls[i] == 0) native_lacking_[i].insert(group.form);
  }
}

void Table::native_slot_bound(VifIndex slot) {
  for (const std::uint32_t form : std::exchange(native_lacking_[slot.value], {})) {
    for (const std::uint32_t group : native_forms_[form].groups) mark_native_dirty(group);
  }
}

// --- The record ----------------------------------------------------------------------------------

void Table::acknowledge_native(const PutMfc& op, const Result<void>& outcome, Milliseconds now) {
  const std::uint32_t id = native_group(op.flow.group);
  if (!outcome) return fail_native(id, outcome.error(), now);
  NativeGroup& group = native_groups_[id];
  const auto entry = std::ranges::find_if(group.installed, [&](const NativeGroup::Entry& e) {
    return shapes_[e.shape].parent == op.shape.parent;
  });
  const std::uint32_t shape = shapes_.acquire(op.shape);
  if (entry != group.installed.end()) {
    shapes_.release(entry->shape);
    *entry = {.shape = shape};
  } else {
    group.installed.push_back({.shape = shape});
    ++entries_;
    rematch_needed_ = true;  // flows that were learned before need no entry any more
  }
  recent_native_puts_.push_back(id);
}

void Table::acknowledge_native(const DropMfc& op, const Result<void>& outcome, Milliseconds now) {
  const std::uint32_t id = native_group(op.flow.group);
  if (!outcome) return fail_native(id, outcome.error(), now);
  NativeGroup& group = native_groups_[id];
  forget_native(group, [&](const MfcShape& shape) { return shape.parent == op.parent; });
  mark_native_dirty(id);
}

template <class Which>
void Table::forget_native(NativeGroup& group, Which which) {
  std::erase_if(group.installed, [&](const NativeGroup::Entry& entry) {
    if (!which(shapes_[entry.shape])) return false;
    shapes_.release(entry.shape);
    --entries_;
    return true;
  });
  if (group.installed.empty()) group.rewrite = false;
}

void Table::fail_native(std::uint32_t id, const Error& error, Milliseconds now) {
  NativeGroup& group = native_groups_[id];
  note_failure(any_source(group.group), error, now);
  if (group.retry) return;
  group.retry = true;
  native_retries_.push_back(id);
}

void Table::wake_native_retries() {
  for (const std::uint32_t id : std::exchange(native_retries_, {})) {
    native_groups_[id].retry = false;
    mark_native_dirty(id);
  }
}

/// The kernel took the slot away: what was put since events were last read may lack it already.
void Table::native_slot_departed(VifIndex slot) {
  for (const std::uint32_t id : recent_native_puts_) {
    for (NativeGroup::Entry& entry : native_groups_[id].installed) {
      if (shapes_[entry.shape].ttls[slot.value] == 0) continue;
      entry.unsure = true;
      mark_native_dirty(id);
    }
  }
}

/// The kernel has nothing any more.
void Table::lose_native() {
  for (std::uint32_t id = 0; id < native_groups_.size(); ++id) {
    if (!native_groups_[id].in_use) continue;
    forget_native(native_groups_[id], [](const MfcShape&) { return true; });
    mark_native_dirty(id);
  }
}

void Table::native_in_doubt(const Address& address) {
  const std::uint32_t id = native_group(address);
  if (id == kNone || native_groups_[id].installed.empty()) return;
  native_groups_[id].rewrite = true;
  mark_native_dirty(id);
}

}  // namespace mcast
