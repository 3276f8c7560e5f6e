// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/table_histories.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <sstream>

namespace mcast::testing {

TablesUniverse small_universe_of_tables(const KernelTraits& traits, bool templates) {
  TablesUniverse universe{
      .names = {"e0", "e1", "e2", "e3", "e4", "f0", "f1", "f2", "f3"},
      .vrfs = {"red", "blue", "green"},
      .vrf_tables = {10, 20, 30, 40},
      .tables = {10, 100, 200, 253},
      .patterns = {"e0", "e1", "e2", "f0", "f1", "e+", "f+", "+"},
      .sources_ipv4 = {"10.0.0.1"},
      .groups_ipv4 = {"225.0.0.1", "225.0.0.2"},
      .sources_ipv6 = {"fd00::1"},
      .groups_ipv6 = {"ff35::1"},
  };
  if (traits.table_choice == TableChoice::interface) {
    universe.vrfs.clear();
    universe.vrf_tables.clear();
    universe.tables.clear();
    for (std::uint32_t fib = 1; fib <= traits.ipv4.max_table; ++fib) universe.tables.push_back(fib);
  }
  if (templates) {
    for (const char* range : {"", "10.0.0.0/24"}) universe.sources_ipv4.emplace_back(range);
    universe.groups_ipv4.emplace_back("225.0.0.0/16");
    universe.sources_ipv6.emplace_back("");
  }
  return universe;
}

namespace {

template <class T>
T one_of(const std::vector<T>& values) {
  return *rc::gen::elementOf(values);
}

unsigned number(unsigned below) {
  return *rc::gen::inRange(0U, below);
}

DomainText domain(const TablesUniverse& universe) {
  const unsigned kind = number(5);
  if (kind == 0) return {.is_vrf = false, .name = std::to_string(one_of(universe.tables))};
  if (kind < 3 && !universe.vrfs.empty()) return {.is_vrf = true, .name = one_of(universe.vrfs)};
  return {};
}

TableRoute route(const TablesUniverse& universe) {
  const bool ipv4 = number(3) != 0;
  TableRoute rule{.domain = domain(universe),
                  .route = {.iif = one_of(universe.patterns),
                            .source = one_of(ipv4 ? universe.sources_ipv4 : universe.sources_ipv6),
                            .group = one_of(ipv4 ? universe.groups_ipv4 : universe.groups_ipv6),
                            .oifs = {}}};
  for (unsigned n = number(4); n > 0; --n) rule.route.oifs.push_back(one_of(universe.patterns));
  return rule;
}

TableJoin join(const TablesUniverse& universe) {
  const bool ipv4 = number(2) != 0;
  const auto& sources = ipv4 ? universe.sources_ipv4 : universe.sources_ipv6;
  DomainText where = domain(universe);
  if (!where.is_vrf) where = {};
  return {.domain = where,
          .join = {.iif = one_of(universe.patterns),
                   .source = number(2) != 0 ? "" : sources.front(),
                   .group = (ipv4 ? universe.groups_ipv4 : universe.groups_ipv6).front()}};
}

/// No pattern is claimed twice, and none at all where that is not for us to say.
std::vector<TableText> declarations(const TablesUniverse& universe) {
  std::vector<TableText> tables;
  const bool has_fibs = universe.vrfs.empty();
  for (const std::uint32_t id : has_fibs ? universe.tables : std::vector<std::uint32_t>{100, 200}) {
    if (number(3) == 0) tables.push_back({id, {}});
  }
  if (tables.empty() || has_fibs) return tables;
  for (const std::string& pattern : universe.patterns) {
    if (pattern == "+" || number(4) != 0) continue;
    tables[number(static_cast<unsigned>(tables.size()))].iifs.push_back(pattern);
  }
  return tables;
}

TablesText rules(const TablesUniverse& universe) {
  TablesText text{.tables = declarations(universe), .routes = {}, .joins = {}};
  for (unsigned n = number(6); n > 0; --n) text.routes.push_back(route(universe));
  for (unsigned n = number(2); n > 0; --n) text.joins.push_back(join(universe));
  return text;
}

bool is_about_vrfs(TableAction a) {
  return a == TableAction::add_vrf || a == TableAction::recreate_vrf ||
         a == TableAction::flush_multicast_rules;
}

TableAction action(bool has_vrfs, bool storms, bool traffic) {
  static const std::vector<std::pair<std::size_t, TableAction>> always = {
      {10, TableAction::add_link},        {6, TableAction::add_vrf},
      {4, TableAction::remove_link},      {4, TableAction::recreate_vrf},
      {4, TableAction::rename_link},      {2, TableAction::swap_names},
      {14, TableAction::enslave},         {6, TableAction::release},
      {1, TableAction::toggle_multicast}, {6, TableAction::configure},
      {1, TableAction::configure_same},   {8, TableAction::add_route},
      {4, TableAction::remove_route},     {2, TableAction::add_join},
      {1, TableAction::remove_join}};
  std::vector<TableAction> all;
  const auto take = [&](std::size_t weight, TableAction a) { all.insert(all.end(), weight, a); };
  for (const auto& [weight, a] : always) take(weight, a);
  if (traffic) take(8, TableAction::traffic);
  if (storms) {
    take(5, TableAction::fault);
    take(2, TableAction::lose_events);
    take(2, TableAction::disorder_events);
    take(1, TableAction::flush_multicast_rules);
  }
  if (!has_vrfs) std::erase_if(all, is_about_vrfs);
  return one_of(all);
}

TableCommand command(const TablesUniverse& universe, bool storms, bool traffic) {
  TableCommand next;
  next.action = action(!universe.vrfs.empty(), storms, traffic);
  next.a = number(64);
  next.b = number(64);
  next.c = number(64);
  next.then = number(storms ? 8 : 5);
  if (next.action == TableAction::configure) next.rules = rules(universe);
  if (next.action == TableAction::add_route) next.rules.routes = {route(universe)};
  if (next.action == TableAction::add_join) next.rules.joins = {join(universe)};
  return next;
}

/// What an oracle objects, with everything that led to it; none if none does.
std::optional<std::string> objection(const TableHistory& history, const TableSearch& search) {
  TablesWorld world(search.traits, small_universe_of_tables(search.traits, search.traffic));
  if (history.size() > 1000) world.keep_log_short();
  try {
    for (const TableCommand& next : history) world.perform(next);
    world.finish();
  } catch (const Objection& objection) {
    return fmt::format("{}\nafter\n{}", objection.what(), fmt::join(world.log(), "\n"));
  }
  return std::nullopt;
}

/// Takes away what can go while the history still fails: large parts first.
TableHistory shortened(TableHistory history, const TableSearch& search) {
  for (std::size_t part = history.size() / 2; part > 0;) {
    bool went = false;
    for (std::size_t first = 0; first + part <= history.size();) {
      TableHistory rest = history;
      const auto begin = rest.begin() + static_cast<std::ptrdiff_t>(first);
      rest.erase(begin, begin + static_cast<std::ptrdiff_t>(part));
      const bool fails = objection(rest, search).has_value();
      if (fails) history = std::move(rest);
      went = went || fails;
      if (!fails) first += part;
    }
    if (!went || part > history.size()) part /= 2;
  }
  return history;
}

}  // namespace

rc::Gen<TableCommand> table_commands(const TablesUniverse& universe, bool storms, bool traffic) {
  return rc::gen::exec([=] { return command(universe, storms, traffic); });
}

bool all_table_histories_pass(const TableSearch& search, int count) {
  rc::detail::TestMetadata metadata;
  metadata.id = metadata.description = "histories of tables";
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  // As in all_pass().
  params.maxSuccess = count * params.maxSuccess / 100;
  const auto universe = small_universe_of_tables(search.traits, search.traffic);
  const auto property = [&] {
    const auto history =
        *rc::gen::container<TableHistory>(table_commands(universe, search.storms, search.traffic));
    if (const auto objected = objection(history, search)) throw Objection(*objected);
  };
  const auto result = rc::detail::checkTestable(property, metadata, params);
  if (result.template is<rc::detail::SuccessResult>()) return true;
  rc::detail::printResultMessage(result, std::cerr);
  std::cerr << "\nRC_PARAMS=\"seed=" << params.seed << "\" repeats it\n";
  return false;
}

bool long_table_history_passes(const TableSearch& search, std::size_t commands,
                               std::uint64_t seed) {
  const auto universe = small_universe_of_tables(search.traits, search.traffic);
  const auto history = rc::gen::container<TableHistory>(
                           commands, table_commands(universe, search.storms, search.traffic))(
                           rc::Random(seed), rc::kNominalSize)
                           .value();
  if (!objection(history, search)) return true;
  const TableHistory shortest = shortened(history, search);
  std::cerr << "seed " << seed << " fails; so do these " << shortest.size() << " commands\n";
  for (const TableCommand& next : shortest) std::cerr << next << '\n';
  std::cerr << objection(shortest, search).value_or("(not any more)") << '\n';
  return false;
}

}  // namespace mcast::testing
