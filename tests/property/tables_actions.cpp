// SPDX-License-Identifier: BSD-2-Clause
// What commands do to the world of several tables.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <ostream>
#include <utility>

#include "tests/property/tables_world.hpp"
#include "tests/property/world.hpp"

namespace mcast::testing {

namespace {

constexpr std::array kActionNames = {
    "add_link",       "add_vrf",   "remove_link",  "recreate_vrf",     "rename_link",
    "swap_names",     "enslave",   "release",      "toggle_multicast", "configure",
    "configure_same", "add_route", "remove_route", "add_join",         "remove_join",
    "traffic",        "fault",     "lose_events",  "disorder_events",  "flush_multicast_rules"};

bool same_route(const TableRoute& a, const TableRoute& b) {
  return a.domain == b.domain && a.route.iif == b.route.iif && a.route.source == b.route.source &&
         a.route.group == b.route.group;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const TableCommand& command) {
  out << kActionNames.at(static_cast<std::size_t>(command.action)) << ' ' << command.a << ' '
      << command.b << ' ' << command.c << " then " << command.then;
  if (command.rules != TablesText{}) out << '\n' << to_string(command.rules);
  return out;
}

void TablesWorld::act(const TableCommand& command) {
  switch (command.action) {
    case TableAction::configure:
    case TableAction::configure_same:
    case TableAction::add_route:
    case TableAction::remove_route:
    case TableAction::add_join:
    case TableAction::remove_join:
      return act_on_rules(command);
    case TableAction::traffic: {
      const auto& links = kernel_.links();
      if (links.empty()) return;
      const auto from =
          std::next(links.begin(), static_cast<std::ptrdiff_t>(command.a % links.size()));
      const FlowKey& flow = flows_[command.b % flows_.size()];
      const Device device = from->second.device;
      traffic(device, flow);
      return judge_sent(device, flow);
    }
    case TableAction::fault: {
      constexpr std::array kFaults = {ErrorCode::os, ErrorCode::no_permission,
                                      ErrorCode::limit_reached, ErrorCode::invalid_argument};
      const ErrorCode code = kFaults[command.b % kFaults.size()];
      const unsigned n = 1 + command.a % 4;
      note(fmt::format("fault in call {} of port {}", n, command.c % 3));
      if (command.c % 3 == 0) return kernel_.fail_call(n, code);
      return fail_port(command.c % 3 == 1, n, code);
    }
    case TableAction::flush_multicast_rules:
      note("another program drops our multicast rules");
      for (const MulticastRule& rule : engine_.multicast_rules()) {
        static_cast<void>(
            static_cast<platform::MulticastRuleSocket&>(kernel_).apply(DropMulticastRule{rule}));
      }
      // As the daemon does when it looks.
      return engine_.multicast_rules_learned(kernel_.list().value());
    case TableAction::lose_events:
      note("lose events");
      return kernel_.lose_events();
    case TableAction::disorder_events:
      note("disorder events");
      return kernel_.disorder_events(command.a);
    default:
      return act_on_links(command);
  }
}

/// A VRF device, or any other interface.
IfIndex TablesWorld::pick(unsigned which, bool vrf) const {
  std::vector<IfIndex> some;
  for (const auto& [index, present] : kernel_.links()) {
    if ((present.link.kind == "vrf") == vrf) some.push_back(index);
  }
  return some.empty() ? IfIndex() : some[which % some.size()];
}

/// No two VRFs have the same table here; 0 if all are taken.
TableId TablesWorld::free_vrf_table(unsigned which) const {
  const auto& tables = universe_.vrf_tables;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const TableId table(tables[(which + i) % tables.size()]);
    const bool taken = std::ranges::any_of(
        kernel_.links(), [&](const auto& entry) { return entry.second.link.vrf_table == table; });
    if (!taken) return table;
  }
  return TableId(0);
}

void TablesWorld::add_link(const std::string& name, TableId vrf_table, IfIndex index) {
  Link link;
  link.name = name;
  link.index = index;
  link.up = true;
  link.vrf_table = vrf_table;
  if (vrf_table.value != 0) link.kind = "vrf";
  link.multicast = vrf_table.value == 0;
  ++links_made_;
  const auto octet = [&](unsigned shift) {
    return static_cast<std::uint8_t>(links_made_ >> shift);
  };
  link.addresses = {
      Address::from_v4(std::array<std::uint8_t, 4>{10, octet(16), octet(8), octet(0)}),
      Address::parse(fmt::format("fe80::{:x}", links_made_)).value()};
  kernel_.add_link(std::move(link));
  intend();
}

/// As the kernel does, a VRF first lets its members go.
void TablesWorld::remove_link(IfIndex index) {
  for (const auto& [member, present] : TablesIntent::Links(kernel_.links())) {
    if (present.link.master == index) enslave(member, IfIndex());
  }
  kernel_.remove_link(index);
  intend();
  judge_step();
}

void TablesWorld::rename(IfIndex index, const std::string& name) {
  kernel_.rename_link(index, name);
  intend();
  judge_step();
}

void TablesWorld::enslave(IfIndex index, IfIndex vrf) {
  kernel_.change_link(index, [&](Link& link) {
    link.master = vrf;
    link.master_is_vrf = vrf.value != 0;
  });
  intend();
  judge_step();
}

void TablesWorld::move_to_fib(IfIndex index, TableId fib) {
  kernel_.change_link(index, [&](Link& link) { link.fib = fib; });
  intend();
  judge_step();
}

void TablesWorld::act_on_links(const TableCommand& command) {
  const bool has_fibs = kernel_.traits().table_choice == TableChoice::interface;
  std::vector<std::string> names = universe_.names;
  names.insert(names.end(), universe_.vrfs.begin(), universe_.vrfs.end());
  const bool of_vrf = command.action == TableAction::recreate_vrf ||
                      (command.action <= TableAction::rename_link && command.c % 4 == 0);
  const auto tell = [&](const std::string& what) {
    note(fmt::format("{} {}", kActionNames.at(static_cast<std::size_t>(command.action)), what));
  };
  if (command.action == TableAction::add_link || command.action == TableAction::add_vrf) {
    const bool vrf = command.action == TableAction::add_vrf;
    const auto& some = vrf ? universe_.vrfs : names;
    const std::string& name = some[command.a % some.size()];
    const TableId table = vrf ? free_vrf_table(command.b) : TableId(0);
    if (kernel_.find_link(name) != nullptr || (vrf && table.value == 0)) return;
    tell(vrf ? fmt::format("{} table {}", name, table.value) : name);
    return add_link(name, table);
  }
  const IfIndex index = pick(command.a, of_vrf);
  if (index.value == 0) return;
  const Link link = kernel_.links().at(index).link;
  tell(link.name);
  switch (command.action) {
    case TableAction::remove_link:
      return remove_link(index);
    case TableAction::recreate_vrf: {
      const TableId table = free_vrf_table(command.b);
      remove_link(index);
      return add_link(link.name, command.c % 3 == 0 || table.value == 0 ? link.vrf_table : table,
                      command.c % 2 == 1 ? index : IfIndex());
    }
    case TableAction::rename_link: {
      const std::string& to = names[command.b % names.size()];
      if (kernel_.find_link(to) == nullptr) rename(index, to);
      return;
    }
    case TableAction::swap_names: {
      const IfIndex other = pick(command.b, false);
      if (other == index) return;
      const std::string name = kernel_.links().at(other).link.name;
      rename(index, "swap");
      rename(other, link.name);
      return rename(index, name);
    }
    case TableAction::enslave: {
      const std::uint32_t fibs = kernel_.traits().ipv4.max_table + 1;
      if (has_fibs) return move_to_fib(index, TableId(command.b % fibs));
      const IfIndex vrf = pick(command.b, true);
      if (vrf.value == 0 || link.master == vrf) return;
      if (link.master.value != 0) enslave(index, IfIndex());
      return enslave(index, vrf);
    }
    case TableAction::release:
      if (has_fibs) return move_to_fib(index, TableId());
      return enslave(index, IfIndex());
    default:
      return kernel_.change_link(index, [](Link& l) { l.multicast = !l.multicast; });
  }
}

void TablesWorld::act_on_rules(const TableCommand& command) {
  const TablesText& given = command.rules;
  switch (command.action) {
    case TableAction::configure:
      return configure(given);
    case TableAction::configure_same:
      note("configure the same");
      return configure(rules_);
    case TableAction::add_route:
      for (const auto& rule : given.routes) add(rule);
      return;
    case TableAction::add_join:
      for (const auto& rule : given.joins) add(rule);
      return;
    case TableAction::remove_route: {
      if (rules_.routes.empty()) return;
      TableRoute rule = rules_.routes[command.a % rules_.routes.size()];
      rule.route.oifs.resize(std::min<std::size_t>(rule.route.oifs.size(), command.b % 2));
      return remove(rule);
    }
    default: {
      if (rules_.joins.empty()) return;
      const TableJoin rule = rules_.joins[command.a % rules_.joins.size()];
      note("leave: " + to_string(rule));
      if (!engine_.leave(parse_join_words(words(rule)).value())) throw Objection("leave failed");
      std::erase(rules_.joins, rule);
      return;
    }
  }
}

void TablesWorld::configure(const TablesText& rules) {
  note("configure:\n" + to_string(rules));
  rules_ = rules;
  plain_ = is_plain(rules);
  engine_.set_config(to_config(to_string(rules)));
  intend();
}

/// `add` of a route that exists adds outbound interfaces to it.
void TablesWorld::add(const TableRoute& rule) {
  const auto outcome = engine_.add_route(parse_route_words(words(rule)).value());
  note(fmt::format("add: {}{}", to_string(rule), outcome ? "" : ": " + outcome.error().message));
  if (!outcome) return judge_refusal(rule.domain, rule.route.iif, rule.route.oifs, outcome.error());
  TableRoute merged = rule;
  merged.route.oifs.clear();
  const auto extend = [&](const std::vector<std::string>& oifs) {
    for (const auto& oif : oifs) {
      if (std::ranges::count(merged.route.oifs, oif) == 0) merged.route.oifs.push_back(oif);
    }
  };
  for (const TableRoute& other : rules_.routes) {
    if (same_route(other, rule)) extend(other.route.oifs);
  }
  extend(rule.route.oifs);
  std::erase_if(rules_.routes, [&](const TableRoute& r) { return same_route(r, rule); });
  rules_.routes.push_back(merged);
}

void TablesWorld::add(const TableJoin& rule) {
  const auto outcome = engine_.join(parse_join_words(words(rule)).value());
  note(fmt::format("join: {}{}", to_string(rule), outcome ? "" : ": " + outcome.error().message));
  if (!outcome) return judge_refusal(rule.domain, rule.join.iif, {}, outcome.error());
  if (std::ranges::count(rules_.joins, rule) == 0) rules_.joins.push_back(rule);
}

/// A command may be refused only for an interface that is not there, or that is no VRF.
void TablesWorld::judge_refusal(const DomainText& domain, const std::string& iif,
                                const std::vector<std::string>& oifs, const Error& error) const {
  if (kernel_.events_wait()) return;  // the engine may not have heard of the interface yet
  if (domain.is_vrf && error.code == ErrorCode::invalid_argument) {
    const auto* link = kernel_.find_link(domain.name);
    if (link != nullptr && link->link.vrf_table.value == 0) return;
  }
  std::vector<std::string> names = oifs;
  names.push_back(iif);
  const bool absent = std::ranges::any_of(names, [&](const std::string& name) {
    return name.back() != '+' && kernel_.find_link(name) == nullptr;
  });
  if (error.code != ErrorCode::no_such_interface || !absent) {
    throw Objection("refused without need: " + error.message);
  }
}

void TablesWorld::remove(const TableRoute& rule) {
  const auto outcome = engine_.remove_route(parse_route_words(words(rule)).value());
  note(fmt::format("remove: {}{}", to_string(rule), outcome ? "" : ": " + outcome.error().message));
  if (!outcome) throw Objection("a route cannot be removed: " + outcome.error().message);
  const auto is_meant = [&](const TableRoute& r) { return same_route(r, rule); };
  if (rule.route.oifs.empty()) {
    std::erase_if(rules_.routes, is_meant);
    return;
  }
  for (TableRoute& other : rules_.routes) {
    if (!is_meant(other)) continue;
    std::erase(other.route.oifs, rule.route.oifs.front());
  }
}

}  // namespace mcast::testing
