// SPDX-License-Identifier: BSD-2-Clause
// The fake kernel's multicast rules (net/core/fib_rules.c).
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "tests/fake/fake_kernel.hpp"

namespace mcast::testing {

namespace {

/// drivers/net/vrf.c: the rule that comes with the first VRF; and ipmr.c, ip6mr.c.
constexpr std::uint32_t kVrfPriority = 1000;
constexpr std::uint32_t kLastPriority = 32767;

std::string words_of(const MulticastRule& rule, std::uint32_t priority) {
  const std::string_view direction = rule.match == MulticastRule::Match::inbound ? "iif" : "oif";
  std::string words;
  if (!rule.interface.empty()) words = fmt::format("{} {} ", direction, rule.interface);
  return words + fmt::format("table {} pref {}", rule.table.id.value, priority);
}

KernelMulticastRule make_rule(const MulticastRule& rule, std::uint32_t priority, bool ours,
                              std::string made_by) {
  return {rule, priority, ours, std::move(made_by), words_of(rule, priority), false};
}

KernelMulticastRule our_rule(const MulticastRule& rule) {
  return make_rule(rule, priority_of(rule.match), true, std::to_string(kMulticastRuleProtocol));
}

/// Without an interface it takes what arrives and what is sent, which is listed as two.
std::vector<KernelMulticastRule> listed(MulticastRule rule, std::uint32_t priority,
                                        const std::string& made_by) {
  std::vector<KernelMulticastRule> rules{make_rule(rule, priority, false, made_by)};
  if (rule.interface.empty()) {
    rule.match = rule.match == MulticastRule::Match::inbound ? MulticastRule::Match::sent
                                                             : MulticastRule::Match::inbound;
    rules.push_back(make_rule(rule, priority, false, made_by));
  }
  return rules;
}

}  // namespace

FakeKernel::FakeKernel(const KernelTraits& traits)
    : traits_(traits), habits_ipv4_(traits.ipv4), habits_ipv6_(traits.ipv6), link_habits_(traits) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const TableKey table{family, traits_.of(family).default_table};
    created_.insert(table);
    if (traits.table_choice != TableChoice::rules) continue;
    for (const auto& rule : listed({table, {}, {}}, kLastPriority, "kernel")) insert_rule(rule);
  }
}

void FakeKernel::insert_rule(const KernelMulticastRule& rule) {
  // Behind those of the same priority, which are asked first.
  const auto behind = std::ranges::find_if(rules_, [&](const KernelMulticastRule& other) {
    return other.rule.table.family == rule.rule.table.family && other.priority > rule.priority;
  });
  rules_.insert(behind, rule);
}

Result<void> FakeKernel::carry_out(const AddMulticastRule& op) {
  if (traits_.table_choice != TableChoice::rules) {
    return fail(ErrorCode::no_kernel_support, "no multicast rules");
  }
  const KernelMulticastRule rule = our_rule(op.rule);
  if (std::ranges::find(rules_, rule) == rules_.end()) insert_rule(rule);
  return {};
}

Result<void> FakeKernel::carry_out(const DropMulticastRule& op) {
  std::erase(rules_, our_rule(op.rule));
  return {};
}

void FakeKernel::add_foreign_rule(const MulticastRule& packets, std::uint32_t priority) {
  for (const auto& rule : listed(packets, priority, "static")) insert_rule(rule);
  rules_changed_ = true;
}

void FakeKernel::remove_foreign_rule(const MulticastRule& packets, std::uint32_t priority) {
  for (const auto& rule : listed(packets, priority, "static")) std::erase(rules_, rule);
  rules_changed_ = true;
}

void FakeKernel::flush_rules() {
  rules_.clear();
  rules_changed_ = true;
}

Result<std::vector<KernelMulticastRule>> FakeKernel::list() {
  std::vector<KernelMulticastRule> by_family;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    std::ranges::copy_if(rules_, std::back_inserter(by_family),
                         [&](const auto& rule) { return rule.rule.table.family == family; });
  }
  return by_family;
}

bool FakeKernel::is_held_elsewhere(TableKey table) {
  return foreign_.contains(table) || handed_out_.contains(table);
}

std::optional<TableId> FakeKernel::vrf_table(const Present& present) const {
  if (!present.link.master_is_vrf) return std::nullopt;
  const auto master = links_.find(present.link.master);
  if (master == links_.end()) return std::nullopt;
  return master->second.link.vrf_table;
}

TableKey FakeKernel::table_for(Device from, Family family) const {
  const Present* present = find_device(from);
  if (present == nullptr) return {family, {}};
  switch (traits_.table_choice) {
    case TableChoice::single:
      return {family, traits_.of(family).default_table};
    case TableChoice::interface:
      return {family, present->link.fib};
    case TableChoice::rules:
      break;
  }
  const auto vrf = vrf_table(*present);
  for (const KernelMulticastRule& rule : rules_) {
    if (rule.rule.table.family != family || rule.rule.match != MulticastRule::Match::inbound) {
      continue;
    }
    if (vrf && rule.priority > kVrfPriority) break;
    const std::string& interface = rule.rule.interface;
    if (!interface.empty() && interface != present->link.name) continue;
    // A rule that leads to a table which there is not is passed over.
    if (created_.contains(rule.rule.table)) return rule.rule.table;
  }
  return {family, vrf.value_or(TableId())};
}

}  // namespace mcast::testing
