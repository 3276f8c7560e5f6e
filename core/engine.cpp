// SPDX-License-Identifier: BSD-2-Clause
#include "core/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/engine_state.hpp"
#include "core/unsupported.hpp"

namespace mcast {

// --- State ---------------------------------------------------------------------------------------

Engine::State::State(const KernelTraits& kernel_traits, const EngineOptions& engine_options)
    : traits(kernel_traits),
      options(engine_options),
      memberships(links, notices,
                  {.per_rule = engine_options.max_joins_per_rule,
                   .joined = engine_options.max_joined,
                   .sources = kernel_traits.max_sources_per_group}),
      multicast_rules(notices),
      allocator(std::min(kernel_traits.ipv4.slots, kernel_traits.ipv6.slots)) {
  links.set_tables(traits.table_choice, options.default_ipv4, options.default_ipv6);
  for (const Family family : {Family::ipv4, Family::ipv6}) table(default_table(family));
}

void Engine::State::update_claims() {
  for (const auto& [key, table] : tables) claim(*table);
}

/// phyint and mgroup lines ask for a slot: the former in both families, the latter in its own.
void Engine::State::claim(Table& table) const {
  std::vector<SlotClaim> claims;
  for (const InterfaceRule& rule : links.rules()) {
    if (rule.enable.value_or(true)) claims.push_back({rule.interface, rule.where, rule.domain});
  }
  for (auto& [pattern, where] : memberships.patterns(table.key().family)) {
    claims.push_back({std::move(pattern.first), where, std::move(pattern.second)});
  }
  table.set_claims(std::move(claims));
}

void Engine::State::add_rule(const Prefix& source, const Prefix& group, const Path& path,
                             Location where, bool native) {
  const std::uint32_t number = rules.paths.acquire(path);
  if (rules.first_of_path(number) == kNone) note_path(number);
  const std::uint32_t id = rules.add(
      Rule{.source = source, .group = group, .native = native, .path = number, .where = where});
  place(id);
  unsettled = unsettled || auto_tables;
  remember(AddedRule{id});
}

void Engine::State::remove_rule(std::uint32_t id) {
  unplace(id);
  unsettled = unsettled || auto_tables;
  const Rule rule = rules[id];
  if (in_transaction) {
    rules.paths.add_reference(rule.path);
    remember(RemovedRule{id, rule});
  }
  rules.remove(id);
}

std::vector<std::uint32_t> Engine::State::rules_meant(const RouteWords& words) {
  std::vector<std::uint32_t> found;
  for (const auto& [key, table] : tables) {
    if (key.family != words.group.family()) continue;
    for (const std::uint32_t id : table->rules_for(words.source, words.group, words.path.iif)) {
      if (rules[id].original == kNone && rules.path_of(id).domain == words.path.domain) {
        found.push_back(id);
      }
    }
  }
  const auto is_exception = [&](std::uint32_t id) { return rules[id].exception; };
  if (!std::ranges::all_of(found, is_exception)) std::erase_if(found, is_exception);
  return found;
}

void Engine::State::remove_belongings(const RouteWords& words) {
  const auto found =
      exceptions.find({words.source, words.group, words.path.iif, words.path.domain});
  if (found != exceptions.end()) {
    for (const std::uint32_t id : found->second) {
      if (rules.is_live(id)) remove_rule(id);
    }
  }
  const JoinWords join{words.path.iif,
                       words.source.is_any() ? std::nullopt : std::optional(words.source),
                       words.group, words.path.domain};
  const std::vector<JoinRule> left = memberships.remove_joins_of_routes(join);
  for (const JoinRule& rule : left) remember(RemovedJoin{rule});
  if (!left.empty()) update_claims();
}

void Engine::State::forget_undo() {
  for (const Undo& undo : undo_log) {
    if (const auto* removed = std::get_if<RemovedRule>(&undo))
      rules.paths.release(removed->rule.path);
  }
  undo_log.clear();
  in_transaction = false;
}

bool Engine::State::is_named_by_a_rule(const InterfacePattern& pattern) const {
  for (std::uint32_t id = 0; id < rules.paths.bound(); ++id) {
    if (!rules.paths.is_live(id)) continue;
    const Path& path = rules.paths[id];
    if (path.iif == pattern || std::ranges::count(path.oifs, pattern) != 0) return true;
  }
  const auto same_phyint = [&](const InterfaceRule& rule) { return rule.interface == pattern; };
  return memberships.has_pattern(pattern) || std::ranges::any_of(links.rules(), same_phyint);
}

/// A command that names an interface nobody has heard of is a slip of the keyboard, not a wish.
Result<void> Engine::State::check_known(const InterfacePattern& pattern) const {
  if (pattern.is_wildcard() || links.find(pattern.stem()) != nullptr ||
      is_named_by_a_rule(pattern)) {
    return {};
  }
  std::vector<std::string_view> names;
  for (const auto& [index, link] : links.all()) names.push_back(link.name);
  const auto close = closest_match(pattern.stem(), names);
  const std::string hint =
      close ? fmt::format("; did you mean \"{}\"?", *close)
            : fmt::format("; to wait for it, write \"phyint {}\" in the configuration",
                          pattern.stem());
  return fail(ErrorCode::no_such_interface,
              fmt::format("\"{}\": no such interface{}", pattern.stem(), hint));
}

// --- Tables --------------------------------------------------------------------------------------

Engine::Engine(const KernelTraits& traits, const EngineOptions& options)
    : state_(std::make_unique<State>(traits, options)) {}
Engine::~Engine() = default;

void Engine::table_opened(TableKey table) {
  state_->openings.erase(table);
  state_->table(table).opened();
  state_->note_all_routers();
}

void Engine::table_lost(TableKey table, std::string why) {
  state_->openings[table].given_up = true;
  state_->table(table).lost(std::move(why));
  state_->note_all_routers();
}

std::vector<TableKey> Engine::tables_to_open() {
  State& s = *state_;
  s.settle();
  std::vector<TableKey> keys;
  for (const auto& [key, table] : s.tables) {
    if (!table->is_open() && s.is_wanted(*table)) keys.push_back(key);
  }
  return keys;
}

void Engine::multicast_rules_learned(std::span<const KernelMulticastRule> rules) {
  state_->settle();
  state_->multicast_rules.learned(rules);
}

std::vector<MulticastRule> Engine::multicast_rules() const {
  return state_->multicast_rules.held();
}

std::vector<std::string> Engine::multicast_rule_collisions(
    const std::vector<TableRule>& declared) const {
  LinkTable facts = state_->links;
  facts.declare_tables(declared);
  return state_->multicast_rules.collisions(state_->wanted_multicast_rules(facts));
}

const std::vector<TableRule>& Engine::declared_tables() const {
  return state_->links.declared_tables();
}

// --- Intent --------------------------------------------------------------------------------------

void Engine::set_config(Config config) {
  State& s = *state_;
  s.forget_undo();
  s.files = std::move(config.files);
  s.native_by_default = config.native_by_default;
  s.declare_tables(config);
  s.links.set_rules(std::move(config.interfaces));
  s.note_all_routers();
  for (const auto& [key, table] : s.tables) table->begin_replacing_rules();
  const std::vector<Rule> old = s.rules.take_all();
  s.rules.reserve(config.routes.size());

  std::vector<std::uint32_t> paths(config.paths.size(), kNone);
  s.exceptions.clear();
  const RouteRule* owner = nullptr;
  for (const RouteRule& route : config.routes) {
    std::uint32_t& path = paths[route.path.value];
    if (path == kNone) {
      path = s.rules.paths.acquire(config.paths[route.path]);
      s.note_path(path);
    } else {
      s.rules.paths.add_reference(path);
    }
    const std::uint32_t id = s.rules.add(Rule{.source = route.source,
                                              .group = route.group,
                                              .native = route.native,
                                              .exception = route.exception,
                                              .path = path,
                                              .where = route.where});
    s.place(id);
    if (!route.exception) {
      owner = &route;
    } else if (owner != nullptr) {
      const Path& owned = config.paths[owner->path];
      s.exceptions[{owner->source, owner->group, owned.iif, owned.domain}].push_back(id);
    }
  }
  for (const auto& [key, table] : s.tables) table->end_replacing_rules();
  for (const Rule& rule : old) {
    if (rule.path != kNone) s.rules.paths.release(rule.path);
  }
  s.memberships.set_rules(std::move(config.joins));
  s.update_claims();
  for (const auto& [index, link] : s.links.all()) s.note_link(link);
}

Result<void> Engine::add_route(const RouteWords& words) {
  State& s = *state_;
  s.settle();
  TRY(check_supported(words.path.domain, s.traits));
  TRY(s.check_vrf(words.path.domain));
  TRY(s.check_known(words.path.iif));
  for (const auto& oif : words.path.oifs) TRY(s.check_known(oif));
  for (const TableId id : s.tables_of(words.path, words.group.family())) {
    const auto table = s.tables.find({words.group.family(), id});
    if (table != s.tables.end() && !table->second->why_not_open().empty()) {
      return fail(ErrorCode::no_kernel_support, table->second->why_not_open());
    }
  }
  // As with lines of a file, outbound interfaces add up; `remove` takes them away.
  Path merged{.iif = words.path.iif, .oifs = {}, .domain = words.path.domain};
  const auto extend = [&](const std::vector<InterfacePattern>& oifs) {
    for (const auto& oif : oifs) {
      if (std::ranges::count(merged.oifs, oif) == 0) merged.oifs.push_back(oif);
    }
  };
  bool native = s.native_by_default && words.source.is_any() && words.group.is_host();
  for (const std::uint32_t id : s.rules_meant(words)) {
    // An exception stays, for the time when this route is removed.
    if (s.rules[id].exception) continue;
    extend(s.rules.path_of(id).oifs);
    native = s.rules[id].native;
    s.remove_rule(id);
  }
  extend(words.path.oifs);
  s.add_rule(words.source, words.group, merged, Location{}, native);
  return {};
}

Result<void> Engine::remove_route(const RouteWords& words) {
  State& s = *state_;
  s.settle();
  const auto found = s.rules_meant(words);
  const std::string name =
      fmt::format("({}, {}) from {}", words.source.is_any() ? "*" : words.source.to_string(),
                  words.group.to_string(), words.path.iif.to_string());
  if (found.empty()) {
    TRY(s.check_known(words.path.iif));
    return fail(ErrorCode::not_found, fmt::format("{}: no such route", name));
  }
  for (const auto& oif : words.path.oifs) {
    const bool used = std::ranges::any_of(found, [&](std::uint32_t id) {
      return std::ranges::count(s.rules.path_of(id).oifs, oif) != 0;
    });
    if (used) continue;
    TRY(s.check_known(oif));
    return fail(ErrorCode::not_found,
                fmt::format("route {} has no outbound interface {}", name, oif.to_string()));
  }
  for (const std::uint32_t id : found) {
    Path rest = s.rules.path_of(id);
    const Location where = s.rules[id].where;
    const bool native = s.rules[id].native;
    const std::size_t gone = std::erase_if(rest.oifs, [&](const InterfacePattern& oif) {
      return std::ranges::count(words.path.oifs, oif) != 0;
    });
    if (!words.path.oifs.empty() && gone == 0) continue;
    s.remove_rule(id);
    if (!words.path.oifs.empty()) s.add_rule(words.source, words.group, rest, where, native);
  }
  if (words.path.oifs.empty()) s.remove_belongings(words);
  return {};
}

Result<void> Engine::join(const JoinWords& words) {
  State& s = *state_;
  TRY(check_supported(words.domain, s.traits));
  TRY(s.check_vrf(words.domain));
  TRY(s.check_known(words.iif));
  const JoinRule rule{words.iif, words.source, words.group, Location{}, false, words.domain};
  if (s.memberships.is_too_large(rule)) {
    return fail(ErrorCode::limit_reached,
                fmt::format("{}: stands for more than {} joins; use a longer prefix",
                            words.group.to_string(), s.options.max_joins_per_rule));
  }
  if (s.memberships.contains(words)) return {};
  if (!s.memberships.has_room_for(rule)) {
    return fail(ErrorCode::limit_reached,
                fmt::format("{}: all joins together would be more than {}; leave some or use "
                            "longer prefixes",
                            words.group.to_string(), kMaxJoins));
  }
  s.memberships.add(rule);
  s.remember(State::AddedJoin{words});
  s.update_claims();
  return {};
}

Result<void> Engine::leave(const JoinWords& words) {
  State& s = *state_;
  const std::vector<JoinRule> left = s.memberships.remove(words);
  if (left.empty()) {
    TRY(s.check_known(words.iif));
    return fail(ErrorCode::not_found, fmt::format("({}, {}) is not joined on {}",
                                                  words.source ? words.source->to_string() : "*",
                                                  words.group.to_string(), words.iif.to_string()));
  }
  for (const JoinRule& rule : left) s.remember(State::RemovedJoin{rule});
  s.update_claims();
  return {};
}

void Engine::begin() {
  state_->forget_undo();
  state_->in_transaction = true;
}

void Engine::commit() {
  state_->forget_undo();
}

void Engine::rollback() {
  State& s = *state_;
  s.settle();
  s.in_transaction = false;
  for (; !s.undo_log.empty(); s.undo_log.pop_back()) {
    State::Undo& undo = s.undo_log.back();
    if (const auto* added = std::get_if<State::AddedRule>(&undo)) {
      s.remove_rule(added->id);
    } else if (const auto* removed = std::get_if<State::RemovedRule>(&undo)) {
      // Steps are undone in reverse, so the record is free again.
      s.rules.restore(removed->id, removed->rule);
      s.note_path(removed->rule.path);
      s.place(removed->id);
    } else if (const auto* joined = std::get_if<State::AddedJoin>(&undo)) {
      static_cast<void>(s.memberships.remove(joined->words));
    } else if (const auto* left = std::get_if<State::RemovedJoin>(&undo)) {
      s.memberships.add(left->rule);
    }
  }
  s.update_claims();
}

std::optional<std::string> Engine::refused_in_transaction() {
  State& s = *state_;
  s.settle();
  for (const auto& [key, table] : s.tables) table->resolve_if_needed();
  for (const State::Undo& undo : s.undo_log) {
    const auto* added = std::get_if<State::AddedRule>(&undo);
    if (added == nullptr || !s.rules.is_live(added->id)) continue;
    for (std::uint32_t id = added->id; id != kNone; id = s.rules[id].next_copy) {
      const bool nowhere = s.rules[id].table == kNoTable;
      if (nowhere && s.rules.path_of(id).domain.kind == Domain::Kind::vrf) continue;
      const std::string refused = nowhere ? s.why_nowhere(s.rules.path_of(id))
                                          : s.table_of(s.rules[id]).use_of_rule(id).refused;
      if (refused.empty()) continue;
      return fmt::format("group {}: {}", s.rules[id].group.to_string(), refused);
    }
  }
  return std::nullopt;
}

void Engine::flush_learned(std::optional<TableId> which) {
  for (const auto& [key, table] : state_->tables) {
    if (!which || key.id == *which) table->flush_learned();
  }
}

// --- Facts ---------------------------------------------------------------------------------------

void Engine::State::departed(IfIndex index) {
  memberships.link_departed(index);
  for (const auto& [key, table] : tables) table->link_departed(index);
  unsettled = true;
  link_notes.erase(index);
  note_router_gone(index);
}

void Engine::link_changed(const Link& link) {
  State& s = *state_;
  const Link* known = s.links.find(link.index);
  const bool renamed = known != nullptr && known->name != link.name;
  if (!s.links.put(link)) return;
  for (const auto& [key, table] : s.tables) {
    if (renamed && s.traits.of(key.family).rename_is_departure) table->link_departed(link.index);
    table->link_changed(link);
  }
  s.unsettled = true;
  s.memberships.link_changed(link.index);
  s.note_link(link);
  s.note_router(link);
}

void Engine::link_removed(IfIndex index) {
  State& s = *state_;
  if (s.links.remove(index)) s.departed(index);
}

void Engine::links_relearned(std::span<const Link> links) {
  State& s = *state_;
  std::set<IfIndex> present;
  for (const Link& link : links) present.insert(link.index);
  std::vector<IfIndex> gone;
  for (const auto& [index, link] : s.links.all()) {
    if (!present.contains(index)) gone.push_back(index);
  }
  for (const Link& link : links) {
    const Link* known = s.links.find(link.index);
    if (known != nullptr && known->incarnation != link.incarnation) gone.push_back(link.index);
  }
  // An index that is present may be another interface now, which is found out by asking the kernel
  // about its slots.
  doubt_slots();
  for (const IfIndex index : gone) {
    if (present.contains(index)) {
      for (const auto& [key, table] : s.tables) {
        // Such a kernel would say that the slot is bound, to an interface that is gone.
        if (!s.traits.of(key.family).departure_unbinds) table->link_departed(index);
      }
      s.memberships.link_departed(index);
      s.links.remove(index);
      s.note_router_gone(index);
    } else {
      link_removed(index);
    }
  }
  for (const Link& link : links) link_changed(link);
}

void Engine::links_current() {
  for (const auto& [key, table] : state_->tables) table->links_current();
}

std::size_t Engine::doubt_slots() {
  State& s = *state_;
  s.in_doubt.clear();
  for (const auto& [key, table] : s.tables) {
    for (std::size_t i = 0; i < table->slots().size(); ++i) {
      const VifIndex slot = slot_number(i);
      if (table->slots()[slot].bound.value != 0) s.in_doubt.emplace_back(key, slot);
    }
  }
  return s.in_doubt.size();
}

std::vector<std::pair<TableKey, VifIndex>> Engine::slots_to_verify() {
  return std::exchange(state_->in_doubt, {});
}

void Engine::slot_lost(TableKey table, VifIndex slot) {
  State& s = *state_;
  const IfIndex link = s.tables.at(table)->slots()[slot].bound;
  s.tables.at(table)->slot_lost(slot);
  if (s.links.find(link) == nullptr) return;
  // It was made anew unseen, and its memberships went with the slot.
  s.memberships.link_departed(link);
  s.memberships.link_changed(link);
  s.note_router_gone(link);
}

void Engine::flow_in_doubt(TableKey table, const FlowKey& flow) {
  state_->tables.at(table)->flow_in_doubt(flow);
}

void Engine::upcall(const Upcall& upcall, Milliseconds /*now*/) {
  const auto table = state_->tables.find(upcall.table);
  if (table != state_->tables.end()) table->second->upcall(upcall);
}

// --- Plans ---------------------------------------------------------------------------------------

Plan Engine::plan(Milliseconds now, std::size_t limit) {
  State& s = *state_;
  s.settle();
  Plan plan;
  s.plan_opening(plan, now);
  if (!plan.empty()) return plan;
  for (const auto& [key, table] : s.tables) {
    // What is not needed any more goes as a whole, when nothing leads there.
    if (!s.is_wanted(*table)) continue;
    table->plan(plan, now, limit);
    if (!plan.empty()) return plan;
  }
  s.memberships.plan(plan, now, limit);
  // Packets change over to a table that is filled, from one that still is.
  const auto is_ready = [&](TableKey key) {
    return s.is_wanted(key) && s.tables.at(key)->is_open();
  };
  const auto comes = [&](TableKey key) { return s.comes(key); };
  if (plan.empty()) s.multicast_rules.plan_adds(plan, now, is_ready);
  if (plan.empty()) s.multicast_rules.plan_drops(plan, now, comes);
  if (plan.empty()) s.plan_closing(plan);
  return plan;
}

void Engine::acknowledge(const Op& op, const Result<void>& outcome, Milliseconds now) {
  state_->note_router_slot(op);
  std::visit(
      [&](const auto& step) {
        using Step = std::decay_t<decltype(step)>;
        if constexpr (std::is_same_v<Step, OpenTable>) {
          state_->acknowledge(step, outcome, now);
        } else if constexpr (std::is_same_v<Step, CloseTable>) {
          state_->acknowledge(step, outcome);
        } else if constexpr (requires { step.rule; }) {
          state_->multicast_rules.acknowledge(step, outcome, now);
        } else if constexpr (requires { state_->memberships.acknowledge(step, outcome, now); }) {
          state_->memberships.acknowledge(step, outcome, now);
        } else if constexpr (requires(Table& table) { table.acknowledge(step, outcome, now); }) {
          state_->tables.at(step.table)->acknowledge(step, outcome, now);
        }
      },
      op);
}

std::optional<Milliseconds> Engine::next_deadline() const {
  std::optional<Milliseconds> earliest;
  const auto consider = [&](std::optional<Milliseconds> deadline) {
    if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
  };
  consider(state_->memberships.next_deadline());
  consider(state_->opening_deadline());
  consider(state_->multicast_rules.next_deadline());
  for (const auto& [key, table] : state_->tables) {
    if (state_->is_wanted(*table)) consider(table->next_deadline());
  }
  return earliest;
}

std::vector<Notice> Engine::take_notices() {
  return std::exchange(state_->notices, {});
}

// --- Learned flows -------------------------------------------------------------------------------

std::vector<FlowKey> Engine::take_newly_learned() {
  std::vector<FlowKey> all;
  for (const auto& [key, table] : state_->tables) {
    const auto flows = table->take_newly_learned();
    all.insert(all.end(), flows.begin(), flows.end());
  }
  return all;
}

bool Engine::has_learned() const {
  return std::ranges::any_of(state_->tables, [](const auto& entry) {
    return !entry.second->learned().empty() || !entry.second->stops().empty();
  });
}

void Engine::learned_packets(TableKey table, const FlowKey& flow, std::uint64_t packets) {
  state_->tables.at(table)->learned_packets(flow, packets);
}

}  // namespace mcast
