// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
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

/// Group memberships: what `mgroup` lines and the `join` of routes want on the interfaces that
/// exist, and what is joined. A membership dies with its interface and is made anew when one of
/// that name comes back.
///
/// A link event costs as many comparisons as there are distinct patterns, and a command as many as
/// the joins it stands for, however many others there are.
class Memberships {
 public:
  struct Limits {
    std::uint64_t per_rule;  ///< joins that one rule may stand for
    std::size_t joined;      ///< on all interfaces together; wildcards could ask for any number
    /// Sources of one group on one interface, over all rules; 0 for any number. One more may be the
    /// end of the kernel, so it is never asked for, not even while another one is being left.
    std::size_t sources = 0;
  };

  /// `links` and `notices` must outlive this.
  Memberships(const LinkTable& links, std::vector<Notice>& notices, Limits limits);

  void set_rules(std::vector<JoinRule> rules);
  void add(JoinRule rule);
  /// Removes the rules equal to these words and returns them.
  std::vector<JoinRule> remove(const JoinWords& words);
  /// The same for those that came with routes.
  std::vector<JoinRule> remove_joins_of_routes(const JoinWords& words);
  [[nodiscard]] bool contains(const JoinWords& words) const;
  [[nodiscard]] const std::list<JoinRule>& rules() const { return rules_; }
  /// Which interfaces a rule means.
  using Pattern = std::pair<InterfacePattern, Domain>;
  /// The distinct patterns of the rules of a family, and where each first stands.
  [[nodiscard]] std::vector<std::pair<Pattern, Location>> patterns(Family family) const;
  [[nodiscard]] bool has_pattern(const InterfacePattern& pattern) const {
    return std::ranges::any_of(patterns_,
                               [&](const auto& entry) { return entry.first.first == pattern; });
  }
  /// Whether the rule stands for more joins than one rule may, or than all together may.
  [[nodiscard]] bool is_too_large(const JoinRule& rule) const;
  [[nodiscard]] bool has_room_for(const JoinRule& rule) const;

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
  [[nodiscard]] const std::map<IfIndex, std::string>& failures() const { return failures_; }

 private:
  using RuleList = std::list<JoinRule>;
  /// Group and source; an unspecified source stands for any.
  using Membership = std::pair<Address, Address>;
  /// What is joined, with a number that grows from one to the next.
  using Joined = std::map<Membership, std::uint64_t>;
  using Wish = std::pair<Prefix, std::optional<Prefix>>;
  /// What is wanted wherever the pattern matches.
  struct Wanted {
    std::multimap<Wish, RuleList::iterator> rules;
    std::map<Membership, std::uint32_t> members;  ///< how many rules ask for each
    std::set<IfIndex> links;                      ///< where it applies now
    struct Rules {
      std::size_t count = 0;
      Location first;  ///< of those that there were; it only orders new slots
    };
    std::array<Rules, 2> by_family;
    Rules& of(Family family) { return by_family[family == Family::ipv4 ? 0 : 1]; }
    [[nodiscard]] const Rules& of(Family family) const {
      return by_family[family == Family::ipv4 ? 0 : 1];
    }
  };

  void count(const JoinRule& rule, bool add);
  void touch(const Wanted& wanted, const Membership& membership);
  std::vector<JoinRule> remove_if(const JoinWords& words, bool only_of_routes);
  [[nodiscard]] bool is_wanted(IfIndex link, const Membership& membership) const;
  [[nodiscard]] const Joined& joined_on(IfIndex link) const;
  void rematch(IfIndex link);
  bool leave_stuck(IfIndex link);
  /// Leaves those that `unwanted` holds for, in an order that is cheap for the kernel.
  template <class Unwanted>
  void leave_if(IfIndex link, const Joined& joined, const Unwanted& unwanted);
  void compare(IfIndex link);
  void compare_touched(IfIndex link, const std::vector<Membership>& touched);
  void want(IfIndex link, const Membership& membership);
  void refuse_more(IfIndex link, const Membership& membership);
  [[nodiscard]] bool has_room_for_source(IfIndex link, const Address& group) const;
  template <class Step>
  void count_source(const Step& step, bool add);
  void refuse_source(IfIndex link, const Membership& membership);
  void forget_failures();
  void retry(IfIndex link, Milliseconds now);

  const LinkTable& links_;
  std::vector<Notice>& notices_;
  const Limits limits_;
  RuleList rules_;  ///< in configuration order
  std::map<Pattern, Wanted> patterns_;
  std::uint64_t total_ = 0;  ///< joins that all rules stand for

  std::map<IfIndex, Joined> joined_;
  std::uint64_t last_joined_ = 0;
  std::size_t joined_count_ = 0;
  /// The patterns that apply to each link.
  std::map<IfIndex, std::vector<Wanted*>> wanted_on_;
  std::set<IfIndex> dirty_links_;                       ///< other patterns may apply
  std::set<IfIndex> compare_links_;                     ///< all of it has to be compared
  std::map<IfIndex, std::vector<Membership>> touched_;  ///< only these
  /// Found by comparing and not planned yet. Leaves go first: an interface index may be used again.
  std::vector<LeaveGroup> leaves_;
  std::vector<JoinGroup> joins_;

  std::set<IfIndex> full_links_;  ///< where the limit left joins out
  /// Sources that the kernel has or is to have: joined, planned and not left yet.
  std::map<std::pair<IfIndex, Address>, std::set<Address>> sources_;
  std::set<IfIndex> crowded_links_;  ///< where the limit of sources left joins out
  std::set<LeaveGroup> stuck_;       ///< leaves that failed, to be tried again

  std::map<IfIndex, std::string> failures_;
  std::set<IfIndex> retry_links_;
  unsigned failed_rounds_ = 0;
  Milliseconds retry_at_ = 0;
};

}  // namespace mcast
