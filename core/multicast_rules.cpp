// SPDX-License-Identifier: BSD-2-Clause
#include "core/multicast_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/backoff.hpp"

namespace mcast {

namespace {

std::string table_name(TableKey table) {
  return fmt::format("{} table {}", to_string(table.family), table.id.value);
}

std::string packets_name(const MulticastRule& rule) {
  return fmt::format("what {} {}",
                     rule.match == MulticastRule::Match::inbound ? "arrives on"
                                                                 : "this host sends on",
                     rule.interface);
}

std::string describe_collision(const MulticastRule& rule, const KernelMulticastRule& other) {
  const std::string fate = other.rule.table.id.value == 0
                               ? std::string("drops them")
                               : fmt::format("takes them to table {}", other.rule.table.id.value);
  const std::string text = fmt::format(
      "{}: {} packets that {} are to go to table {}, but ", rule.interface,
      to_string(rule.table.family),
      rule.match == MulticastRule::Match::inbound ? "arrive on it" : "this host sends on it",
      rule.table.id.value);
  if (other.of_other_instance) {
    return text + fmt::format("another instance of mcastd {} by a rule of priority {}; name {} in "
                              "the configuration of one of the two only",
                              fate, other.priority, rule.interface);
  }
  return text +
         fmt::format("a rule of priority {} (protocol {}) {}; remove it with ip{} mrule del {}",
                     other.priority, other.made_by, fate,
                     rule.table.family == Family::ipv4 ? "" : " -6", other.words);
}

bool is_ours(const KernelMulticastRule& rule) {
  return rule.ours && !rule.of_other_instance;
}

}  // namespace

// --- What is wanted and what there is ------------------------------------------------------------

void MulticastRules::set_wanted(std::set<MulticastRule> wanted) {
  if (wanted == wanted_) return;
  wanted_ = std::move(wanted);
  wanted_tables_.clear();
  for (const MulticastRule& rule : wanted_) wanted_tables_[packets_of(rule)] = rule.table;
  compare();
  tell_collisions();
}

void MulticastRules::learned(std::span<const KernelMulticastRule> rules) {
  std::set<MulticastRule> now;
  for (const KernelMulticastRule& rule : rules) {
    if (is_ours(rule)) now.insert(rule.rule);
  }
  tell_missing(now);
  held_.clear();
  foreign_.clear();
  std::size_t position = 0;
  for (const KernelMulticastRule& rule : rules) {
    if (is_ours(rule)) {
      held_.emplace(rule.rule, position);
    } else {
      foreign_[packets_of(rule.rule)].push_back({rule, position});
    }
    ++position;
  }
  compare();
  tell_collisions();
  tell_last_rules(rules);
}

void MulticastRules::compare() {
  missing_.clear();
  surplus_.clear();
  for (const MulticastRule& rule : wanted_) {
    if (!held_.contains(rule)) missing_.insert(rule);
  }
  for (const auto& [rule, position] : held_) {
    if (!wanted_.contains(rule)) surplus_.insert(rule);
  }
  const auto is_settled = [&](const MulticastRule& rule) {
    return !missing_.contains(rule) && !surplus_.contains(rule);
  };
  std::erase_if(failures_, [&](const auto& failure) { return is_settled(failure.first); });
  std::erase_if(retry_, is_settled);
}

std::vector<MulticastRule> MulticastRules::held() const {
  std::vector<MulticastRule> rules;
  rules.reserve(held_.size());
  for (const auto& [rule, position] : held_) rules.push_back(rule);
  return rules;
}

bool MulticastRules::points_at(TableKey table) const {
  const auto first = held_.lower_bound(MulticastRule{table, MulticastRule::Match::inbound, {}});
  return first != held_.end() && first->first.table == table;
}

// --- Plans ---------------------------------------------------------------------------------------

void MulticastRules::retry_what_is_due(Milliseconds now) {
  if (now >= retry_at_) retry_.clear();
  if (failures_.empty()) failed_rounds_ = 0;
}

void MulticastRules::plan_drops(Plan& plan, Milliseconds now, const TableTest& comes) {
  retry_what_is_due(now);
  for (const MulticastRule& rule : surplus_) {
    if (waits(rule)) continue;
    const auto successor = wanted_tables_.find(packets_of(rule));
    if (successor != wanted_tables_.end()) {
      const MulticastRule next{successor->second, rule.match, rule.interface};
      if (!held_.contains(next) && !failures_.contains(next) && comes(next.table)) continue;
    }
    plan.emplace_back(DropMulticastRule{rule});
  }
}

void MulticastRules::plan_adds(Plan& plan, Milliseconds now, const TableTest& ready) {
  retry_what_is_due(now);
  for (const MulticastRule& rule : missing_) {
    if (!waits(rule) && ready(rule.table)) plan.emplace_back(AddMulticastRule{rule});
  }
}

void MulticastRules::acknowledge(const AddMulticastRule& op, const Result<void>& outcome,
                                 Milliseconds now) {
  if (!outcome) return failed(op, op.rule, outcome.error(), now);
  held_.insert_or_assign(op.rule, std::nullopt);
  missing_.erase(op.rule);
  if (!wanted_.contains(op.rule)) surplus_.insert(op.rule);
  succeeded(op.rule);
}

void MulticastRules::acknowledge(const DropMulticastRule& op, const Result<void>& outcome,
                                 Milliseconds now) {
  if (!outcome) return failed(op, op.rule, outcome.error(), now);
  held_.erase(op.rule);
  surplus_.erase(op.rule);
  if (wanted_.contains(op.rule)) missing_.insert(op.rule);
  succeeded(op.rule);
}

void MulticastRules::failed(const Op& op, const MulticastRule& rule, const Error& error,
                            Milliseconds now) {
  std::string& known = failures_[rule];
  const std::string before = std::exchange(known, error.message);
  if (before != known) {
    notices_.push_back(
        {NoticeLevel::error, fmt::format("cannot {}: {}", to_string(op), error.message)});
  }
  retry_.insert(rule);
  if (retry_at_ <= now) retry_at_ = now + backoff(failed_rounds_++);
}

void MulticastRules::succeeded(const MulticastRule& rule) {
  retry_.erase(rule);
  if (failures_.erase(rule) == 0 || !wanted_.contains(rule)) return;
  notices_.push_back({NoticeLevel::info, fmt::format("{} goes to {} now", packets_name(rule),
                                                     table_name(rule.table))});
}

std::optional<Milliseconds> MulticastRules::next_deadline() const {
  if (retry_.empty()) return std::nullopt;
  return retry_at_;
}

// --- Rules of others -----------------------------------------------------------------------------

bool MulticastRules::is_in_the_way(const Foreign& foreign, const MulticastRule& rule) const {
  const std::uint32_t ours = priority_of(rule.match);
  if (foreign.rule.rule.table == rule.table || foreign.rule.priority > ours) return false;
  if (foreign.rule.priority < ours) return true;
  const auto held = held_.find(rule);
  return held == held_.end() || !held->second || *held->second > foreign.position;
}

std::optional<std::string> MulticastRules::collision(const MulticastRule& rule) const {
  const Foreign* first = nullptr;
  for (const std::string& interface : {rule.interface, std::string()}) {
    const auto found = foreign_.find({rule.table.family, rule.match, interface});
    if (found == foreign_.end()) continue;
    for (const Foreign& foreign : found->second) {
      if (!is_in_the_way(foreign, rule)) continue;
      if (first == nullptr || foreign.position < first->position) first = &foreign;
    }
  }
  if (first == nullptr) return std::nullopt;
  return describe_collision(rule, first->rule);
}

std::vector<std::string> MulticastRules::collisions(const std::set<MulticastRule>& wanted) const {
  std::vector<std::string> lines;
  for (const MulticastRule& rule : wanted) {
    if (auto line = collision(rule)) lines.push_back(*std::move(line));
  }
  return lines;
}

void MulticastRules::tell_collisions() {
  std::map<MulticastRule, std::string> now;
  for (const MulticastRule& rule : wanted_) {
    if (auto line = collision(rule)) now.emplace(rule, *std::move(line));
  }
  for (const auto& [rule, line] : now) {
    const auto before = told_collisions_.find(rule);
    if (before != told_collisions_.end() && before->second == line) continue;
    notices_.push_back({NoticeLevel::error, line});
  }
  for (const auto& [rule, line] : told_collisions_) {
    if (now.contains(rule) || !wanted_.contains(rule)) continue;
    notices_.push_back(
        {NoticeLevel::info, fmt::format("no other rule takes {} any more", packets_name(rule))});
  }
  told_collisions_ = std::move(now);
}

std::string MulticastRules::problem(TableKey table, std::string_view interface) const {
  for (const auto match : {MulticastRule::Match::inbound, MulticastRule::Match::sent}) {
    const MulticastRule rule{table, match, std::string(interface)};
    if (!wanted_.contains(rule)) continue;
    if (const auto told = told_collisions_.find(rule); told != told_collisions_.end()) {
      return told->second;
    }
    if (const auto failure = failures_.find(rule); failure != failures_.end()) {
      return failure->second;
    }
  }
  return {};
}

// --- What others took away -----------------------------------------------------------------------

void MulticastRules::tell_missing(const std::set<MulticastRule>& now) {
  std::size_t count = 0;
  const MulticastRule* first = nullptr;
  for (const auto& [rule, position] : held_) {
    if (now.contains(rule) || !wanted_.contains(rule)) continue;
    if (count++ == 0) first = &rule;
  }
  if (first == nullptr) return;
  const std::string others = count == 1 ? "" : fmt::format(" and {} more", count - 1);
  notices_.push_back({NoticeLevel::warning,
                      fmt::format("the rule that {} goes to {}{} missing from the kernel: another "
                                  "program removed {}; {} restored",
                                  packets_name(*first), table_name(first->table),
                                  count == 1 ? " is" : others + " are", count == 1 ? "it" : "them",
                                  count == 1 ? "it is" : "they are")});
}

/// `ip mrule flush` takes the kernel's own rule for the default table too. It is not ours to mend,
/// as somebody may have meant it.
void MulticastRules::tell_last_rules(std::span<const KernelMulticastRule> rules) {
  std::set<Family> now;
  for (const KernelMulticastRule& rule : rules) {
    if (rule.rule.interface.empty()) now.insert(rule.rule.table.family);
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!last_rules_.contains(family) || now.contains(family)) continue;
    const bool v4 = family == Family::ipv4;
    notices_.push_back(
        {NoticeLevel::warning,
         fmt::format("another program removed the kernel's last {} multicast rule: what arrives on "
                     "interfaces without a rule of their own is not forwarded; to restore it: "
                     "ip{} mrule add pref 32767 table {}",
                     to_string(family), v4 ? "" : " -6", v4 ? "default" : "main")});
  }
  last_rules_ = std::move(now);
}

}  // namespace mcast
