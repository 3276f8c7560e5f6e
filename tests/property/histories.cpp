// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/histories.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>

namespace mcast::testing {

Universe small_universe(Rules rules) {
  Universe universe{
      .names = {"lo", "e0", "e1", "e2", "e3", "f0", "f1"},
      .altnames = {"e9", "x"},
      .patterns = {"e0", "e1", "e2", "f0", "f1", "e+", "f+", "+", "e9", "x", "lo"},
      .sources_ipv4 = {"10.0.0.1", "10.0.0.2"},
      .groups_ipv4 = {"225.0.0.1", "225.0.0.2"},
      .sources_ipv6 = {"fd00::1"},
      .groups_ipv6 = {"ff35::1", "ff35::2"},
  };
  if (rules != Rules::exact) {
    for (const char* range : {"", "10.0.0.0/24"}) universe.sources_ipv4.emplace_back(range);
    universe.groups_ipv4.emplace_back("225.0.0.0/16");
    universe.sources_ipv6.emplace_back("");
    universe.groups_ipv6.emplace_back("ff35::/32");
  }
  if (rules == Rules::native) {
    universe.native = true;
    universe.sources_ipv4.insert(universe.sources_ipv4.end(), 4, "");  // more often than others
    universe.sources_ipv6.insert(universe.sources_ipv6.end(), 2, "");
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

std::vector<std::string> some_patterns(const Universe& universe) {
  std::vector<std::string> patterns;
  for (unsigned n = number(4); n > 0; --n) patterns.push_back(one_of(universe.patterns));
  return patterns;
}

RouteText route(const Universe& universe) {
  const bool ipv4 = number(3) != 0;
  RouteText route{.iif = one_of(universe.patterns),
                  .source = one_of(ipv4 ? universe.sources_ipv4 : universe.sources_ipv6),
                  .group = one_of(ipv4 ? universe.groups_ipv4 : universe.groups_ipv6),
                  .oifs = some_patterns(universe)};
  const bool may_be_native = route.source.empty() && route.group.find('/') == std::string::npos;
  route.native = universe.native && may_be_native && number(3) != 0;
  return route;
}

JoinText join(const Universe& universe) {
  const bool ipv4 = number(2) != 0;
  const auto& sources = ipv4 ? universe.sources_ipv4 : universe.sources_ipv6;
  return {.iif = one_of(universe.patterns),
          .source = number(2) != 0 ? "" : sources.front(),
          .group = ipv4 ? one_of(std::vector<std::string>{"225.0.0.1", "232.0.0.0/30"})
                        : universe.groups_ipv6.front()};
}

RulesText rules(const Universe& universe, unsigned most_routes) {
  RulesText text;
  for (unsigned n = number(most_routes + 1); n > 0; --n) text.routes.push_back(route(universe));
  for (unsigned n = number(3); n > 0; --n) text.joins.push_back(join(universe));
  for (const std::string& pattern : universe.patterns) {
    if (number(12) != 11) continue;
    static const std::vector<unsigned> thresholds{1, 10, 128};
    text.interfaces.push_back({pattern, number(2) == 0, one_of(thresholds)});
  }
  return text;
}

/// Rules come in every second or third command, so that there is always something to do.
Action action(const Weather& weather) {
  static const std::vector<std::pair<std::size_t, Action>> always = {
      {12, Action::add_link},   {5, Action::remove_link}, {4, Action::replace_link},
      {4, Action::rename_link}, {3, Action::swap_names},  {3, Action::toggle_altname},
      {3, Action::toggle_flag}, {5, Action::configure},   {1, Action::configure_same},
      {8, Action::traffic},     {1, Action::flush},       {2, Action::add_join},
      {2, Action::remove_join}};
  std::vector<Action> all;
  const auto take = [&](std::size_t weight, Action a) { all.insert(all.end(), weight, a); };
  for (const auto& [weight, a] : always) take(weight, a);
  if (weather.addresses) {
    take(4, Action::give_address);
    take(3, Action::take_address);
    take(3, Action::share_address);
  }
  if (weather.commands) {
    take(8, Action::add_route);
    take(4, Action::remove_route);
    take(3, Action::transaction);
  } else {
    take(8, Action::configure);
  }
  if (weather.faults) {
    take(5, Action::fault);
    take(1, Action::lose_table);
  }
  if (weather.bad_events) {
    take(2, Action::lose_events);
    take(2, Action::disorder_events);
  }
  return one_of(all);
}

Command command(const Universe& universe, const Weather& weather) {
  Command next;
  next.action = action(weather);
  next.a = number(64);
  next.b = number(64);
  next.c = number(64);
  next.then = number(weather.bad_events ? 8 : 5);
  switch (next.action) {
    case Action::configure:
      next.rules = rules(universe, 5);
      break;
    case Action::add_route:
    case Action::remove_route:
      next.rules.routes = {route(universe)};
      break;
    case Action::add_join:
      next.rules.joins = {join(universe)};
      break;
    case Action::transaction:
      next.rules = rules(universe, 2);
      next.rules.interfaces.clear();
      break;
    default:
      break;
  }
  return next;
}

}  // namespace

rc::Gen<History> histories(const Universe& universe, Weather weather) {
  return rc::gen::container<History>(rc::gen::exec([=] { return command(universe, weather); }));
}

void live_through(const History& history, const KernelTraits& traits, const Universe& universe,
                  MakeSaboteur sabotage) {
  World world(traits, universe, sabotage);
  try {
    for (const Command& next : history) world.perform(next);
    world.finish();
  } catch (const Objection& objection) {
    throw Objection(fmt::format("{}\nafter\n{}", objection.what(), fmt::join(world.log(), "\n")));
  }
}

bool all_pass(const Search& search) {
  rc::detail::TestMetadata metadata;
  metadata.id = metadata.description = "histories";
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  // rapidcheck's own default is 100: `max_success` in RC_PARAMS is a percentage here.
  params.maxSuccess = search.count * params.maxSuccess / 100;
  params.disableShrinking = !search.report;
  Weather weather = search.weather;
  weather.addresses = search.traits.ipv4.bind_needs_address;
  const auto property = [&] {
    const History history = *histories(search.universe, weather);
    live_through(history, search.traits, search.universe, search.sabotage);
  };
  const auto result = rc::detail::checkTestable(property, metadata, params);
  const bool passed = result.template is<rc::detail::SuccessResult>();
  if (search.report && !passed) {
    rc::detail::printResultMessage(result, std::cerr);
    std::cerr << "\nRC_PARAMS=\"seed=" << params.seed << "\" repeats it\n";
  }
  return passed;
}

}  // namespace mcast::testing
