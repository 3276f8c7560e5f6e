// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/ids.hpp"
#include "core/ops.hpp"
#include "core/result.hpp"
#include "core/status.hpp"

namespace mcast {

/// The multicast rules that are wanted, compared with those that the kernel holds for us.
///
/// When the packets of an interface change over from one table to another, the new rule is added
/// before the old one is dropped. Both have the same priority, and among equals the kernel asks the
/// one first that it was given first (fib_nl_newrule): until the old rule goes, all packets choose
/// its table, and from then on all choose the new one. The other way round those in between would
/// go to the default table.
class MulticastRules {
 public:
  using TableTest = std::function<bool(TableKey)>;

  /// `notices` must outlive this.
  explicit MulticastRules(std::vector<Notice>& notices) : notices_(notices) {}

  /// At most one table for each family, interface and match.
  void set_wanted(std::set<MulticastRule> wanted);
  [[nodiscard]] const std::set<MulticastRule>& wanted() const { return wanted_; }

  /// All that the kernel holds now, in its order. What of ours is missing is planned again, what is
  /// ours and there already is taken over, whoever added it, and is dropped if nobody wants it.
  void learned(std::span<const KernelMulticastRule> rules);

  /// `comes`: whether the table is open or about to be. As long as it is, the rule that leads there
  /// is waited for before its predecessor is dropped.
  void plan_drops(Plan& plan, Milliseconds now, const TableTest& comes);
  /// `ready`: whether the table is open and filled.
  void plan_adds(Plan& plan, Milliseconds now, const TableTest& ready);
  void acknowledge(const AddMulticastRule& op, const Result<void>& outcome, Milliseconds now);
  void acknowledge(const DropMulticastRule& op, const Result<void>& outcome, Milliseconds now);
  [[nodiscard]] std::optional<Milliseconds> next_deadline() const;

  /// Why packets would not choose the tables that these rules say, for the rules of others that
  /// were learned last: one line for each that does not.
  [[nodiscard]] std::vector<std::string> collisions(const std::set<MulticastRule>& wanted) const;
  /// Why packets of the interface do not choose this table, although it is wanted; empty if they
  /// do as far as rules are concerned.
  [[nodiscard]] std::string problem(TableKey table, std::string_view interface) const;
  /// Those of ours that are in the kernel.
  [[nodiscard]] std::vector<MulticastRule> held() const;
  /// Whether a rule of ours that is in the kernel leads to this table.
  [[nodiscard]] bool points_at(TableKey table) const;

 private:
  /// Which packets a rule is about.
  using Packets = std::tuple<Family, MulticastRule::Match, std::string>;
  /// A rule of somebody else, and where it stands in the kernel's order.
  struct Foreign {
    KernelMulticastRule rule;
    std::size_t position = 0;
  };

  [[nodiscard]] static Packets packets_of(const MulticastRule& rule) {
    return {rule.table.family, rule.match, rule.interface};
  }
  [[nodiscard]] bool waits(const MulticastRule& rule) const { return retry_.contains(rule); }
  void retry_what_is_due(Milliseconds now);
  void failed(const Op& op, const MulticastRule& rule, const Error& error, Milliseconds now);
  void succeeded(const MulticastRule& rule);
  void compare();
  [[nodiscard]] bool is_in_the_way(const Foreign& foreign, const MulticastRule& rule) const;
  [[nodiscard]] std::optional<std::string> collision(const MulticastRule& rule) const;
  void tell_collisions();
  void tell_missing(const std::set<MulticastRule>& now);
  void tell_last_rules(std::span<const KernelMulticastRule> rules);

  std::vector<Notice>& notices_;
  std::set<MulticastRule> wanted_;
  std::map<Packets, TableKey> wanted_tables_;
  /// With the place in the kernel's order where it was seen; none for those added since.
  std::map<MulticastRule, std::optional<std::size_t>> held_;
  std::set<MulticastRule> missing_;  ///< wanted and not held
  std::set<MulticastRule> surplus_;  ///< held and not wanted
  std::map<Packets, std::vector<Foreign>> foreign_;

  std::map<MulticastRule, std::string> told_collisions_;
  std::set<Family> last_rules_;  ///< families that have a rule for all other packets
  std::map<MulticastRule, std::string> failures_;
  std::set<MulticastRule> retry_;
  unsigned failed_rounds_ = 0;
  Milliseconds retry_at_ = 0;
};

}  // namespace mcast
