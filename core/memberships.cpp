// SPDX-License-Identifier: BSD-2-Clause
#include "core/memberships.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/backoff.hpp"

namespace mcast {

namespace {

std::optional<Address> source_of(const std::pair<Address, Address>& membership) {
  if (membership.second.is_unspecified()) return std::nullopt;
  return membership.second;
}

bool says(const JoinRule& rule, const JoinWords& words) {
  return rule.iif == words.iif && rule.source == words.source && rule.group == words.group;
}

}  // namespace

Memberships::Memberships(const LinkTable& links, std::vector<Notice>& notices,
                         std::uint64_t max_per_rule)
    : links_(links), notices_(notices), max_per_rule_(max_per_rule) {}

void Memberships::set_rules(std::vector<JoinRule> rules) {
  rules_ = std::move(rules);
  for (const JoinRule& rule : rules_) {
    if (!is_too_large(rule)) continue;
    notices_.push_back({NoticeLevel::error,
                        fmt::format("mgroup from {} group {}: refused, it stands for more than {} "
                                    "joins; use longer prefixes",
                                    rule.iif.to_string(), rule.group.to_string(), max_per_rule_)});
  }
  all_links_changed();
}

void Memberships::add(JoinRule rule) {
  rules_.push_back(std::move(rule));
  all_links_changed();
}

std::size_t Memberships::remove(const JoinWords& words) {
  const std::size_t removed =
      std::erase_if(rules_, [&](const JoinRule& rule) { return says(rule, words); });
  if (removed != 0) all_links_changed();
  return removed;
}

bool Memberships::contains(const JoinWords& words) const {
  return std::ranges::any_of(rules_, [&](const JoinRule& rule) { return says(rule, words); });
}

bool Memberships::is_too_large(const JoinRule& rule) const {
  const std::uint64_t sources = rule.source ? rule.source->size() : 1;
  return rule.group.size() > max_per_rule_ || sources > max_per_rule_ / rule.group.size();
}

void Memberships::all_links_changed() {
  for (const auto& [index, link] : links_.all()) dirty_links_.insert(index);
}

void Memberships::link_departed(IfIndex link) {
  dirty_links_.erase(link);
  failures_.erase(link);
  const bool is_stuck =
      std::ranges::any_of(stuck_, [&](const LeaveGroup& leave) { return leave.link == link; });
  if (!is_stuck) retry_links_.erase(link);
  std::erase_if(joins_, [&](const JoinGroup& join) { return join.link == link; });
  const auto found = joined_.find(link);
  if (found == joined_.end()) return;
  // The kernel dropped the memberships but the sockets still count them.
  for (const Membership& m : found->second) leaves_.push_back({link, source_of(m), m.first});
  joined_.erase(found);
}

void Memberships::expand(const JoinRule& rule, std::set<Membership>& into) const {
  const Address any = Address::unspecified(rule.group.family());
  const std::uint64_t sources = rule.source ? rule.source->size() : 1;
  for (std::uint64_t g = 0; g < rule.group.size(); ++g) {
    for (std::uint64_t s = 0; s < sources; ++s) {
      into.emplace(rule.group.at(g), rule.source ? rule.source->at(s) : any);
    }
  }
}

std::set<Memberships::Membership> Memberships::wanted_on(const Link& link) const {
  std::set<Membership> wanted;
  if (!links_.counts(link)) return wanted;
  for (const JoinRule& rule : rules_) {
    if (matches(rule.iif, link) && !is_too_large(rule)) expand(rule, wanted);
  }
  return wanted;
}

void Memberships::compare(IfIndex index) {
  const std::size_t leaves_before = leaves_.size();
  for (const LeaveGroup& leave : stuck_) {
    if (leave.link == index) leaves_.push_back(leave);
  }
  // Joining again has no effect before they are left.
  if (leaves_.size() != leaves_before) return;
  const Link* link = links_.find(index);
  if (link == nullptr) return;
  const auto wanted = wanted_on(*link);
  const auto found = joined_.find(index);
  static const std::set<Membership> none;
  const auto& joined = found == joined_.end() ? none : found->second;
  for (const Membership& m : joined) {
    if (!wanted.contains(m)) leaves_.push_back({index, source_of(m), m.first});
  }
  const std::size_t before = joins_.size();
  for (const Membership& m : wanted) {
    if (!joined.contains(m)) joins_.push_back({index, source_of(m), m.first});
  }
  if (joins_.size() != before) return;
  failures_.erase(index);
  if (failures_.empty()) failed_rounds_ = 0;
}

void Memberships::plan(Plan& plan, Milliseconds now, std::size_t limit) {
  if (!retry_links_.empty() && now >= retry_at_) {
    dirty_links_.merge(retry_links_);
    retry_links_.clear();
  }
  if (leaves_.empty() && joins_.empty()) {
    for (const IfIndex link : std::exchange(dirty_links_, {})) compare(link);
    // Both are taken from the back: leaving in reverse order of joining is cheap in the kernel's
    // lists (net/ipv4/igmp.c).
    std::ranges::reverse(joins_);
  }
  const auto move_out = [&](auto& from) {
    while (!from.empty() && plan.size() < limit) {
      plan.emplace_back(from.back());
      from.pop_back();
    }
  };
  move_out(leaves_);
  move_out(joins_);
}

void Memberships::acknowledge(const JoinGroup& op, const Result<void>& outcome, Milliseconds now) {
  const Address any = Address::unspecified(op.group.family());
  if (outcome) {
    joined_[op.link].emplace(op.group, op.source.value_or(any));
    return;
  }
  std::string& known = failures_[op.link];
  if (known != outcome.error().message) {
    known = outcome.error().message;
    const Link* link = links_.find(op.link);
    notices_.push_back({NoticeLevel::error,
                        fmt::format("cannot join {} on {}: {}", op.group.to_string(),
                                    link == nullptr ? "a departed interface" : link->name, known)});
  }
  retry_links_.insert(op.link);
  if (retry_at_ <= now) retry_at_ = now + backoff(failed_rounds_++);
}

void Memberships::acknowledge(const LeaveGroup& op, const Result<void>& outcome, Milliseconds now) {
  const bool gone = !outcome && (outcome.error().code == ErrorCode::not_found ||
                                 outcome.error().code == ErrorCode::no_such_interface);
  if (!outcome && !gone) {
    stuck_.insert(op);
    retry_links_.insert(op.link);
    if (retry_at_ <= now) retry_at_ = now + backoff(failed_rounds_++);
    return;
  }
  if (stuck_.erase(op) != 0) dirty_links_.insert(op.link);
  const Address any = Address::unspecified(op.group.family());
  const auto found = joined_.find(op.link);
  if (found == joined_.end()) return;
  found->second.erase({op.group, op.source.value_or(any)});
  if (found->second.empty()) joined_.erase(found);
}

std::optional<Milliseconds> Memberships::next_deadline() const {
  if (retry_links_.empty()) return std::nullopt;
  return retry_at_;
}

std::vector<JoinGroupStatus> Memberships::joined() const {
  std::vector<JoinGroupStatus> rows;
  for (const auto& [index, memberships] : joined_) {
    const Link* link = links_.find(index);
    if (link == nullptr) continue;
    for (const Membership& m : memberships) rows.push_back({link->name, source_of(m), m.first});
  }
  return rows;
}

std::string Memberships::failure_on(IfIndex link) const {
  const auto found = failures_.find(link);
  return found == failures_.end() ? std::string() : found->second;
}

}  // namespace mcast
