// SPDX-License-Identifier: BSD-2-Clause
// The difference between what is wanted and what the kernel acknowledged, as steps in a safe order.
#include <fmt/format.h>

#include <algorithm>

#include "core/backoff.hpp"
#include "core/table.hpp"

namespace mcast {

Table::Table(TableKey key, const FamilyTraits& traits, Limits limits, const LinkTable& links,
             RuleStore& rules, std::vector<Notice>& notices)
    : key_(key),
      traits_(traits),
      limits_(limits),
      links_(links),
      rules_(rules),
      notices_(notices),
      slots_(traits.slots),
      stop_shapes_(traits.slots, kNone) {}

void Table::opened() {
  open_ = true;
  why_not_.clear();
  resolve_needed_ = true;
}

void Table::lost(std::string why) {
  open_ = false;
  why_not_ = std::move(why);
  flush_learned();
  for (std::uint32_t id = 0; id < flows_.bound(); ++id) {
    if (flows_[id].has(Flow::kFree)) continue;
    observe(id, kNone);
    flows_[id].clear(Flow::kAsked);
    mark_dirty(id);
  }
  lose_native();
  slots_.reset();
  resolve_needed_ = true;
}

// --- What the kernel changes by itself -----------------------------------------------------------

void Table::link_departed(IfIndex link) {
  resolve_needed_ = true;
  waiting_.erase(link);
  // The kernel may have bound another interface by the address; that one stays in the slot.
  const bool in_doubt =
      std::ranges::any_of(recent_binds_, [&](VifIndex slot) { return slots_[slot].bound == link; });
  const auto slot = slots_.depart(link, traits_.departure_unbinds && !in_doubt);
  if (!slot) return;
  // Without the interface that a flow strayed to, its exact rules have it again.
  for (const std::uint32_t id : strays_) {
    if (flows_[id].first_rule != kNone && flows_[id].arrival == *slot) drop_dynamic(id);
  }
  for (const std::uint32_t id : recent_puts_) {
    Flow& flow = flows_[id];
    if (flow.has(Flow::kFree) || flow.observed == kNone) continue;
    if (shapes_[flow.observed].ttls[slot->value] == 0) continue;
    flow.set(Flow::kUnsure);
    mark_dirty(id);
  }
  native_slot_departed(*slot);
  if (in_doubt) {
    each_entry_with(*slot, [&](std::uint32_t id) {
      flows_[id].set(Flow::kRewrite);
      mark_dirty(id);
    });
  } else {
    if (traits_.departure_drops_entries) forget_entries_from(*slot);
    look_at_entries_with(*slot);
  }
}

/// Calls for each flow whose entry has the slot as its parent or an output. What is not in the
/// queue or to be tried again has the entry that its fanout says, or is stopped: so only fanouts
/// that have to do with the slot are searched, and those that traffic keeps.
template <class Visit>
void Table::each_entry_with(VifIndex slot, const Visit& visit) {
  const auto look = [&](std::uint32_t id) {
    const Flow& flow = flows_[id];
    if (flow.has(Flow::kFree) || flow.observed == kNone) return;
    if (shapes_[flow.observed].mentions(slot)) visit(id);
  };
  for (std::uint32_t fanout = 0; fanout < fanouts_.size(); ++fanout) {
    const bool concerned =
        std::ranges::any_of(fanouts_[fanout].candidates, [&](const Fanout::Candidate& candidate) {
          return candidate.slot == slot || shapes_[candidate.shape].mentions(slot);
        });
    if (!concerned) continue;
    for (std::uint32_t id = fanouts_[fanout].first_flow; id != kNone; id = flows_[id].next) {
      look(id);
    }
  }
  std::ranges::for_each(learned_, look);
  std::ranges::for_each(stops_, look);
  std::ranges::for_each(strays_, look);
  std::ranges::for_each(retries_, look);
  // Those in it are not put into it once more.
  for (std::size_t i = dirty_head_; i < dirty_.size(); ++i) look(dirty_[i]);
}

/// The kernel dropped what came in by the slot.
void Table::forget_entries_from(VifIndex slot) {
  each_entry_with(slot, [&](std::uint32_t id) {
    if (shapes_[flows_[id].observed].parent != slot) return;
    observe(id, kNone);
    mark_dirty(id);
  });
}

/// Where the kernel does something with an output that is not bound, no entry may name it. Neither
/// does it report there that a flow arrives elsewhere than at a parent that is not bound.
void Table::look_at_entries_with(VifIndex slot) {
  if (may_name_unbound()) return;
  each_entry_with(slot, [&](std::uint32_t id) { mark_dirty(id); });
}

void Table::slot_lost(VifIndex slot) {
  const IfIndex link = slots_[slot].bound;
  if (link.value == 0) return;
  // As if the interface had departed and come back at once, which is what happened unseen.
  link_departed(link);
  slots_[slot].bound = {};
}

void Table::flow_in_doubt(const FlowKey& key) {
  if (key.source.is_unspecified()) return native_in_doubt(key.group);
  const std::uint32_t id = flows_.find(key);
  if (id == kNone || flows_[id].observed == kNone) return;
  flows_[id].set(Flow::kRewrite);
  mark_dirty(id);
}

// --- Comparing -----------------------------------------------------------------------------------

std::uint32_t Table::stop_shape(VifIndex parent) {
  std::uint32_t& shape = stop_shapes_[parent.value];
  if (shape == kNone) shape = shapes_.acquire(MfcShape{.parent = parent, .ttls = {}});
  return shape;
}

/// The entry that the flow should have, kNone for no entry.
std::uint32_t Table::wanted_shape(const Flow& flow) {
  const bool arrived = flow.arrival != kNoSlot && flow.has(Flow::kSeen);
  if (flow.kind == Flow::Kind::stop) {
    return slots_[flow.arrival].has_holder() ? stop_shape(flow.arrival) : kNone;
  }
  if (flow.fanout == kNone) return kNone;
  const auto& candidates = fanouts_[flow.fanout].candidates;
  const Fanout::Candidate* only = nullptr;
  std::size_t present = 0;
  const Fanout::Candidate* where_it_arrives = nullptr;
  for (const auto& candidate : candidates) {
    if (candidate.slot == flow.arrival) where_it_arrives = &candidate;
    if (!candidate.present) continue;
    only = &candidate;
    ++present;
  }
  // The kernel asked about an inbound interface that the rules do not allow, or not at present
  // since they were refused their slots.
  const bool stray = arrived && where_it_arrives == nullptr && slots_[flow.arrival].in_place();
  if (flow.kind == Flow::Kind::learned) {
    if (stray) return stop_shape(flow.arrival);
    return where_it_arrives == nullptr ? kNone : where_it_arrives->shape;
  }
  if (present == 1) return only->shape;
  if (where_it_arrives != nullptr && (where_it_arrives->present || present == 0)) {
    return where_it_arrives->shape;
  }
  if (stray) return stop_shape(flow.arrival);
  if (present == 0 && candidates.size() == 1) return candidates.front().shape;
  // Native entries would forward it from any of them without asking: see mark_unheard_flows.
  if (candidates.empty() || !is_native(flow.key.group)) return kNone;
  return only != nullptr ? only->shape : candidates.front().shape;
}

/// The part of a shape that can be put now: outputs whose slot is bound to its holder. The kernel
/// would drop unbound ones silently (ipmr.c, ipmr_update_thresholds), and the ledger would be
/// wrong.
MfcShape Table::restricted(const MfcShape& shape) const {
  MfcShape result = shape;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[slot_number(i)].in_place()) result.ttls[i] = 0;
  }
  return result;
}

/// Whether an entry from there may be put and serves a purpose. Without an interface no packet can
/// arrive, but native entries of the group revive with its slot, and exceptions to them have to.
bool Table::may_put(VifIndex parent, const Address& group) const {
  const Slot& slot = slots_[parent];
  return slot.in_place() || (slot.bound.value == 0 && slot.has_holder() && is_native(group));
}

bool Table::is_satisfied(const Flow& flow, std::uint32_t wanted) const {
  if (flow.has(Flow::kRewrite) || flow.has(Flow::kUnsure)) return false;
  if (flow.observed != kNone && names_unbound(shapes_[flow.observed])) return false;
  if (flow.observed == wanted) {
    // Outputs that are not bound are as good as absent; whatever is listed revives with its slot.
    return true;
  }
  if (wanted == kNone) return false;
  const MfcShape& want = shapes_[wanted];
  if (flow.observed == kNone) {
    return !may_put(want.parent, flow.key.group);
  }
  return is_close_enough(shapes_[flow.observed], want);
}

/// Whether an entry names a slot that it may not while that is not bound.
bool Table::names_unbound(const MfcShape& have) const {
  if (may_name_unbound()) return false;
  if (!slots_[have.parent].in_place()) return true;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (have.ttls[i] != 0 && !slots_[slot_number(i)].in_place()) return true;
  }
  return false;
}

/// Whether an entry does what is wanted as far as slots are bound.
bool Table::is_close_enough(const MfcShape& have, const MfcShape& want) const {
  if (have.parent != want.parent) return false;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (have.ttls[i] == want.ttls[i]) continue;
    if (have.ttls[i] != 0 || slots_[slot_number(i)].in_place()) return false;
  }
  return true;
}

bool Table::endangers(const Flow& flow, std::uint32_t wanted, VifIndex slot) const {
  return flow.observed != kNone &&
         endangers(shapes_[flow.observed], wanted == kNone ? nullptr : &shapes_[wanted], slot);
}

/// Whether an entry as it stands would do something unwanted once `slot` gets its new holder.
bool Table::endangers(const MfcShape& have, const MfcShape* want, VifIndex slot) const {
  if (!have.mentions(slot)) return false;
  if (have.ttls[slot.value] != 0 && !may_name_unbound()) return true;
  if (want == nullptr || have.parent != want->parent) return true;
  const auto is_stale = [&](std::size_t i) {
    return have.ttls[i] != 0 && have.ttls[i] != want->ttls[i];
  };
  if (slot != have.parent) return is_stale(slot.value);
  // Packets of the new holder would take every output of the entry.
  if (names_unbound(have)) return true;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (is_stale(i)) return true;
  }
  return false;
}

// --- Planning ------------------------------------------------------------------------------------

void Table::plan(Plan& plan, Milliseconds now, std::size_t limit) {
  if (!open_) return;
  wake_retries(now);
  // Comparing may let go of the last flow of a fanout, which may free slots, and so on.
  do {
    classify_native_groups();
    while (resolve_needed_ || rematch_needed_) {
      if (resolve_needed_) resolve();
      if (rematch_needed_) rematch_dynamic();
    }
    plan_native_reductions(plan);
    if (plan.empty()) plan_slots(plan, now);
    mark_unheard_flows();
    if (plan.empty()) plan_dirty_flows(plan, limit);
    // Exceptions are in place before what they are exceptions of.
    if (plan.empty()) plan_native_groups(plan, limit);
  } while (plan.empty() && (resolve_needed_ || rematch_needed_));
}

/// Order is a correctness rule: entries let go of slots that change hands, then slots are unbound,
/// then bound, then entries are put. Each of these is a plan of its own, so that a step that fails
/// holds back those that rely on it.
void Table::plan_slots(Plan& plan, Milliseconds now) {
  std::vector<VifIndex> unbind;
  std::vector<VifIndex> bind;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const VifIndex index = slot_number(i);
    const Slot& slot = slots_[index];
    if (slot.bound == slot.wanted || slot.retry_at > now) continue;
    (slot.bound.value != 0 ? unbind : bind).push_back(index);
  }
  if (unbind.empty() && bind.empty()) return;
  for (const VifIndex slot : unbind) look_at_entries_with(slot);
  auto changing = unbind;
  changing.insert(changing.end(), bind.begin(), bind.end());
  plan_shrinking(plan, changing);
  if (!plan.empty()) return;
  for (const VifIndex slot : unbind) {
    if (!is_blocked(slot)) plan.emplace_back(UnbindVif{key_, slot});
  }
  if (!plan.empty()) return;
  for (const VifIndex slot : bind) {
    if (!is_blocked(slot)) plan.emplace_back(binding(slot));
  }
}

void Table::plan_dirty_flows(Plan& plan, std::size_t limit) {
  while (dirty_head_ < dirty_.size() && plan.size() < limit) {
    const std::uint32_t id = dirty_[dirty_head_++];
    flows_[id].clear(Flow::kDirty);
    plan_flow(plan, id);
  }
  if (dirty_head_ != dirty_.size()) return;
  dirty_head_ = 0;
  if (dirty_.capacity() > 4096) {
    dirty_ = {};  // a bulk load is over: give the memory back
  } else {
    dirty_.clear();
  }
}

/// Every flow whose wanted entry changed is in the queue, so only the queue has to be looked at.
void Table::plan_shrinking(Plan& plan, const std::vector<VifIndex>& changing) {
  for (std::size_t i = dirty_head_; i < dirty_.size(); ++i) {
    const Flow& flow = flows_[dirty_[i]];
    if (flow.observed == kNone || flow.has(Flow::kRetry) || is_postponed(dirty_[i])) continue;
    const std::uint32_t wanted = wanted_shape(flow);
    const bool in_danger =
        std::ranges::any_of(changing, [&](VifIndex slot) { return endangers(flow, wanted, slot); });
    if (!in_danger) continue;
    const VifIndex parent = shapes_[flow.observed].parent;
    // An exception to native entries must not be missing for a moment.
    const bool keep = wanted != kNone && traits_.update_clears_outputs &&
                      may_put(shapes_[wanted].parent, flow.key.group);
    if (keep) {
      plan.emplace_back(PutMfc{key_, flow.key, restricted(shapes_[wanted])});
    } else {
      plan.emplace_back(DropMfc{key_, flow.key, parent});
    }
  }
}

/// Whether an entry that could not be shrunk still stands in the way of a new holder.
bool Table::is_blocked(VifIndex slot) {
  if (is_blocked_natively(slot)) return true;
  return std::ranges::any_of(retries_, [&](std::uint32_t id) {
    return endangers(flows_[id], wanted_shape(flows_[id]), slot);
  });
}

void Table::plan_flow(Plan& plan, std::uint32_t id) {
  const Flow& flow = flows_[id];
  if (flow.has(Flow::kRetry) || is_postponed(id)) return;
  const std::uint32_t wanted = wanted_shape(flow);
  if (note_stray(id, wanted)) return;  // it is in the queue again
  const bool answers = wanted != kNone && may_put(shapes_[wanted].parent, flow.key.group);
  if (flow.has(Flow::kAsked) && !answers) {
    // What it waits for may come soon.
    if (wanted != kNone && flow.fanout != kNone) {
      slots_[shapes_[wanted].parent].lacking.insert(flow.fanout);
    }
    return plan_refusal(plan, flow);
  }
  if (wanted == kNone && flow.kind != Flow::Kind::fixed) {
    drop_dynamic(id);  // where it arrived is gone; traffic will make the kernel ask again
    return;
  }
  if (is_satisfied(flow, wanted)) {
    if (wanted != kNone && wanted != flow.observed) remember_lacking(flow, shapes_[wanted]);
    collect_if_unused(id);
    return;
  }
  const bool replace = flow.observed != kNone && (wanted == kNone || flow.has(Flow::kRewrite) ||
                                                  !traits_.update_clears_outputs);
  if (replace) plan.emplace_back(DropMfc{key_, flow.key, shapes_[flow.observed].parent});
  // Where a put would keep outputs of an entry that could not be dropped, it waits for the outcome.
  if (wanted == kNone || (replace && !traits_.update_clears_outputs)) return;
  const MfcShape& want = shapes_[wanted];
  const Slot& parent = slots_[want.parent];
  if (!parent.in_place() && (parent.bound.value != 0 || !may_name_unbound())) {
    // The slot is not bound, or still belongs to somebody else; it wakes us when it changes hands.
    if (flow.fanout != kNone) slots_[want.parent].lacking.insert(flow.fanout);
    if (flow.observed != kNone && !replace) {
      plan.emplace_back(DropMfc{key_, flow.key, shapes_[flow.observed].parent});
    }
    return;
  }
  plan.emplace_back(PutMfc{key_, flow.key, restricted(want)});
}

/// Makes the kernel let go of a flow that is to have no entry now: packets that wait for one leave
/// with any entry, and this one sends them nowhere, or where a native entry does that came too late
/// for them.
void Table::plan_refusal(Plan& plan, const Flow& flow) const {
  if (flow.observed != kNone) {
    plan.emplace_back(DropMfc{key_, flow.key, shapes_[flow.observed].parent});
    // Where a put would keep outputs of an entry that could not be dropped, it waits for that.
    if (!traits_.update_clears_outputs) return;
  }
  const VifIndex parent = flow.arrival == kNoSlot ? VifIndex(0) : flow.arrival;
  plan.emplace_back(PutMfc{key_, flow.key, restricted(native_outputs(flow.key.group, parent))});
  plan.emplace_back(DropMfc{key_, flow.key, parent});
}

/// A flow that arrived where no rule of its own expects it depends on a slot that its fanout does
/// not list: the fanout's changes would not make it dirty. Returns whether a template has it now.
bool Table::note_stray(std::uint32_t id, std::uint32_t wanted) {
  Flow& flow = flows_[id];
  if (flow.kind != Flow::Kind::fixed) return false;
  const bool is_stray = flow.fanout != kNone && flow.arrival != kNoSlot &&
                        std::ranges::count(fanouts_[flow.fanout].candidates, flow.arrival,
                                           &Fanout::Candidate::slot) == 0;
  if (is_stray && flow.has(Flow::kSeen) && wanted != kNone) {
    strays_.insert(id);
    const bool is_stopped = shapes_[wanted].parent == flow.arrival;
    if (!is_stopped || match_template(flow.key, slots_[flow.arrival].holder).first_rule == kNone) {
      return false;
    }
    learn(id, flow.arrival);
    return true;
  }
  if (is_stray) flow.arrival = kNoSlot;
  strays_.erase(id);
  return false;
}

/// Notes the slots that the flow's entry does without until they are bound.
void Table::remember_lacking(const Flow& flow, const MfcShape& wanted) {
  if (flow.fanout == kNone) return;  // a stop filter: the next packet will make the kernel ask
  if (flow.observed == kNone) {
    slots_[wanted.parent].lacking.insert(flow.fanout);
    return;
  }
  const MfcShape& have = shapes_[flow.observed];
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (wanted.ttls[i] != 0 && have.ttls[i] == 0) {
      slots_[slot_number(i)].lacking.insert(flow.fanout);
    }
  }
}

// --- Acknowledgements ----------------------------------------------------------------------------

/// Takes over one reference to `shape`.
void Table::observe(std::uint32_t id, std::uint32_t shape) {
  Flow& flow = flows_[id];
  if (flow.observed != kNone) {
    shapes_.release(flow.observed);
    --entries_;
  }
  flow.observed = shape;
  if (shape != kNone) {
    ++entries_;
  } else {
    flow.clear(Flow::kRewrite);
    flow.clear(Flow::kUnsure);
  }
}

void Table::acknowledge(const PutMfc& op, const Result<void>& outcome, Milliseconds now) {
  if (op.flow.source.is_unspecified()) return acknowledge_native(op, outcome, now);
  const std::uint32_t id = flows_.find(op.flow);
  if (!outcome) return fail_flow(id, outcome.error(), now);
  Flow& flow = flows_[id];
  const std::uint32_t wanted = wanted_shape(flow);
  // A refusal names some parent: nothing has arrived there.
  const bool is_meant = wanted != kNone && shapes_[wanted].parent == op.shape.parent;
  if (is_meant && flow.arrival != op.shape.parent) {
    flow.clear(Flow::kSeen);
    flow.arrival = op.shape.parent;
  }
  if (wanted != kNone && shapes_[wanted] == op.shape) {
    shapes_.add_reference(wanted);
    observe(id, wanted);
  } else {
    observe(id, shapes_.acquire(op.shape));
    if (wanted != kNone) remember_lacking(flow, shapes_[wanted]);
  }
  flow.clear(Flow::kRewrite);
  flow.clear(Flow::kUnsure);
  flow.clear(Flow::kAsked);
  recent_puts_.push_back(id);
  if (flow.kind == Flow::Kind::learned) tell_learned(id);
}

void Table::tell_learned(std::uint32_t id) {
  if (!std::exchange(dynamic_uses_.at(id).told, true)) newly_learned_.push_back(flows_[id].key);
}

void Table::acknowledge(const DropMfc& op, const Result<void>& outcome, Milliseconds now) {
  if (op.flow.source.is_unspecified()) return acknowledge_native(op, outcome, now);
  const std::uint32_t id = flows_.find(op.flow);
  if (!outcome) return fail_flow(id, outcome.error(), now);
  observe(id, kNone);
  // A flow that was learned, but refused, is forgotten by looking at it again.
  if (!traits_.update_clears_outputs || flows_[id].kind != Flow::Kind::fixed) mark_dirty(id);
  collect_if_unused(id);
}

void Table::acknowledge(const BindVif& op, const Result<void>& outcome, Milliseconds now) {
  Slot& slot = slots_[op.slot];
  if (!outcome) {
    // It was bound when the interface was another one, before we heard that it departed.
    const bool stale = outcome.error().code == ErrorCode::already_exists;
    if (stale && slot.bound.value == 0) slot.bound = kDangling;
    return fail_slot(slot, outcome.error(), now);
  }
  note_binding(op);
  slot.failures = 0;
  slot.error.clear();
  for (const std::uint32_t fanout : std::exchange(slot.lacking, {})) {
    for (std::uint32_t id = fanouts_[fanout].first_flow; id != kNone; id = flows_[id].next) {
      mark_dirty(id);
    }
  }
  native_slot_bound(op.slot);
}

void Table::acknowledge(const UnbindVif& op, const Result<void>& outcome, Milliseconds now) {
  Slot& slot = slots_[op.slot];
  if (!outcome) return fail_slot(slot, outcome.error(), now);
  slot.bound = {};
  slot.failures = 0;
}

void Table::note_failure(const FlowKey& key, const Error& error, Milliseconds now) {
  if (failures_ == 0) {
    notices_.push_back({NoticeLevel::error,
                        fmt::format("route {} not installed: {}", key.to_string(), error.message)});
  }
  if (retry_at_ <= now) retry_at_ = now + backoff(failures_++);
}

void Table::fail_flow(std::uint32_t id, const Error& error, Milliseconds now) {
  note_failure(flows_[id].key, error, now);
  Flow& flow = flows_[id];
  if (!flow.has(Flow::kRetry)) {
    flow.set(Flow::kRetry);
    retries_.push_back(id);
  }
}

void Table::fail_slot(Slot& slot, const Error& error, Milliseconds now) {
  if (slot.error != error.message) {
    slot.error = error.message;
    notices_.push_back(
        {NoticeLevel::error, fmt::format("interface {} gets no {} slot: {}", slot.holder.name,
                                         to_string(key_.family), error.message)});
  }
  slot.retry_at = now + backoff(slot.failures++);
}

void Table::wake_retries(Milliseconds now) {
  if (retries_.empty() && native_retries_.empty()) {
    failures_ = 0;
    return;
  }
  if (now < retry_at_) return;
  wake_native_retries();
  for (const std::uint32_t id : std::exchange(retries_, {})) {
    flows_[id].clear(Flow::kRetry);
    mark_dirty(id);
  }
}

std::optional<Milliseconds> Table::next_deadline() const {
  if (!open_) return std::nullopt;
  std::optional<Milliseconds> deadline;
  const auto consider = [&](Milliseconds at) { deadline = std::min(deadline.value_or(at), at); };
  if (!retries_.empty() || !native_retries_.empty()) consider(retry_at_);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[slot_number(i)];
    if (slot.bound == slot.wanted || slot.failures == 0) continue;
    // A flow that is to be tried again may stand in its way: before that there is nothing to do.
    const bool may_wait = !retries_.empty() || !native_retries_.empty();
    consider(may_wait ? std::max(slot.retry_at, retry_at_) : slot.retry_at);
  }
  return deadline;
}

TableStatus Table::status() const {
  return {.table = key_,
          .open = open_,
          .why_not = why_not_,
          .slots = slots_.size(),
          .slots_used = slots_.used(),
          .entries = entries_,
          .learned = learned_.size(),
          .stop_filters = stops_.size()};
}

}  // namespace mcast
