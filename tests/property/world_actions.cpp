// SPDX-License-Identifier: BSD-2-Clause
// What commands do to the world.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <ostream>
#include <utility>

#include "tests/property/world.hpp"

namespace mcast::testing {

namespace {

constexpr std::array kActionNames = {
    "add_link",       "remove_link",     "replace_link", "rename_link",  "swap_names",
    "toggle_altname", "toggle_flag",     "give_address", "take_address", "share_address",
    "configure",      "configure_same",  "add_route",    "remove_route", "add_join",
    "remove_join",    "transaction",     "traffic",      "flush",        "fault",
    "lose_events",    "disorder_events", "lose_table"};

bool same_route(const RouteText& a, const RouteText& b) {
  return a.iif == b.iif && a.source == b.source && a.group == b.group;
}

/// Whether a rule of the same route says that it is to be native.
bool is_native(const RouteText& rule, const std::vector<RouteText>& routes) {
  return std::ranges::any_of(
      routes, [&](const RouteText& other) { return other.native && same_route(rule, other); });
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Command& command) {
  out << kActionNames.at(static_cast<std::size_t>(command.action)) << ' ' << command.a << ' '
      << command.b << ' ' << command.c << " then " << command.then;
  if (command.rules != RulesText{}) out << '\n' << to_string(command.rules);
  return out;
}

void World::act(const Command& command) {
  switch (command.action) {
    case Action::add_link:
    case Action::remove_link:
    case Action::replace_link:
    case Action::rename_link:
    case Action::swap_names:
    case Action::toggle_altname:
    case Action::toggle_flag:
      return act_on_links(command);
    case Action::give_address:
    case Action::take_address:
    case Action::share_address:
      return act_on_addresses(command);
    case Action::traffic: {
      const IfIndex from = pick(command.a);
      if (from.value == 0) return;
      const FlowKey& flow = flows_[command.b % flows_.size()];
      const auto& present = kernel_.links().at(from);
      log_.push_back(fmt::format("traffic {} from {}", flow.to_string(), present.link.name));
      return traffic(present.device, flow, command.c % 4 != 0);
    }
    case Action::flush:
      log_.emplace_back("flush");
      engine_.flush_learned();
      for (const Family family : {Family::ipv4, Family::ipv6}) oracle_.forget_traffic(family);
      return;
    case Action::fault:
      return add_fault(command);
    case Action::lose_events:
      log_.emplace_back("lose events");
      return kernel_.lose_events();
    case Action::disorder_events:
      log_.emplace_back("disorder events");
      return kernel_.disorder_events(command.a);
    case Action::lose_table:
      log_.emplace_back("lose table");
      return lose_table(command.a % 2 == 0 ? Family::ipv4 : Family::ipv6);
    default:
      return act_on_rules(command);
  }
}

void World::add_fault(const Command& command) {
  // What a kernel can answer to a step that it could as well have carried out.
  constexpr std::array kFaults = {ErrorCode::os, ErrorCode::no_permission, ErrorCode::limit_reached,
                                  ErrorCode::invalid_argument};
  const ErrorCode code = kFaults[command.b % kFaults.size()];
  log_.push_back(fmt::format("fault in call {}", 1 + command.a % 8));
  kernel_.fail_call(1 + command.a % 8, code);
}

IfIndex World::pick(unsigned which) const {
  const auto& links = kernel_.links();
  if (links.empty()) return {};
  return std::next(links.begin(), static_cast<std::ptrdiff_t>(which % links.size()))->first;
}

void World::add_link(const std::string& name, IfIndex index, std::uint64_t incarnation) {
  Link link;
  link.name = name;
  link.index = kernel_.links().contains(index) ? IfIndex() : index;
  link.incarnation = incarnation;
  link.up = true;
  link.loopback = name == "lo";
  link.multicast = !link.loopback;
  link.addresses = {next_address(),
                    Address::parse(fmt::format("fe80::{:x}", addresses_made_)).value()};
  // Now and then its address comes later.
  if (addresses_made_ % 3 == 0) link.addresses.erase(link.addresses.begin());
  kernel_.add_link(std::move(link));
}

Address World::next_address() {
  ++addresses_made_;
  return Address::from_v4(
      std::array<std::uint8_t, 4>{10, 9, static_cast<std::uint8_t>(addresses_made_ >> 8U),
                                  static_cast<std::uint8_t>(addresses_made_)});
}

void World::act_on_addresses(const Command& command) {
  const IfIndex index = pick(command.a);
  if (index.value == 0) return;
  std::vector<Address> own;
  std::ranges::copy_if(kernel_.links().at(index).link.addresses, std::back_inserter(own),
                       [](const Address& a) { return a.family() == Family::ipv4; });
  const auto change = [&](const char* what, IfIndex which, const auto& edit) {
    log_.push_back(fmt::format("{} {}", what, kernel_.links().at(which).link.name));
    kernel_.change_link(which, edit);
  };
  switch (command.action) {
    case Action::give_address: {
      const Address address = next_address();
      return change("give an address to", index,
                    [&](Link& link) { link.addresses.push_back(address); });
    }
    case Action::take_address:
      return change("take addresses from", index, [&](Link& link) {
        std::erase_if(link.addresses, [&](const Address& address) {
          return address.family() == Family::ipv4 &&
                 (command.c % 2 == 0 || address == own[command.c % own.size()]);
        });
      });
    default: {
      const IfIndex other = pick(command.b);
      if (own.empty() || other == index) return;
      return change("share an address with", other,
                    [&](Link& link) { link.addresses.push_back(own.front()); });
    }
  }
}

/// Whether a re-created interface looks like the old one. Where the kernel keeps slots of departed
/// interfaces, nothing could tell that it is another one.
bool World::hides_replacement(const Command& command) const {
  return (command.b / 2) % 2 == 1 && kernel_.traits().ipv6.departure_unbinds;
}

void World::act_on_links(const Command& command) {
  const auto& names = universe_.names;
  if (command.action == Action::add_link) {
    const std::string& name = names[command.a % names.size()];
    if (kernel_.find_link(name) != nullptr) return;
    log_.push_back("add link " + name);
    const auto former = former_.find(name);
    const bool same = command.b % 2 == 1 && former != former_.end();
    return add_link(name, same ? former->second.index : IfIndex(), 0);
  }
  const IfIndex index = pick(command.a);
  if (index.value == 0) return;
  const Link link = kernel_.links().at(index).link;
  log_.push_back(
      fmt::format("{} {}", kActionNames.at(static_cast<std::size_t>(command.action)), link.name));
  const auto rename = [&](IfIndex which, const std::string& to) {
    kernel_.rename_link(which, to);
    // Such a kernel forgets the entries: traffic has to bring them back.
    if (kernel_.traits().ipv4.rename_is_departure) oracle_.doubt_traffic();
    oracle_.intend(rules_);
    oracle_.judge_step();
  };
  switch (command.action) {
    case Action::replace_link:
    case Action::remove_link:
      former_[link.name] = link;
      kernel_.remove_link(index);
      if (command.action == Action::remove_link) return;
      oracle_.intend(rules_);
      return add_link(link.name, command.b % 2 == 1 ? index : IfIndex(),
                      hides_replacement(command) ? link.incarnation : 0);
    case Action::rename_link: {
      const std::string& to = names[command.b % names.size()];
      if (kernel_.find_link(to) == nullptr) rename(index, to);
      return;
    }
    case Action::swap_names: {
      const IfIndex other = pick(command.b);
      const std::string name = kernel_.links().at(other).link.name;
      if (other == index) return;
      rename(index, "swap");
      rename(other, link.name);
      return rename(index, name);
    }
    case Action::toggle_altname: {
      const std::string& altname = universe_.altnames[command.b % universe_.altnames.size()];
      for (const auto& [owner, present] : kernel_.links()) {
        if (std::ranges::count(present.link.altnames, altname) == 0) continue;
        return kernel_.change_link(owner, [&](Link& l) { std::erase(l.altnames, altname); });
      }
      return kernel_.change_link(index, [&](Link& l) { l.altnames.push_back(altname); });
    }
    default:
      return kernel_.change_link(index, [&](Link& l) {
        bool& flag = command.b % 2 == 1 ? l.up : l.multicast;
        flag = !flag;
      });
  }
}

void World::act_on_rules(const Command& command) {
  const RulesText& given = command.rules;
  switch (command.action) {
    case Action::configure:
      return configure(given);
    case Action::configure_same:
      log_.emplace_back("configure the same");
      return configure(rules_);
    case Action::add_route:
      for (const auto& rule : given.routes) add(rule, rules_);
      return;
    case Action::add_join:
      for (const auto& rule : given.joins) add(rule, rules_);
      return;
    case Action::remove_route: {
      RouteText rule;
      if (command.b % 2 == 1) {
        if (given.routes.empty()) return;
        rule = given.routes.front();
      } else {
        if (rules_.routes.empty()) return;
        rule = rules_.routes[command.a % rules_.routes.size()];
        rule.oifs.resize(std::min<std::size_t>(rule.oifs.size(), command.c % 2));
      }
      return remove(rule);
    }
    case Action::remove_join: {
      if (rules_.joins.empty()) return;
      const JoinText rule = rules_.joins[command.a % rules_.joins.size()];
      log_.push_back("leave: " + to_string(rule));
      if (!engine_.leave(parse_join_words(words(rule)).value())) throw Objection("leave failed");
      std::erase(rules_.joins, rule);
      return;
    }
    case Action::transaction: {
      const bool undone = command.a % 2 == 1;
      log_.emplace_back(undone ? "begin, to roll back" : "begin");
      RulesText inside = rules_;
      engine_.begin();
      for (const auto& rule : given.routes) add(rule, inside);
      for (const auto& rule : given.joins) add(rule, inside);
      undone ? engine_.rollback() : engine_.commit();
      // A stop filter may have made way for a rule that did not last.
      if (undone) oracle_.doubt_traffic();
      if (!undone) rules_ = std::move(inside);
      return;
    }
    default:
      return;
  }
}

void World::configure(const RulesText& rules) {
  log_.push_back("configure:\n" + to_string(rules));
  rules_ = rules;
  // Lines that add up their interfaces share what one of them says.
  for (RouteText& rule : rules_.routes) rule.native = is_native(rule, rules.routes);
  engine_.set_config(to_config(rules));
  oracle_.intend(rules_);
}

/// `add` of a route that exists adds outbound interfaces to it. What is added or changed at run
/// time comes after all other rules.
void World::add(const RouteText& rule, RulesText& rules) {
  const auto outcome = engine_.add_route(parse_route_words(words(rule)).value());
  log_.push_back(
      fmt::format("add: {}{}", to_string(rule), outcome ? "" : ": " + outcome.error().message));
  if (!outcome) return judge_refusal(rule.iif, rule.oifs, outcome.error());
  RouteText merged = rule;
  merged.oifs.clear();
  const auto extend = [&](const std::vector<std::string>& oifs) {
    for (const auto& oif : oifs) {
      if (std::ranges::count(merged.oifs, oif) == 0) merged.oifs.push_back(oif);
    }
  };
  for (const RouteText& other : rules.routes) {
    if (same_route(other, rule)) extend(other.oifs);
  }
  extend(rule.oifs);
  merged.native = is_native(rule, rules.routes);  // a command cannot say so
  std::erase_if(rules.routes, [&](const RouteText& r) { return same_route(r, rule); });
  rules.routes.push_back(merged);
}

void World::add(const JoinText& rule, RulesText& rules) {
  const auto outcome = engine_.join(parse_join_words(words(rule)).value());
  log_.push_back(
      fmt::format("join: {}{}", to_string(rule), outcome ? "" : ": " + outcome.error().message));
  if (!outcome) return judge_refusal(rule.iif, {}, outcome.error());
  if (std::ranges::count(rules.joins, rule) == 0) rules.joins.push_back(rule);
}

/// A command may be refused only for an interface that is not there.
void World::judge_refusal(const std::string& iif, const std::vector<std::string>& oifs,
                          const Error& error) const {
  std::vector<std::string> names = oifs;
  names.push_back(iif);
  if (kernel_.events_wait()) return;  // the engine may not have heard of the interface yet
  if (kernel_.open_tables().size() < 2) return;
  const bool absent = std::ranges::any_of(names, [&](const std::string& name) {
    return name.back() != '+' && kernel_.find_link(name) == nullptr;
  });
  if (error.code != ErrorCode::no_such_interface || !absent) {
    throw Objection("refused without need: " + error.message);
  }
}

void World::remove(const RouteText& rule) {
  const auto outcome = engine_.remove_route(parse_route_words(words(rule)).value());
  log_.push_back(
      fmt::format("remove: {}{}", to_string(rule), outcome ? "" : ": " + outcome.error().message));
  const bool exists =
      std::ranges::any_of(rules_.routes, [&](const RouteText& r) { return same_route(r, rule); });
  if (!exists) {
    if (outcome) throw Objection("removed a route that does not exist");
    return;
  }
  if (rule.oifs.empty()) {
    if (!outcome) throw Objection("a route cannot be removed: " + outcome.error().message);
    std::erase_if(rules_.routes, [&](const RouteText& r) { return same_route(r, rule); });
    return;
  }
  if (!outcome) return;
  const auto is_named = [&](const std::string& oif) {
    return std::ranges::count(rule.oifs, oif) != 0;
  };
  std::vector<RouteText> same;
  std::vector<RouteText> changed;
  for (RouteText route : std::exchange(rules_.routes, {})) {
    const bool changes = same_route(route, rule) && std::erase_if(route.oifs, is_named) != 0;
    (changes ? changed : same).push_back(std::move(route));
  }
  rules_.routes = std::move(same);
  rules_.routes.insert(rules_.routes.end(), changed.begin(), changed.end());
}

}  // namespace mcast::testing
