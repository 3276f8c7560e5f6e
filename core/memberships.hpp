// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/link_table.hpp"
#include "core/ops.hpp"
#include "core/result.hpp"
#include "core/status.hpp"

namespace mcast {

/// Group memberships: what `mgroup` lines want on the interfaces that exist, and what is joined. A
/// membership dies with its interface and is made anew when one of that name comes back.
class Memberships {
 public:
  /// `links` and `notices` must outlive this.
  Memberships(const LinkTable& links, std::vector<Notice>& notices, std::uint64_t max_per_rule);

  void set_rules(std::vector<JoinRule> rules);
  void add(JoinRule rule);
  /// Removes the rules equal to these words; how many there were.
  std::size_t remove(const JoinWords& words);
  [[nodiscard]] bool contains(const JoinWords& words) const;
  [[nodiscard]] const std::vector<JoinRule>& rules() const { return rules_; }
  /// Whether the rule stands for more joins than one rule may.
  [[nodiscard]] bool is_too_large(const JoinRule& rule) const;

  void link_changed(IfIndex link) { dirty_links_.insert(link); }
  void link_departed(IfIndex link);
  void all_links_changed();

  void plan(Plan& plan, Milliseconds now, std::size_t limit);
  void acknowledge(const JoinGroup& op, const Result<void>& outcome, Milliseconds now);
  void acknowledge(const LeaveGroup& op, const Result<void>& outcome, Milliseconds now);
  [[nodiscard]] std::optional<Milliseconds> next_deadline() const;

  [[nodiscard]] std::vector<JoinGroupStatus> joined() const;
  /// Why the last join of this interface failed, empty if none did.
  [[nodiscard]] std::string failure_on(IfIndex link) const;

 private:
  /// Group and source; an unspecified source stands for any.
  using Membership = std::pair<Address, Address>;
  [[nodiscard]] std::set<Membership> wanted_on(const Link& link) const;
  void expand(const JoinRule& rule, std::set<Membership>& into) const;
  void compare(IfIndex link);

  const LinkTable& links_;
  std::vector<Notice>& notices_;
  const std::uint64_t max_per_rule_;
  std::vector<JoinRule> rules_;

  std::map<IfIndex, std::set<Membership>> joined_;
  std::set<IfIndex> dirty_links_;
  /// Found by comparing and not planned yet. Leaves go first: an interface index may be used again.
  std::vector<LeaveGroup> leaves_;
  std::vector<JoinGroup> joins_;

  std::set<LeaveGroup> stuck_;  ///< leaves that failed, to be tried again

  std::map<IfIndex, std::string> failures_;
  std::set<IfIndex> retry_links_;
  unsigned failed_rounds_ = 0;
  Milliseconds retry_at_ = 0;
};

}  // namespace mcast
