// SPDX-License-Identifier: BSD-2-Clause
// Which routing tables there are, and which rule is in which: where the traffic of its inbound
// interfaces goes, as long as it does.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/backoff.hpp"
#include "core/engine_state.hpp"

namespace mcast {
namespace {

constexpr std::array kFamilies{Family::ipv4, Family::ipv6};

}  // namespace

// --- Where rules belong --------------------------------------------------------------------------

std::vector<TableId> Engine::State::tables_of(const Path& path, Family family) const {
  if (path.domain.kind == Domain::Kind::table) return {path.domain.table};
  if (path.domain.kind == Domain::Kind::vrf) {
    const Link* vrf = links.find_vrf(path.domain.vrf);
    return {vrf == nullptr ? kNoTable : vrf->vrf_table};
  }
  if (links.has_one_table()) return {links.default_table(family)};
  std::set<TableId> found;
  for (const auto& [index, link] : links.all()) {
    if (matches(path.iif, link)) found.insert(links.traffic_table(link, family));
  }
  if (!found.empty()) return {found.begin(), found.end()};
  if (path.iif.is_wildcard()) return {links.default_table(family)};
  return {links.traffic_table_of_absent(path.iif.stem(), family)};
}

void Engine::State::note_path(std::uint32_t path) {
  if (placements.size() <= path) placements.resize(path + std::size_t{1});
  const Path& what = rules.paths[path];
  placements[path] = {tables_of(what, Family::ipv4), tables_of(what, Family::ipv6)};
}

std::map<IfIndex, Engine::State::Routing> Engine::State::find_routing() const {
  std::map<IfIndex, Routing> found;
  if (links.has_one_table()) return found;
  for (const auto& [index, link] : links.all()) {
    found.emplace(index, Routing{.ipv4 = links.traffic_table(link, Family::ipv4),
                                 .ipv6 = links.traffic_table(link, Family::ipv6),
                                 .vrf = link.master_is_vrf ? link.master : IfIndex(),
                                 .own_table = link.vrf_table,
                                 .name = link.name,
                                 .altnames = link.altnames});
  }
  return found;
}

void Engine::State::settle() {
  if (!std::exchange(unsettled, false)) return;
  const bool allotted_anew = allot_tables();
  auto before = std::exchange(routing, find_routing());
  if (before != routing || allotted_anew) find_places(before);
  tell_false_vrfs();
  multicast_rules.set_wanted(wanted_multicast_rules(links));
}

void Engine::State::find_places(const std::map<IfIndex, Routing>& before) {
  const auto vrfs_of = [](const std::map<IfIndex, Routing>& all) {
    auto vrfs = all;
    std::erase_if(vrfs, [](const auto& entry) { return entry.second.own_table == TableId(); });
    return vrfs;
  };
  // A VRF's name and table decide about lines for it, although its members stay as they are.
  bool rerouted = vrfs_of(before) != vrfs_of(routing);
  rerouted =
      rerouted || std::ranges::any_of(routing, [&](const auto& entry) {
        const auto old = before.find(entry.first);
        return old == before.end() ? before.empty() : !old->second.is_routed_as(entry.second);
      });
  if (rerouted || routing.empty()) {
    for (const auto& [key, table] : tables) table->domains_changed();
    memberships.all_links_changed();
  }
  for (std::uint32_t path = 0; path < rules.paths.bound(); ++path) {
    const std::uint32_t first = rules.first_of_path(path);
    if (first == kNone) continue;
    const Placement old = std::exchange(placements[path], {});
    note_path(path);
    if (placements[path] == old) continue;
    std::vector<std::uint32_t> originals;
    for (std::uint32_t id = first; id != kNone; id = rules[id].next_of_path) {
      if (rules[id].original == kNone) originals.push_back(id);
    }
    std::ranges::sort(originals);
    for (const std::uint32_t id : originals) {
      move(id, placements[path].of(rules[id].group.family()));
    }
  }
}

// --- Interfaces spread over tables ---------------------------------------------------------------

std::vector<TableNeed> Engine::State::table_needs() const {
  std::vector<TableNeed> needs;
  std::map<std::string, std::size_t> known;
  const auto is_free = [&](const Link& link) {
    return links.claiming_table(link) == kNoTable && links.vrf_of(link) == nullptr;
  };
  const auto name_of_exact = [&](const InterfacePattern& pattern) {
    const Link* link = links.find(pattern.stem());
    return link == nullptr ? pattern.stem() : link->name;
  };
  const auto need_of = [&](const std::string& interface) -> TableNeed& {
    const auto [position, is_new] = known.try_emplace(interface, needs.size());
    if (is_new) needs.push_back({.interface = interface, .named = {}, .matched = {}});
    return needs[position->second];
  };
  for (std::uint32_t id = 0; id < rules.paths.bound(); ++id) {
    if (rules.first_of_path(id) == kNone) continue;
    const Path& path = rules.paths[id];
    if (path.domain.kind != Domain::Kind::automatic) continue;
    std::vector<std::string> inbound;
    std::vector<std::string> named;
    std::vector<std::string> matched;
    for (const auto& oif : path.oifs) {
      if (!oif.is_wildcard()) named.push_back(name_of_exact(oif));
    }
    const bool is_absent = !path.iif.is_wildcard() && links.find(path.iif.stem()) == nullptr;
    if (is_absent && links.claiming_table_of_absent(path.iif.stem()) == kNoTable) {
      inbound.push_back(path.iif.stem());
    }
    for (const auto& [index, link] : links.all()) {
      if (!is_free(link) || !links.counts(link)) continue;
      if (matches(path.iif, link)) inbound.push_back(link.name);
      const bool is_meant = std::ranges::any_of(path.oifs, [&](const InterfacePattern& oif) {
        return oif.is_wildcard() && matches(oif, link);
      });
      if (is_meant) matched.push_back(link.name);
    }
    for (const std::string& interface : inbound) {
      TableNeed& need = need_of(interface);
      need.named.insert(need.named.end(), named.begin(), named.end());
      need.matched.insert(need.matched.end(), matched.begin(), matched.end());
    }
  }
  return needs;
}

/// Tables that serve something else, or somebody else.
std::set<TableId> Engine::State::tables_taken() const {
  std::set<TableId> taken;
  for (const auto& [index, link] : links.all()) {
    if (link.vrf_table.value != 0) taken.insert(link.vrf_table);
  }
  for (std::uint32_t id = 0; id < rules.paths.bound(); ++id) {
    const bool used = rules.first_of_path(id) != kNone;
    if (used && rules.paths[id].domain.kind == Domain::Kind::table) {
      taken.insert(rules.paths[id].domain.table);
    }
  }
  for (const auto& [key, opening] : openings) {
    if (opening.failures != 0) taken.insert(key.id);
  }
  return taken;
}

bool Engine::State::allot_tables() {
  LinkTable::Allotment allotment;
  if (auto_tables) {
    allocator.set_range(auto_tables, tables_taken());
    const auto needs = table_needs();
    allocator.update(needs);
    for (const TableNeed& need : needs) {
      allotment[need.interface] = allocator.table_of(need.interface).value_or(kNoTable);
    }
  }
  if (allotment == links.allotment()) return false;
  links.set_allotment(std::move(allotment));
  return true;
}

// --- Multicast rules -----------------------------------------------------------------------------

/// Without an interface its rule is there in advance, so that its first packet finds it.
std::set<MulticastRule> Engine::State::wanted_multicast_rules(const LinkTable& facts) const {
  std::set<MulticastRule> wanted;
  if (traits.table_choice != TableChoice::rules) return wanted;
  const auto add = [&](const std::string& interface, TableId id) {
    for (const Family family : kFamilies) {
      const TableKey key{family, id};
      const bool declared = std::ranges::count(facts.declared_tables(), id, &TableRule::id) != 0;
      if (!declared && !is_wanted(key)) continue;
      for (const auto match : {MulticastRule::Match::inbound, MulticastRule::Match::sent}) {
        wanted.insert({.table = key, .match = match, .interface = interface});
      }
    }
  };
  for (const TableRule& rule : facts.declared_tables()) {
    for (const InterfacePattern& pattern : rule.iifs) {
      if (!pattern.is_wildcard() && facts.find(pattern.stem()) == nullptr) {
        add(pattern.stem(), rule.id);
      }
    }
  }
  for (const auto& [index, link] : facts.all()) {
    const TableId claiming = facts.claiming_table(link);
    if (claiming != kNoTable) add(link.name, claiming);
  }
  for (const auto& [interface, id] : facts.allotment()) {
    if (id != kNoTable) add(interface, id);
  }
  return wanted;
}

std::string Engine::State::misdirected(const Path& path, TableKey key) const {
  if (multicast_rules.wanted().empty()) return {};
  for (const auto& [index, link] : links.all()) {
    if (!links.accepts(path, link, key)) continue;
    if (std::string why = multicast_rules.problem(key, link.name); !why.empty()) return why;
  }
  return {};
}

// --- Records in tables ---------------------------------------------------------------------------

Table& Engine::State::table(TableKey key) {
  auto& table = tables[key];
  if (table == nullptr) {
    const Table::Limits limits{.stop_filters = options.max_stop_filters,
                               .learned = options.max_learned};
    table = std::make_unique<Table>(key, traits.of(key.family), limits, links, rules, notices);
    claim(*table);
  }
  return *table;
}

void Engine::State::place(std::uint32_t id) {
  const Family family = rules[id].group.family();
  const auto& where = placements[rules[id].path].of(family);
  rules[id].table = where.front();
  table({family, where.front()}).attach(id);
  for (std::size_t i = 1; i < where.size(); ++i) add_copy(id, where[i]);
}

void Engine::State::unplace(std::uint32_t id) {
  while (rules[id].next_copy != kNone) drop_copy(id, rules[id].next_copy);
  table_of(rules[id]).detach(id);
}

void Engine::State::add_copy(std::uint32_t original, TableId where) {
  Rule copy = rules[original];
  copy.original = original;
  copy.table = where;
  rules.paths.add_reference(copy.path);
  const std::uint32_t id = rules.add(copy);
  rules[original].next_copy = id;
  table({copy.group.family(), where}).attach(id);
}

void Engine::State::drop_copy(std::uint32_t original, std::uint32_t copy) {
  std::uint32_t* link = &rules[original].next_copy;
  while (*link != copy) link = &rules[*link].next_copy;
  *link = rules[copy].next_copy;
  table_of(rules[copy]).detach(copy);
  rules.remove(copy);
}

/// What stays in a table is not touched there.
void Engine::State::move(std::uint32_t id, const std::vector<TableId>& to) {
  const Family family = rules[id].group.family();
  std::vector<TableId> missing = to;
  const auto keep = [&](std::uint32_t record) {
    return std::erase(missing, rules[record].table) != 0;
  };
  const bool stays = keep(id);
  for (std::uint32_t copy = rules[id].next_copy; copy != kNone;) {
    const std::uint32_t next = rules[copy].next_copy;
    if (!keep(copy)) drop_copy(id, copy);
    copy = next;
  }
  if (!stays) {
    table_of(rules[id]).detach(id);
    if (missing.empty()) {
      // All places are taken by copies: it takes over that of one of them.
      missing.push_back(rules[rules[id].next_copy].table);
      drop_copy(id, rules[id].next_copy);
    }
    rules[id].table = missing.back();
    missing.pop_back();
    table({family, rules[id].table}).attach(id);
  }
  for (const TableId where : missing) add_copy(id, where);
}

// --- Tables --------------------------------------------------------------------------------------

void Engine::State::declare_tables(const Config& config) {
  const auto is_automatic = [](const auto& line) {
    return line.domain.kind == Domain::Kind::automatic;
  };
  default_always = config.tables.empty() && !config.auto_tables &&
                   std::ranges::all_of(config.joins, is_automatic) &&
                   std::ranges::all_of(config.interfaces, is_automatic);
  for (std::uint32_t i = 0; default_always && i < config.paths.size(); ++i) {
    default_always = is_automatic(config.paths[PathId{i}]);
  }
  auto_tables = config.auto_tables;
  std::erase_if(openings, [](const auto& entry) { return !entry.second.given_up; });
  links.declare_tables(config.tables);
  for (const TableRule& rule : config.tables) {
    for (const Family family : kFamilies) table({family, rule.id});
  }
  unsettled = true;
}

bool Engine::State::is_wanted(TableKey key) const {
  const auto found = tables.find(key);
  return found != tables.end() && is_wanted(*found->second);
}

bool Engine::State::comes(TableKey key) const {
  const auto found = tables.find(key);
  if (found == tables.end() || !is_wanted(*found->second)) return false;
  const auto opening = openings.find(key);
  if (found->second->is_open() || opening == openings.end()) return true;
  // One that failed before may take for ever: another program has it.
  return !opening->second.given_up && opening->second.failures == 0;
}

bool Engine::State::is_wanted(const Table& table) const {
  const TableKey key = table.key();
  if (key.id == kNoTable) return false;
  if (table.has_rules()) return true;
  if (traits.of(key.family).table_is_the_kernels) return false;
  if (key == default_table(key.family)) return default_always || table.is_claimed();
  return std::ranges::count(links.declared_tables(), key.id, &TableRule::id) != 0;
}

void Engine::State::plan_opening(Plan& plan, Milliseconds now) {
  for (const auto& [key, table] : tables) {
    if (table->is_open() || !is_wanted(*table)) continue;
    const Opening& opening = openings[key];
    if (!opening.given_up && opening.retry_at <= now) plan.emplace_back(OpenTable{key});
  }
}

void Engine::State::acknowledge(const OpenTable& op, const Result<void>& outcome,
                                Milliseconds now) {
  Opening& opening = openings[op.table];
  Table& opened = table(op.table);
  const std::string name =
      fmt::format("{} table {}", to_string(op.table.family), op.table.id.value);
  if (outcome) {
    if (opening.failures != 0) {
      notices.push_back({NoticeLevel::info, fmt::format("{}: open now", name)});
    }
    opening = {};
    opened.opened();
    note_all_routers();
    return;
  }
  if (opened.why_not_open() != outcome.error().message) {
    notices.push_back({NoticeLevel::error, outcome.error().message});
  }
  opened.lost(outcome.error().message);
  opening.given_up = outcome.error().code == ErrorCode::no_kernel_support;
  opening.retry_at = now + backoff(opening.failures++);
  unsettled = unsettled || auto_tables;  // its interfaces may find another one
}

/// The kernel forgets what a table holds when it is closed.
void Engine::State::plan_closing(Plan& plan) {
  std::erase_if(tables, [&](const auto& entry) {
    const auto& [key, table] = entry;
    return !table->is_open() && !table->has_rules() && !is_wanted(*table) &&
           key != default_table(key.family);
  });
  for (const auto& [key, table] : tables) {
    const bool is_left = table->is_open() && !is_wanted(*table);
    if (is_left && !multicast_rules.points_at(key)) plan.emplace_back(CloseTable{key});
  }
}

void Engine::State::acknowledge(const CloseTable& op, const Result<void>& outcome) {
  if (!outcome) {
    notices.push_back({NoticeLevel::error, outcome.error().message});
    return;
  }
  note_all_routers();
  table(op.table).lost({});
  openings.erase(op.table);
  if (op.table != default_table(op.table.family)) tables.erase(op.table);
}

std::optional<Milliseconds> Engine::State::opening_deadline() const {
  std::optional<Milliseconds> earliest;
  for (const auto& [key, opening] : openings) {
    const auto table = tables.find(key);
    if (opening.given_up || opening.failures == 0 || table == tables.end()) continue;
    if (table->second->is_open() || !is_wanted(*table->second)) continue;
    if (!earliest || opening.retry_at < *earliest) earliest = opening.retry_at;
  }
  return earliest;
}

std::string Engine::State::name_of(TableId table) const {
  const auto& declared = links.declared_tables();
  const auto rule = std::ranges::find(declared, table, &TableRule::id);
  if (rule != declared.end() && !rule->name.empty()) return rule->name;
  const Link* vrf = links.find_vrf(table);
  return vrf != nullptr ? vrf->name : std::string();
}

void Engine::State::tell_false_vrfs() {
  std::map<std::string, std::string> now;
  const auto look = [&](const Domain& domain) {
    if (const auto checked = check_vrf(domain); !checked) now[domain.vrf] = checked.error().message;
  };
  for (std::uint32_t id = 0; id < rules.paths.bound(); ++id) {
    if (rules.first_of_path(id) != kNone) look(rules.paths[id].domain);
  }
  for (const JoinRule& rule : memberships.rules()) look(rule.domain);
  for (const InterfaceRule& rule : links.rules()) look(rule.domain);
  for (const auto& [name, why] : now) {
    if (false_vrfs.contains(name)) continue;
    notices.push_back({NoticeLevel::warning, why + "; what is for it waits"});
  }
  false_vrfs.clear();
  for (const auto& [name, why] : now) false_vrfs.insert(name);
}

Result<void> Engine::State::check_vrf(const Domain& domain) const {
  if (domain.kind != Domain::Kind::vrf || links.find(domain.vrf) == nullptr ||
      links.find_vrf(domain.vrf) != nullptr) {
    return {};
  }
  return fail(ErrorCode::invalid_argument, why_nowhere({{}, {}, domain}));
}

std::string Engine::State::why_nowhere(const Path& path) const {
  if (path.domain.kind == Domain::Kind::automatic) {
    for (const auto& [interface, table] : links.allotment()) {
      if (table == kNoTable && path.iif.matches(interface)) return allocator.why_not(interface);
    }
  }
  const std::string& name = path.domain.vrf;
  const Link* link = links.find(name);
  if (link == nullptr) return fmt::format("VRF {} does not exist", name);
  return fmt::format("\"{}\" is no VRF but {}", name,
                     link->kind.empty() ? "an interface" : "a " + link->kind);
}

}  // namespace mcast
