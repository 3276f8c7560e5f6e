// SPDX-License-Identifier: BSD-2-Clause
// Which rules concern which flow: static ones by their exact (S,G), learned ones by templates.
#include <algorithm>

#include "core/table.hpp"

namespace mcast {

// --- Fanouts -------------------------------------------------------------------------------------

std::uint32_t Table::acquire_fanout(const PathSet& paths) {
  const std::uint32_t id = path_sets_.acquire(paths);
  if (fanouts_.size() < path_sets_.bound()) fanouts_.resize(path_sets_.bound());
  if (path_sets_.references(id) == 1) {
    // New: keep its paths as long as itself, and find out what they mean.
    for (const std::uint32_t path : paths) rules_.paths.add_reference(path);
    resolve_needed_ = true;
  }
  return id;
}

/// The fanout of one rule alone, without a search if the last one asked for was the same.
std::uint32_t Table::acquire_single_fanout(std::uint32_t rule) {
  const std::uint32_t path = rules_[rule].path;
  const auto is_recent = [&] {
    if (path != recent_path_ || !path_sets_.is_live(recent_fanout_)) return false;
    const PathSet& paths = path_sets_[recent_fanout_];
    return paths.size() == 1 && paths.front() == path;
  };
  if (is_recent()) {
    path_sets_.add_reference(recent_fanout_);
    return recent_fanout_;
  }
  recent_path_ = path;
  recent_fanout_ = acquire_fanout({path});
  return recent_fanout_;
}

void Table::release_fanout(std::uint32_t fanout) {
  if (path_sets_.references(fanout) > 1) {
    path_sets_.release(fanout);
    return;
  }
  const PathSet paths = path_sets_[fanout];
  path_sets_.release(fanout);
  for (const std::uint32_t path : paths) rules_.paths.release(path);
  for (const auto& candidate : fanouts_[fanout].candidates) shapes_.release(candidate.shape);
  fanouts_[fanout] = Fanout{};
  resolve_needed_ = true;  // slots may be free now
}

void Table::unlink_flow(std::uint32_t id) {
  Flow& flow = flows_[id];
  if (flow.previous != kNone) {
    flows_[flow.previous].next = flow.next;
  } else {
    fanouts_[flow.fanout].first_flow = flow.next;
  }
  if (flow.next != kNone) flows_[flow.next].previous = flow.previous;
  flow.previous = flow.next = kNone;
}

/// Takes over one reference to `fanout` (or none if it is kNone).
void Table::set_flow_fanout(std::uint32_t id, std::uint32_t fanout) {
  Flow& flow = flows_[id];
  const std::uint32_t old = flow.fanout;
  if (old == fanout) {
    if (fanout != kNone) release_fanout(fanout);  // the flow holds one already
    return;
  }
  if (old != kNone) {
    unlink_flow(id);
    flow.fanout = kNone;
    release_fanout(old);
  }
  flow.fanout = fanout;
  if (fanout != kNone) {
    flow.next = fanouts_[fanout].first_flow;
    if (flow.next != kNone) flows_[flow.next].previous = id;
    fanouts_[fanout].first_flow = id;
  }
  mark_dirty(id);
}

void Table::mark_dirty(std::uint32_t id) {
  Flow& flow = flows_[id];
  if (flow.has(Flow::kDirty)) return;
  flow.set(Flow::kDirty);
  dirty_.push_back(id);
}

/// Frees the record of a flow that nobody asks for and the kernel does not hold.
void Table::collect_if_unused(std::uint32_t id) {
  const Flow& flow = flows_[id];
  const bool in_use = flow.first_rule != kNone || flow.observed != kNone ||
                      flow.kind != Flow::Kind::fixed || flow.has(Flow::kDirty) ||
                      flow.has(Flow::kRetry) || flow.has(Flow::kDetached) || flow.has(Flow::kAsked);
  if (in_use) return;
  if (flow.fanout != kNone) set_flow_fanout(id, kNone);
  if (flows_[id].has(Flow::kDirty)) return;
  strays_.erase(id);
  flows_.erase(id);
}

// --- Static rules --------------------------------------------------------------------------------

Table::PathSet Table::distinct(PathSet paths) {
  std::ranges::sort(paths);
  const auto repeated = std::ranges::unique(paths);
  paths.erase(repeated.begin(), repeated.end());
  return paths;
}

Table::PathSet Table::exact_paths(std::uint32_t id) const {
  PathSet paths;
  for (std::uint32_t rule = flows_[id].first_rule; rule != kNone; rule = rules_[rule].next) {
    paths.push_back(rules_[rule].path);
  }
  return distinct(std::move(paths));
}

void Table::update_flow_from_rules(std::uint32_t id) {
  Flow& flow = flows_[id];
  if (flow.first_rule == kNone) {
    set_flow_fanout(id, kNone);
    mark_dirty(id);
    return;
  }
  if (rules_[flow.first_rule].next == kNone) {
    set_flow_fanout(id, acquire_single_fanout(flow.first_rule));
    return;
  }
  set_flow_fanout(id, acquire_fanout(exact_paths(id)));
}

/// A flow that is known by its traffic stays where that arrives, as far as the rules allow.
void Table::exact_rules_changed(std::uint32_t id) {
  if (flows_[id].kind == Flow::Kind::fixed) {
    update_flow_from_rules(id);
  } else {
    strays_.insert(id);
    rematch_needed_ = true;
  }
}

void Table::note_use(std::uint32_t rule) {
  const std::uint32_t path = rules_[rule].path;
  ++rules_attached_;
  if (uses_.size() <= path) uses_.resize(path + 1);
  PathUse& use = uses_[path];
  ++use.rules;
  const std::uint32_t rank = rules_.rank(rule);
  if (rank >= use.first_rule) return;
  use.first_rule = rank;
  resolve_needed_ = true;  // it may get its slots earlier now
}

void Table::forget_use(std::uint32_t rule) {
  PathUse& use = uses_[rules_[rule].path];
  --rules_attached_;
  if (--use.rules != 0) return;
  use = PathUse{};
  resolve_needed_ = true;  // slots may be free now
}

void Table::attach(std::uint32_t id) {
  Rule& rule = rules_[id];
  note_use(id);
  if (rule.is_exact()) {
    const std::uint32_t flow = flows_.find_or_create({rule.source.address(), rule.group.address()});
    flows_[flow].clear(Flow::kDetached);
    rule.next = flows_[flow].first_rule;
    flows_[flow].first_rule = id;
    exact_rules_changed(flow);
    return;
  }
  const auto [position, is_new] = templates_.try_emplace({rule.group, rule.source}, kNone);
  if (is_new) ++template_lengths_[{rule.group.length(), rule.source.length()}];
  rule.next = position->second;
  position->second = id;
  acquire_fanout({rule.path});  // asks for slots before any flow is learned
  native_rules_changed(rule, 1);
  rematch_needed_ = true;
}

void Table::detach(std::uint32_t id) {
  const Rule& rule = rules_[id];
  forget_use(id);
  const auto remove_from_chain = [&](std::uint32_t& first) {
    std::uint32_t* link = &first;
    while (*link != id) link = &rules_[*link].next;
    *link = rule.next;
  };
  if (rule.is_exact()) {
    const std::uint32_t flow = flows_.find({rule.source.address(), rule.group.address()});
    remove_from_chain(flows_[flow].first_rule);
    exact_rules_changed(flow);
    return;
  }
  const auto position = templates_.find({rule.group, rule.source});
  remove_from_chain(position->second);
  if (position->second == kNone) {
    templates_.erase(position);
    const auto lengths = template_lengths_.find({rule.group.length(), rule.source.length()});
    if (--lengths->second == 0) template_lengths_.erase(lengths);
  }
  release_fanout(path_sets_.find({rule.path}));
  native_rules_changed(rule, -1);
  rematch_needed_ = true;
}

void Table::begin_replacing_rules() {
  for (std::uint32_t id = 0; id < flows_.bound(); ++id) {
    Flow& flow = flows_[id];
    if (flow.has(Flow::kFree)) continue;
    flow.first_rule = kNone;
    if (flow.kind == Flow::Kind::fixed) flow.set(Flow::kDetached);
  }
  // Old templates let go of their fanouts only when the new ones have got hold of theirs, so that
  // what does not change keeps its number.
  for (const auto& [key, first] : templates_) {
    for (std::uint32_t rule = first; rule != kNone; rule = rules_[rule].next) {
      old_template_fanouts_.push_back(path_sets_.find({rules_[rule].path}));
    }
  }
  templates_.clear();
  template_lengths_.clear();
  rules_attached_ = 0;
  replacing_rules_ = true;
  for (NativeGroup& group : native_groups_) group.rules = 0;
  for (PathUse& use : uses_) {
    use.rules = 0;
    use.first_rule = kNone;
  }
}

void Table::end_replacing_rules() {
  for (std::uint32_t id = 0; id < flows_.bound(); ++id) {
    if (!flows_[id].has(Flow::kDetached)) continue;
    flows_[id].clear(Flow::kDetached);
    update_flow_from_rules(id);
  }
  for (PathUse& use : uses_) {
    if (use.rules == 0) use = PathUse{};
  }
  for (const std::uint32_t fanout : old_template_fanouts_) release_fanout(fanout);
  old_template_fanouts_.clear();
  replacing_rules_ = false;
  for (const auto& [address, group] : native_ids_) unclassified_.insert(group);
  resolve_needed_ = true;  // the order of rules may have changed
  rematch_needed_ = true;
}

void Table::set_claims(std::vector<SlotClaim> claims) {
  claims_ = std::move(claims);
  resolve_needed_ = true;
}

std::vector<std::uint32_t> Table::rules_for(const Prefix& source, const Prefix& group,
                                            const InterfacePattern& iif) const {
  std::uint32_t rule = kNone;
  if (source.is_host() && group.is_host()) {
    const std::uint32_t flow = flows_.find({source.address(), group.address()});
    if (flow != kNone) rule = flows_[flow].first_rule;
  } else if (const auto found = templates_.find({group, source}); found != templates_.end()) {
    rule = found->second;
  }
  std::vector<std::uint32_t> rules;
  for (; rule != kNone; rule = rules_[rule].next) {
    if (rules_.path_of(rule).iif == iif) rules.push_back(rule);
  }
  return rules;
}

}  // namespace mcast
