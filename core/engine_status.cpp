// SPDX-License-Identifier: BSD-2-Clause
// What the engine tells people: show commands and the log.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/engine.hpp"
#include "core/engine_state.hpp"

namespace mcast {

namespace {

/// Rows looked at for one page at most, so that a page of rare rows does not take long.
constexpr std::uint64_t kRowsPerPage = 10'000;

std::vector<std::string> names_of(const std::vector<InterfacePattern>& patterns) {
  std::vector<std::string> names;
  for (const auto& pattern : patterns) names.push_back(pattern.to_string());
  return names;
}

}  // namespace

// --- Interfaces ----------------------------------------------------------------------------------

std::string Engine::State::oddity(const Link& link) const {
  if (link.leaving) return "on its way out";
  if (!link.usable()) return "not multicast capable (its MULTICAST flag is off)";
  if (!links.is_enabled(link)) return "disabled by phyint";
  if (link.master.value != 0 && !link.master_is_vrf) {
    const Link* master = links.find(link.master);
    const std::string name = master == nullptr ? "another interface" : master->name;
    return fmt::format("a port of {}: its traffic arrives on {}, use that in rules", name, name);
  }
  for (const auto& [key, table] : tables) {
    if (link.index.value > traits.of(key.family).max_ifindex) {
      return fmt::format(
          "no {} multicast: the kernel takes interface indexes up to {} only, this is {}",
          to_string(key.family), traits.of(key.family).max_ifindex, link.index.value);
    }
    const auto slot = table->slots().slot_of(link.index);
    if (slot && !table->slots()[*slot].error.empty()) return table->slots()[*slot].error;
  }
  return memberships.failure_on(link.index);
}

void Engine::State::note_link(const Link& link) {
  if (link.leaving) return;  // nothing odd: its removal follows
  std::string now = oddity(link);
  if (!now.empty()) {
    bool concerned = false;
    for (std::uint32_t id = 0; id < rules.paths.bound() && !concerned; ++id) {
      if (!rules.paths.is_live(id)) continue;
      const Path& path = rules.paths[id];
      const auto means = [&](const InterfacePattern& p) { return matches(p, link); };
      concerned = means(path.iif) || std::ranges::any_of(path.oifs, means);
    }
    if (!concerned) now.clear();
  }
  std::string& known = link_notes[link.index];
  if (known == now) return;
  known = now;
  if (!now.empty()) {
    notices.push_back({NoticeLevel::warning, fmt::format("interface {}: {}", link.name, now)});
  } else {
    notices.push_back(
        {NoticeLevel::info, fmt::format("interface {}: takes part again", link.name)});
  }
}

std::string Engine::State::waits_for(const Link& link) const {
  for (const auto& [key, table] : tables) {
    if (const std::string& why = table->why_waiting(link.index); !why.empty()) return why;
  }
  return {};
}

std::vector<InterfaceStatus> Engine::interfaces() const {
  const State& s = *state_;
  const auto bound_slot = [&](Family family, const Link& link) -> std::optional<VifIndex> {
    const auto table = s.tables.find({family, s.links.traffic_table(link, family)});
    if (table == s.tables.end()) return std::nullopt;
    const auto slot = table->second->slots().slot_of(link.index);
    if (!slot || !table->second->slots()[*slot].in_place()) return std::nullopt;
    return slot;
  };
  std::vector<InterfaceStatus> rows;
  for (const auto& [index, link] : s.links.all()) {
    rows.push_back({.index = index,
                    .name = link.name,
                    .table = s.links.traffic_table(link, Family::ipv4),
                    .vif = bound_slot(Family::ipv4, link),
                    .mif = bound_slot(Family::ipv6, link),
                    .up = link.up,
                    .note = s.oddity(link)});
    if (rows.back().note.empty()) rows.back().note = s.waits_for(link);
  }
  return rows;
}

// --- Rules ---------------------------------------------------------------------------------------

/// Why the pattern means no interface at the moment, as part of a table if one is given; empty if
/// it does. A wildcard that matches nothing is no fault.
std::string Engine::State::missing(const InterfacePattern& pattern, const Table* table) const {
  if (pattern.is_wildcard()) return {};
  const Link* link = links.find(pattern.stem());
  if (link == nullptr) return fmt::format("interface {} does not exist", pattern.stem());
  if (!links.counts(*link)) return fmt::format("interface {} is {}", link->name, oddity(*link));
  return table == nullptr ? std::string() : unusable(*link, *table);
}

std::string Engine::State::unusable(const Link& link, const Table& table) {
  const std::string why = table.why_unusable(link);
  return why.empty() ? why : fmt::format("interface {} {}", link.name, why);
}

std::string Engine::State::missing_inbound(const InterfacePattern& iif, const Domain& domain,
                                           const Table* table) const {
  const bool in_vrf = domain.kind == Domain::Kind::vrf;
  if (!iif.is_wildcard()) {
    if (std::string reason = missing(iif, table); !reason.empty() || !in_vrf) return reason;
    if (links.means(domain, iif, *links.find(iif.stem()))) return {};
    return fmt::format("interface {} is not in VRF {}", iif.stem(), domain.vrf);
  }
  std::string why;
  for (const auto& [index, link] : links.all()) {
    if (!links.counts(link)) continue;
    if (in_vrf ? !links.means(domain, iif, link) : !matches(iif, link)) continue;
    if (table != nullptr && !links.may_be_in(link, table->key())) continue;
    const std::string reason = table == nullptr ? std::string() : unusable(link, *table);
    if (reason.empty()) return {};
    if (why.empty()) why = reason;
  }
  if (!why.empty()) return why;
  return fmt::format("no interface{} matches {}", in_vrf ? " of VRF " + domain.vrf : "",
                     iif.to_string());
}

std::pair<RuleState, std::string> Engine::State::state_of(std::uint32_t id) const {
  const Table& table = table_of(rules[id]);
  if (rules[id].table == kNoTable) {
    const bool may_come = rules.path_of(id).domain.kind == Domain::Kind::vrf;
    return {may_come ? RuleState::waiting : RuleState::refused, why_nowhere(rules.path_of(id))};
  }
  if (!table.is_open()) {
    const std::string& why = table.why_not_open();
    return {RuleState::refused, why.empty() ? "its routing table is not open" : why};
  }
  const PathUse& use = table.use_of_rule(id);
  if (!use.refused.empty()) return {RuleState::refused, use.refused};
  const Path& path = rules.path_of(id);
  std::string reasons = missing_inbound(path.iif, path.domain, &table);
  bool waiting = !reasons.empty();
  const auto add_reason = [&](const std::string& reason) {
    if (!reasons.empty() && !reason.empty()) reasons += ", ";
    reasons += reason;
  };
  std::size_t absent = 0;
  for (const auto& oif : path.oifs) {
    const std::string reason = missing(oif, &table);
    if (!reason.empty()) ++absent;
    add_reason(reason);
  }
  waiting = waiting || (absent != 0 && absent == path.oifs.size());
  add_reason(use.partial);
  add_reason(misdirected(path, table.key()));
  if (const std::string why = table.why_not_native(rules[id]); !why.empty()) {
    add_reason("learned instead of native: " + why);
  }
  return {waiting ? RuleState::waiting : RuleState::active, std::move(reasons)};
}

std::pair<RuleState, std::string> Engine::State::state_of(const JoinRule& rule) const {
  if (memberships.is_too_large(rule)) {
    return {RuleState::refused,
            fmt::format("stands for more than {} joins", options.max_joins_per_rule)};
  }
  std::string reason = missing(rule.iif, nullptr);
  if (reason.empty() && rule.domain.kind == Domain::Kind::vrf) {
    reason = missing_inbound(rule.iif, rule.domain, nullptr);
  }
  if (!reason.empty()) return {RuleState::waiting, std::move(reason)};
  for (const auto& [index, failure] : memberships.failures()) {
    const Link* link = links.find(index);
    if (link != nullptr && links.means(rule.domain, rule.iif, *link))
      return {RuleState::refused, failure};
  }
  return {RuleState::active, {}};
}

std::optional<TableId> Engine::State::table_shown(const Rule& rule) const {
  return rule.table == kNoTable ? std::nullopt : std::optional(rule.table);
}

std::optional<TableId> Engine::State::table_shown(const JoinRule& rule) const {
  const auto found = tables_of({rule.iif, {}, rule.domain}, rule.group.family());
  if (found.size() != 1 || found.front() == kNoTable) return std::nullopt;
  return found.front();
}

std::optional<Path> Engine::State::path_of_row(std::uint32_t id) const {
  const Rule& rule = rules[id];
  Path path = rules.path_of(id);
  auto same = table_of(rule).rules_for(rule.source, rule.group, path.iif);
  if (same.size() == 1) return path;
  std::erase_if(same, [&](std::uint32_t other) {
    return rules[other].exception != rule.exception || rules.path_of(other).domain != path.domain ||
           (other != id && state_of(other).first != RuleState::active);
  });
  std::ranges::sort(same);
  if (same.front() != id) return std::nullopt;
  for (const std::uint32_t other : same) {
    for (const auto& oif : rules.path_of(other).oifs) {
      if (std::ranges::count(path.oifs, oif) == 0) path.oifs.push_back(oif);
    }
  }
  return path;
}

Page<RouteStatus> Engine::route_rules(RuleKind kind, std::uint64_t from, std::size_t limit) const {
  const State& s = *state_;
  Page<RouteStatus> page;
  std::uint64_t id = from;
  const std::uint64_t end = std::min<std::uint64_t>(s.rules.bound(), from + kRowsPerPage);
  for (; id < end && page.rows.size() < limit; ++id) {
    const auto rule_id = static_cast<std::uint32_t>(id);
    if (!s.rules.is_live(rule_id)) continue;
    const Rule& rule = s.rules[rule_id];
    if (rule.is_exact() != (kind == RuleKind::exact)) continue;
    auto [state, reason] = s.state_of(rule_id);
    auto path = state == RuleState::active ? s.path_of_row(rule_id) : s.rules.path_of(rule_id);
    if (!path) continue;
    page.rows.push_back({.source = rule.source,
                         .group = rule.group,
                         .path = std::move(*path),
                         .where = rule.where,
                         .state = state,
                         .reason = std::move(reason),
                         .native = rule.native,
                         .why_not_native = s.table_of(rule).why_not_native(rule),
                         .table = s.table_shown(rule)});
  }
  if (id < s.rules.bound()) page.next = id;
  return page;
}

namespace {

/// Positions in a table from here on are of native entries: the group's number and the entry's,
/// which has the lower six bits as there is at most one for each slot.
constexpr std::uint32_t kNativePosition = 0x80000000U;
constexpr unsigned kEntryBits = 6;
static_assert(1U << kEntryBits >= kMaxSlots);

/// What an entry does; none if nothing can arrive.
std::optional<KernelRoute> kernel_route(const Table& table, const FlowKey& flow,
                                        std::uint32_t shape_id) {
  const MfcShape& shape = table.shape(shape_id);
  if (!table.slots()[shape.parent].in_place()) return std::nullopt;
  KernelRoute row{.table = table.key(),
                  .flow = flow,
                  .iif = table.slots()[shape.parent].holder.name,
                  .oifs = {},
                  .native = flow.source.is_unspecified()};
  for (std::size_t i = 0; i < table.slots().size(); ++i) {
    const VifIndex out = slot_number(i);
    const Slot& slot = table.slots()[out];
    if (row.native && out == shape.parent) continue;
    if (shape.ttls[i] != 0 && slot.in_place()) row.oifs.push_back(slot.holder.name);
  }
  return row;
}

/// Adds native rows from `position` on; returns where to go on, 0 at the end.
std::uint32_t add_native_rows(const Table& table, std::uint32_t position, std::size_t limit,
                              std::vector<KernelRoute>& rows) {
  const auto& groups = table.native_groups();
  for (std::uint32_t id = (position - kNativePosition) >> kEntryBits; id < groups.size(); ++id) {
    const auto& installed = groups[id].installed;
    const std::uint32_t first = kNativePosition | id << kEntryBits;
    for (std::uint32_t i = position > first ? position - first : 0; i < installed.size(); ++i) {
      if (rows.size() == limit) return first + i;
      const Address& group = groups[id].group;
      auto row =
          kernel_route(table, {Address::unspecified(group.family()), group}, installed[i].shape);
      if (!row) continue;
      row->counted = i + 1 == installed.size();
      rows.push_back(std::move(*row));
    }
  }
  return 0;
}

}  // namespace

Page<KernelRoute> Engine::kernel_routes(std::uint64_t from, std::size_t limit) const {
  // The position is the table's ordinal in the upper and that within the table in the lower half:
  // the flow's number, or beyond these a native entry's.
  const State& s = *state_;
  Page<KernelRoute> page;
  std::uint64_t ordinal = from >> 32U;
  auto position = s.tables.begin();
  std::advance(position,
               static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(ordinal, s.tables.size())));
  std::uint64_t seen = 0;
  auto id = static_cast<std::uint32_t>(from & 0xffffffffU);
  for (; position != s.tables.end(); ++position, ++ordinal, id = 0) {
    const Table& table = *position->second;
    for (; id < table.flows().bound(); ++id) {
      if (page.rows.size() == limit || seen++ == kRowsPerPage) {
        page.next = ordinal << 32U | id;
        return page;
      }
      const Flow& flow = table.flows()[id];
      if (flow.has(Flow::kFree) || flow.observed == kNone) continue;
      auto row = kernel_route(table, flow.key, flow.observed);
      if (!row) continue;
      row->learned = flow.kind != Flow::Kind::fixed;
      page.rows.push_back(std::move(*row));
    }
    const std::uint32_t next =
        add_native_rows(table, std::max(id, kNativePosition), limit, page.rows);
    if (next == 0) continue;
    page.next = ordinal << 32U | next;
    return page;
  }
  return page;
}

/// The position is as that of kernel_routes.
Page<LearnedFlow> Engine::learned_flows(std::uint64_t from, std::size_t limit) const {
  const State& s = *state_;
  Page<LearnedFlow> page;
  std::uint64_t ordinal = 0;
  std::uint64_t seen = 0;
  for (const auto& [key, table] : s.tables) {
    if (ordinal < from >> 32U) {
      ++ordinal;
      continue;
    }
    auto id = static_cast<std::uint32_t>(ordinal == from >> 32U ? from & 0xffffffffU : 0);
    for (; id < table->flows().bound(); ++id) {
      if (page.rows.size() == limit || seen++ == kRowsPerPage) {
        page.next = ordinal << 32U | id;
        return page;
      }
      const Flow& flow = table->flows()[id];
      if (!flow.has(Flow::kFree) && flow.kind != Flow::Kind::fixed) {
        page.rows.push_back({key, flow.key});
      }
    }
    ++ordinal;
  }
  return page;
}

std::vector<JoinStatus> Engine::join_rules() const {
  std::vector<JoinStatus> rows;
  for (const JoinRule& rule : state_->memberships.rules()) {
    auto [state, reason] = state_->state_of(rule);
    rows.push_back({.rule = rule,
                    .state = state,
                    .reason = std::move(reason),
                    .table = state_->table_shown(rule)});
  }
  return rows;
}

std::vector<JoinGroupStatus> Engine::kernel_joins() const {
  return state_->memberships.joined();
}

Page<PendingStatus> Engine::pending(std::uint64_t from, std::size_t limit) const {
  const State& s = *state_;
  Page<PendingStatus> page;
  std::uint64_t id = from;
  const std::uint64_t end = std::min<std::uint64_t>(s.rules.bound(), from + kRowsPerPage);
  for (; id < end && page.rows.size() < limit; ++id) {
    const auto rule_id = static_cast<std::uint32_t>(id);
    if (!s.rules.is_live(rule_id)) continue;
    const Rule& rule = s.rules[rule_id];
    if (rule.exception) continue;  // waits for what its route waits for
    auto [state, reason] = s.state_of(rule_id);
    if (state == RuleState::active && reason.empty()) continue;
    const Path& path = s.rules.path_of(rule_id);
    page.rows.push_back({.kind = "mroute",
                         .iif = path.iif.to_string(),
                         .source = rule.source.is_any() ? std::nullopt : std::optional(rule.source),
                         .group = rule.group,
                         .oifs = names_of(path.oifs),
                         .reason = std::move(reason),
                         .domain = path.domain,
                         .table = s.table_shown(rule)});
  }
  if (id < s.rules.bound()) {
    page.next = id;
    return page;
  }
  for (const JoinRule& rule : s.memberships.rules()) {
    auto [state, reason] = s.state_of(rule);
    if (state == RuleState::active) continue;
    page.rows.push_back({.kind = "mgroup",
                         .iif = rule.iif.to_string(),
                         .source = rule.source,
                         .group = rule.group,
                         .oifs = {},
                         .reason = std::move(reason),
                         .domain = rule.domain,
                         .table = s.table_shown(rule)});
  }
  return page;
}

std::vector<TableStatus> Engine::tables() const {
  std::vector<TableStatus> rows;
  for (const auto& [key, table] : state_->tables) {
    if (!table->is_open() && !state_->is_wanted(*table)) continue;
    rows.push_back(table->status());
    rows.back().name = state_->name_of(key.id);
  }
  return rows;
}

std::vector<VrfStatus> Engine::vrfs() const {
  std::vector<VrfStatus> rows;
  for (const auto& [index, link] : state_->links.all()) {
    if (link.vrf_table.value != 0) rows.push_back({link.name, link.vrf_table});
  }
  return rows;
}

const std::vector<std::string>& Engine::files() const {
  return state_->files;
}

}  // namespace mcast
