// SPDX-License-Identifier: BSD-2-Clause
#include "core/memberships.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/backoff.hpp"
#include "core/config_words.hpp"

namespace mcast {

namespace {

std::optional<Address> source_of(const std::pair<Address, Address>& membership) {
  if (membership.second.is_unspecified()) return std::nullopt;
  return membership.second;
}

}  // namespace

Memberships::Memberships(const LinkTable& links, std::vector<Notice>& notices, Limits limits)
    : links_(links), notices_(notices), limits_(limits) {}

// --- Rules ---------------------------------------------------------------------------------------

void Memberships::set_rules(std::vector<JoinRule> rules) {
  rules_.clear();
  patterns_.clear();
  wanted_on_.clear();
  touched_.clear();
  total_ = 0;
  for (JoinRule& rule : rules) add(std::move(rule));
  all_links_changed();
  // What was joined for rules that are gone is found by comparing.
  for (const auto& [index, joined] : joined_) compare_links_.insert(index);
}

void Memberships::add(JoinRule rule) {
  if (is_too_large(rule)) {
    notices_.push_back(
        {NoticeLevel::error,
         fmt::format("mgroup from {} group {}: refused, it stands for more than {} "
                     "joins; use longer prefixes",
                     rule.iif.to_string(), rule.group.to_string(), limits_.per_rule)});
  }
  rules_.push_back(std::move(rule));
  const JoinRule& added = rules_.back();
  const auto [position, is_new] = patterns_.try_emplace({added.iif, added.domain});
  Wanted& wanted = position->second;
  wanted.rules.emplace(Wish{added.group, added.source}, std::prev(rules_.end()));
  Wanted::Rules& own = wanted.of(added.group.family());
  if (own.count++ == 0 || added.where < own.first) own.first = added.where;
  if (is_new) all_links_changed();
  count(added, true);
}

/// One more or one less rule that asks for what this one does.
void Memberships::count(const JoinRule& rule, bool add) {
  if (is_too_large(rule)) return;
  Wanted& wanted = patterns_.at({rule.iif, rule.domain});
  const Address any = Address::unspecified(rule.group.family());
  const std::uint64_t sources = rule.source ? rule.source->size() : 1;
  total_ = add ? total_ + rule.group.size() * sources : total_ - rule.group.size() * sources;
  for (std::uint64_t g = 0; g < rule.group.size(); ++g) {
    for (std::uint64_t s = 0; s < sources; ++s) {
      const Membership membership{rule.group.at(g), rule.source ? rule.source->at(s) : any};
      const auto position = wanted.members.try_emplace(membership, 0U).first;
      position->second += add ? 1U : -1U;
      if (position->second == 0) wanted.members.erase(position);
      touch(wanted, membership);
    }
  }
}

void Memberships::touch(const Wanted& wanted, const Membership& membership) {
  for (const IfIndex link : wanted.links) touched_[link].push_back(membership);
}

std::vector<JoinRule> Memberships::remove_if(const JoinWords& words, bool only_of_routes) {
  std::vector<JoinRule> removed;
  const auto pattern = patterns_.find({words.iif, words.domain});
  if (pattern == patterns_.end()) return removed;
  Wanted& wanted = pattern->second;
  auto [at, end] = wanted.rules.equal_range({words.group, words.source});
  while (at != end) {
    const auto rule = at->second;
    if (only_of_routes && !rule->by_route) {
      ++at;
      continue;
    }
    at = wanted.rules.erase(at);
    --wanted.of(words.group.family()).count;
    count(*rule, false);
    removed.push_back(std::move(*rule));
    rules_.erase(rule);
  }
  if (!wanted.rules.empty()) return removed;
  for (const IfIndex link : wanted.links) std::erase(wanted_on_[link], &wanted);
  patterns_.erase(pattern);
  return removed;
}

std::vector<JoinRule> Memberships::remove(const JoinWords& words) {
  return remove_if(words, false);
}

std::vector<JoinRule> Memberships::remove_joins_of_routes(const JoinWords& words) {
  return remove_if(words, true);
}

bool Memberships::contains(const JoinWords& words) const {
  const auto pattern = patterns_.find({words.iif, words.domain});
  return pattern != patterns_.end() && pattern->second.rules.contains({words.group, words.source});
}

std::vector<std::pair<Memberships::Pattern, Location>> Memberships::patterns(Family family) const {
  std::vector<std::pair<Pattern, Location>> list;
  for (const auto& [pattern, wanted] : patterns_) {
    const auto& own = wanted.of(family);
    if (own.count != 0) list.emplace_back(pattern, own.first);
  }
  return list;
}

bool Memberships::is_too_large(const JoinRule& rule) const {
  return join_count(rule.source, rule.group) > limits_.per_rule;
}

bool Memberships::has_room_for(const JoinRule& rule) const {
  return total_ + join_count(rule.source, rule.group) <= kMaxJoins;
}

/// What has been asked of the kernel counts until it says that it is over.
template <class Step>
void Memberships::count_source(const Step& step, bool add) {
  if (!step.source || limits_.sources == 0) return;
  const auto position = sources_.try_emplace({step.link, step.group}).first;
  if (add) {
    position->second.insert(*step.source);
  } else {
    position->second.erase(*step.source);
  }
  if (position->second.empty()) sources_.erase(position);
}

// --- Links ---------------------------------------------------------------------------------------

void Memberships::all_links_changed() {
  for (const auto& [index, link] : links_.all()) dirty_links_.insert(index);
}

void Memberships::link_departed(IfIndex link) {
  dirty_links_.erase(link);
  compare_links_.erase(link);
  touched_.erase(link);
  failures_.erase(link);
  full_links_.erase(link);
  crowded_links_.erase(link);
  for (Wanted* wanted : wanted_on_[link]) wanted->links.erase(link);
  wanted_on_.erase(link);
  const bool is_stuck =
      std::ranges::any_of(stuck_, [&](const LeaveGroup& leave) { return leave.link == link; });
  if (!is_stuck) retry_links_.erase(link);
  for (const JoinGroup& join : joins_) {
    if (join.link == link) count_source(join, false);
  }
  std::erase_if(joins_, [&](const JoinGroup& join) { return join.link == link; });
  const auto found = joined_.find(link);
  if (found == joined_.end()) return;
  // The kernel dropped the memberships but the sockets still count them.
  leave_if(link, found->second, [](const Membership&) { return true; });
  joined_count_ -= found->second.size();
  joined_.erase(found);
}

/// Finds out which patterns apply to the link now.
void Memberships::rematch(IfIndex index) {
  const Link* link = links_.find(index);
  if (link == nullptr) return;
  std::vector<Wanted*> now;
  if (links_.counts(*link)) {
    for (auto& [pattern, wanted] : patterns_) {
      if (links_.means(pattern.second, pattern.first, *link)) now.push_back(&wanted);
    }
  }
  std::vector<Wanted*>& before = wanted_on_[index];
  if (before == now) return;
  for (Wanted* wanted : before) wanted->links.erase(index);
  for (Wanted* wanted : now) wanted->links.insert(index);
  before = std::move(now);
  compare_links_.insert(index);
}

bool Memberships::is_wanted(IfIndex link, const Membership& membership) const {
  const auto found = wanted_on_.find(link);
  if (found == wanted_on_.end()) return false;
  return std::ranges::any_of(
      found->second, [&](const Wanted* wanted) { return wanted->members.contains(membership); });
}

// --- Comparing -----------------------------------------------------------------------------------

/// Steps are taken from the back: what was joined last is left first, as the kernel looks for it at
/// the beginning of its lists (net/ipv4/igmp.c).
template <class Unwanted>
void Memberships::leave_if(IfIndex link, const Joined& joined, const Unwanted& unwanted) {
  std::vector<Joined::const_iterator> leaving;
  for (auto at = joined.begin(); at != joined.end(); ++at) {
    if (unwanted(at->first)) leaving.push_back(at);
  }
  std::ranges::sort(leaving, {}, [](const auto& at) { return at->second; });
  for (const auto& at : leaving) leaves_.push_back({link, source_of(at->first), at->first.first});
}

/// Joining again has no effect before these are left.
bool Memberships::leave_stuck(IfIndex index) {
  const std::size_t before = leaves_.size();
  for (const LeaveGroup& leave : stuck_) {
    if (leave.link == index) leaves_.push_back(leave);
  }
  return leaves_.size() != before;
}

const Memberships::Joined& Memberships::joined_on(IfIndex link) const {
  static const Joined none;
  const auto found = joined_.find(link);
  return found == joined_.end() ? none : found->second;
}

void Memberships::want(IfIndex link, const Membership& membership) {
  if (joined_count_ + joins_.size() >= limits_.joined) return refuse_more(link, membership);
  const JoinGroup join{link, source_of(membership), membership.first};
  if (join.source && !has_room_for_source(link, join.group)) return refuse_source(link, membership);
  count_source(join, true);
  joins_.push_back(join);
}

bool Memberships::has_room_for_source(IfIndex link, const Address& group) const {
  if (limits_.sources == 0) return true;
  const auto found = sources_.find({link, group});
  return found == sources_.end() || found->second.size() < limits_.sources;
}

/// It is tried again whenever something on the interface has been left.
void Memberships::refuse_source(IfIndex link, const Membership& membership) {
  if (!crowded_links_.insert(link).second) return;
  const auto leaves_one = [&](const LeaveGroup& leave) {
    return leave.link == link && leave.source && leave.group == membership.first;
  };
  if (std::ranges::any_of(leaves_, leaves_one)) return;
  const std::string why =
      fmt::format("more than {} sources of {}: the kernel takes no more of one group on an "
                  "interface; join it for any source instead",
                  limits_.sources, membership.first.to_string());
  if (std::exchange(failures_[link], why) == why) return;
  notices_.push_back(
      {NoticeLevel::error, fmt::format("cannot join {} on {}: {}", membership.first.to_string(),
                                       links_.find(link)->name, why)});
}

void Memberships::refuse_more(IfIndex link, const Membership& membership) {
  if (!full_links_.insert(link).second) return;
  failures_[link] = fmt::format("more than {} joins on all interfaces together; use longer "
                                "prefixes or fewer wildcards",
                                limits_.joined);
  notices_.push_back(
      {NoticeLevel::error, fmt::format("cannot join {} on {}: {}", membership.first.to_string(),
                                       links_.find(link)->name, failures_[link])});
}

void Memberships::compare(IfIndex index) {
  if (leave_stuck(index) || links_.find(index) == nullptr) return;
  crowded_links_.erase(index);
  const Joined& joined = joined_on(index);
  leave_if(index, joined, [&](const Membership& m) { return !is_wanted(index, m); });
  const auto& wanted_here = wanted_on_[index];
  for (auto wanted = wanted_here.begin(); wanted != wanted_here.end(); ++wanted) {
    const auto wanted_before = [&](const Membership& m) {
      return std::any_of(wanted_here.begin(), wanted,
                         [&](const Wanted* other) { return other->members.contains(m); });
    };
    for (const auto& [m, rules] : (*wanted)->members) {
      if (joined.contains(m) || wanted_before(m)) continue;
      want(index, m);
    }
  }
}

/// The same for some memberships only.
void Memberships::compare_touched(IfIndex index, const std::vector<Membership>& touched) {
  if (leave_stuck(index)) return;  // all is compared when they are left
  const Joined& joined = joined_on(index);
  Joined unwanted;
  for (const Membership& m : std::set<Membership>(touched.begin(), touched.end())) {
    const bool wanted = is_wanted(index, m);
    const auto at = joined.find(m);
    if (wanted && at == joined.end()) want(index, m);
    if (!wanted && at != joined.end()) unwanted.insert(*at);
  }
  leave_if(index, unwanted, [](const Membership&) { return true; });
}

/// What was planned has been acknowledged: links that do not wait to be tried again are well.
void Memberships::forget_failures() {
  std::erase_if(failures_, [&](const auto& failure) {
    const IfIndex link = failure.first;
    return !retry_links_.contains(link) && !full_links_.contains(link) &&
           !crowded_links_.contains(link) && !compare_links_.contains(link);
  });
  if (retry_links_.empty()) failed_rounds_ = 0;
}

void Memberships::plan(Plan& plan, Milliseconds now, std::size_t limit) {
  if (leaves_.empty() && joins_.empty()) forget_failures();
  if (!retry_links_.empty() && now >= retry_at_) {
    compare_links_.merge(retry_links_);
    retry_links_.clear();
  }
  if (leaves_.empty() && joins_.empty()) {
    if (joined_count_ < limits_.joined) compare_links_.merge(std::exchange(full_links_, {}));
    for (const IfIndex link : std::exchange(dirty_links_, {})) rematch(link);
    for (const auto& [link, touched] : std::exchange(touched_, {})) {
      if (!compare_links_.contains(link)) compare_touched(link, touched);
    }
    for (const IfIndex link : std::exchange(compare_links_, {})) compare(link);
    std::ranges::reverse(joins_);  // taken from the back
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

// --- Acknowledgements ----------------------------------------------------------------------------

void Memberships::retry(IfIndex link, Milliseconds now) {
  retry_links_.insert(link);
  if (retry_at_ <= now) retry_at_ = now + backoff(failed_rounds_++);
}

void Memberships::acknowledge(const JoinGroup& op, const Result<void>& outcome, Milliseconds now) {
  const Address any = Address::unspecified(op.group.family());
  if (outcome) {
    const Membership membership{op.group, op.source.value_or(any)};
    if (joined_[op.link].emplace(membership, ++last_joined_).second) ++joined_count_;
    return;
  }
  count_source(op, false);
  std::string& known = failures_[op.link];
  if (known != outcome.error().message) {
    known = outcome.error().message;
    const Link* link = links_.find(op.link);
    notices_.push_back({NoticeLevel::error,
                        fmt::format("cannot join {} on {}: {}", op.group.to_string(),
                                    link == nullptr ? "a departed interface" : link->name, known)});
  }
  retry(op.link, now);
}

void Memberships::acknowledge(const LeaveGroup& op, const Result<void>& outcome, Milliseconds now) {
  const bool gone = !outcome && (outcome.error().code == ErrorCode::not_found ||
                                 outcome.error().code == ErrorCode::no_such_interface);
  if (!outcome && !gone) {
    stuck_.insert(op);
    retry(op.link, now);
    return;
  }
  count_source(op, false);
  if (stuck_.erase(op) != 0 || crowded_links_.contains(op.link)) compare_links_.insert(op.link);
  const Address any = Address::unspecified(op.group.family());
  const auto found = joined_.find(op.link);
  if (found == joined_.end()) return;
  joined_count_ -= found->second.erase({op.group, op.source.value_or(any)});
  if (found->second.empty()) joined_.erase(found);
}

std::optional<Milliseconds> Memberships::next_deadline() const {
  if (retry_links_.empty()) return std::nullopt;
  return retry_at_;
}

// --- Status --------------------------------------------------------------------------------------

std::vector<JoinGroupStatus> Memberships::joined() const {
  std::vector<JoinGroupStatus> rows;
  for (const auto& [index, memberships] : joined_) {
    const Link* link = links_.find(index);
    if (link == nullptr) continue;
    for (const auto& [m, number] : memberships) {
      rows.push_back({.iif = link->name,
                      .source = source_of(m),
                      .group = m.first,
                      .table = links_.traffic_table(*link, m.first.family())});
    }
  }
  return rows;
}

std::string Memberships::failure_on(IfIndex link) const {
  const auto found = failures_.find(link);
  return found == failures_.end() ? std::string() : found->second;
}

}  // namespace mcast
