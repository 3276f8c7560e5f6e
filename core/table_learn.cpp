// SPDX-License-Identifier: BSD-2-Clause
// Flows that the kernel asks about: learned ones, which match a template, and stop filters.
#include <algorithm>

#include "core/table.hpp"

namespace mcast {

void Table::upcall(const Upcall& upcall) {
  if (!open_) return;
  // FreeBSD asks about IPv6 packets of interfaces without a slot too, by the number after the last
  // one in use.
  const bool is_slot = upcall.arrived_on.value < slots_.size();
  const bool missing = upcall.kind == Upcall::Kind::no_cache;
  std::uint32_t id = flows_.find(upcall.flow);
  if (id == kNone) {
    if (!missing) return;  // about an entry that has been dropped meanwhile
    id = flows_.find_or_create(upcall.flow);
  }
  if (missing) {
    // It is answered in any case: until then the kernel keeps the flow's packets, in a list that it
    // searches for every new flow, and asks no more wherever the flow arrives.
    flows_[id].set(Flow::kAsked);
    mark_dirty(id);
  }
  Flow& flow = flows_[id];
  if (missing && flow.observed != kNone) {
    // A packet missed the entry just before it was put. Only dropping and putting it releases the
    // packets that wait in the kernel (ipmr.c, ipmr_mfc_add: the update path does not).
    flow.set(Flow::kRewrite);
    return;
  }
  if (!is_slot || !slots_[upcall.arrived_on].in_place()) return;  // or it changed hands meanwhile
  const Slot& slot = slots_[upcall.arrived_on];
  const bool allowed = is_allowed_exactly(id, slot.holder) ||
                       match_template(flow.key, slot.holder).first_rule != kNone;
  if (missing || allowed) learn(id, upcall.arrived_on);
}

/// Whether an exact rule of the flow accepts what arrives there.
bool Table::is_allowed_exactly(std::uint32_t id, const Link& arrival) const {
  return flows_[id].first_rule != kNone && !best_paths(exact_paths(id), arrival).empty();
}

Table::Match Table::match_template(const FlowKey& key, const Link& arrival) const {
  for (const auto& [lengths, count] : template_lengths_) {
    const auto found =
        templates_.find({Prefix(key.group, lengths.first), Prefix(key.source, lengths.second)});
    if (found == templates_.end()) continue;
    Match exact;
    Match wildcard;
    for (std::uint32_t rule = found->second; rule != kNone; rule = rules_[rule].next) {
      const Path& path = rules_.path_of(rule);
      if (!links_.accepts(path, arrival, key_)) continue;
      if (!uses_[rules_[rule].path].refused.empty()) continue;
      Match& match = path.iif.is_wildcard() ? wildcard : exact;
      match.paths.push_back(rules_[rule].path);
      match.first_rule = std::min(match.first_rule, rule);
    }
    Match& best = exact.first_rule != kNone ? exact : wildcard;
    if (best.first_rule == kNone) continue;
    best.paths = distinct(std::move(best.paths));
    return best;
  }
  return {};
}

/// Decides anew what becomes of a flow that arrives on `arrival`: its exact rules come before
/// templates, but only where they accept it.
void Table::learn(std::uint32_t id, VifIndex arrival) {
  const Link& holder = slots_[arrival].holder;
  const bool is_named = flows_[id].first_rule != kNone;
  // It does not wait for an interface that departed while its exact rules have others.
  if (is_named && slots_[arrival].wanted.value == 0) return follow_exact_rules(id, kNoSlot);
  if (is_named && is_allowed_exactly(id, holder)) return follow_exact_rules(id, arrival);
  if (!is_named && leave_to_native(flows_[id].key.group, arrival)) {
    return follow_exact_rules(id, arrival);  // of which there are none
  }
  const Match match = match_template(flows_[id].key, holder);
  if (match.first_rule == kNone && is_named) return follow_exact_rules(id, arrival);
  if (is_named) strays_.insert(id);
  if (match.first_rule == kNone) {
    make_dynamic(id, Flow::Kind::stop, arrival);
    set_flow_fanout(id, kNone);
    enforce_limit(stops_, limits_.stop_filters);
  } else {
    make_dynamic(id, Flow::Kind::learned, arrival);
    set_flow_fanout(id, acquire_fanout(match.paths));
    enforce_limit(learned_, limits_.learned);
  }
}

void Table::note_arrival(Flow& flow, VifIndex arrival) {
  flow.arrival = arrival;
  if (arrival == kNoSlot) {
    flow.clear(Flow::kSeen);
  } else {
    flow.set(Flow::kSeen);
  }
}

void Table::follow_exact_rules(std::uint32_t id, VifIndex arrival) {
  leave_dynamic(id);
  note_arrival(flows_[id], arrival);
  if (arrival != kNoSlot) strays_.insert(id);  // until it is found to be none
  update_flow_from_rules(id);
  mark_dirty(id);
}

void Table::make_dynamic(std::uint32_t id, Flow::Kind kind, VifIndex arrival) {
  Flow& flow = flows_[id];
  if (flow.kind == kind && flow.arrival == arrival) return;
  note_arrival(flow, arrival);
  mark_dirty(id);
  if (flow.kind == kind) return;
  leave_dynamic(id);
  flow.kind = kind;
  auto& list = kind == Flow::Kind::stop ? stops_ : learned_;
  dynamic_uses_[id] = {.position = list.insert(list.end(), id), .packets = std::nullopt};
}

void Table::leave_dynamic(std::uint32_t id) {
  Flow& flow = flows_[id];
  if (flow.kind == Flow::Kind::fixed) return;
  const auto use = dynamic_uses_.find(id);
  (flow.kind == Flow::Kind::stop ? stops_ : learned_).erase(use->second.position);
  dynamic_uses_.erase(use);
  flow.kind = Flow::Kind::fixed;
}

void Table::drop_dynamic(std::uint32_t id) {
  follow_exact_rules(id, kNoSlot);
}

void Table::enforce_limit(std::list<std::uint32_t>& list, std::size_t limit) {
  while (list.size() > limit) drop_dynamic(list.front());
}

/// Asks again about every learned flow and stop filter, after rules or the holders of slots
/// changed.
void Table::rematch_dynamic() {
  rematch_needed_ = false;
  std::vector<std::uint32_t> all(learned_.begin(), learned_.end());
  all.insert(all.end(), stops_.begin(), stops_.end());
  for (const std::uint32_t id : strays_) {
    if (flows_[id].kind == Flow::Kind::fixed && flows_[id].first_rule != kNone) all.push_back(id);
  }
  for (const std::uint32_t id : all) {
    const VifIndex arrival = flows_[id].arrival;
    if (!flows_[id].has(Flow::kSeen)) continue;  // it is back with its exact rules
    if (slots_[arrival].has_holder() && !handed_over_[arrival.value]) {
      learn(id, arrival);
    } else {
      drop_dynamic(id);
    }
  }
  handed_over_.reset();
}

void Table::flush_learned() {
  while (!learned_.empty()) drop_dynamic(learned_.front());
  while (!stops_.empty()) drop_dynamic(stops_.front());
  for (const std::uint32_t id : strays_) {
    if (flows_[id].kind == Flow::Kind::fixed && flows_[id].has(Flow::kSeen)) drop_dynamic(id);
  }
  flush_native_blocks();
}

void Table::learned_packets(const FlowKey& key, std::uint64_t packets) {
  const std::uint32_t id = flows_.find(key);
  if (id == kNone || flows_[id].kind == Flow::Kind::fixed) return;
  DynamicUse& use = dynamic_uses_.at(id);
  if (use.packets == packets) return drop_dynamic(id);
  use.packets = packets;
  auto& list = flows_[id].kind == Flow::Kind::stop ? stops_ : learned_;
  list.splice(list.end(), list, use.position);
}

}  // namespace mcast
