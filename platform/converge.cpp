// SPDX-License-Identifier: BSD-2-Clause
#include "platform/converge.hpp"

#include <map>
#include <utility>
#include <variant>

namespace mcast::platform {

Result<void> read_links(Engine& engine, LinkSource& links, LinkSink& sink) {
  const auto read = links.read(sink);
  // The kernel removes a slot and sends the event under the lock that a put takes too (rtnl_lock in
  // net/core/dev.c and ip_mroute_setsockopt), so nothing can come between them.
  if (read && links.retry_in() < 0) engine.links_current();
  return read;
}

namespace {

Result<void> open_table(const Ports& ports, TableKey table) {
  TableSocket socket = TRY(ports.keeper->open_table(table));
  TRY(ports.kernel->adopt_table(std::move(socket)));
  if (ports.opened) ports.opened(table);
  return {};
}

Result<void> close_table(const Ports& ports, TableKey table) {
  if (ports.closing) ports.closing(table);
  ports.kernel->close_table(table);
  return {};
}

}  // namespace

Result<void> carry_out(const Ports& ports, const Op& op) {
  if (const auto* open = std::get_if<OpenTable>(&op)) return open_table(ports, open->table);
  if (const auto* close = std::get_if<CloseTable>(&op)) return close_table(ports, close->table);
  const bool chooses_tables =
      std::holds_alternative<AddMulticastRule>(op) || std::holds_alternative<DropMulticastRule>(op);
  if (!chooses_tables) return ports.kernel->apply(op);
  if (ports.multicast_rules == nullptr) {
    return fail(ErrorCode::no_kernel_support, "this system has no multicast rules");
  }
  return ports.multicast_rules->apply(op);
}

Result<void> learn_multicast_rules(Engine& engine, const Ports& ports) {
  if (ports.multicast_rules == nullptr) return {};
  auto rules = TRY(ports.multicast_rules->list());
  std::map<TableKey, bool> elsewhere;
  for (const TableStatus& status : engine.tables()) {
    if (status.open) elsewhere.emplace(status.table, false);
  }
  for (KernelMulticastRule& rule : rules) {
    if (!rule.ours) continue;
    const auto [known, is_new] = elsewhere.try_emplace(rule.rule.table, false);
    if (is_new) known->second = ports.multicast_rules->is_held_elsewhere(rule.rule.table);
    rule.of_other_instance = known->second;
  }
  engine.multicast_rules_learned(rules);
  return {};
}

Result<void> drop_multicast_rules(const Engine& engine, const Ports& ports) {
  Result<void> outcome;
  if (ports.multicast_rules == nullptr) return outcome;
  for (const MulticastRule& rule : engine.multicast_rules()) {
    auto dropped = ports.multicast_rules->apply(DropMulticastRule{rule});
    if (!dropped) outcome = std::move(dropped);
  }
  return outcome;
}

std::size_t converge(Engine& engine, const Ports& ports, Milliseconds now, std::size_t max_steps) {
  for (const auto& [table, slot] : engine.slots_to_verify()) {
    const auto bound = ports.kernel->slot_is_bound(table, slot);
    if (bound && !*bound) engine.slot_lost(table, slot);
  }
  std::size_t steps = 0;
  while (steps < max_steps) {
    const Plan plan = engine.plan(now);
    if (plan.empty()) break;
    for (const Op& op : plan) engine.acknowledge(op, carry_out(ports, op), now);
    steps += plan.size();
  }
  return steps;
}

}  // namespace mcast::platform
