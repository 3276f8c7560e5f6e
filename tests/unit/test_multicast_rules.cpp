// SPDX-License-Identifier: BSD-2-Clause
#include "core/multicast_rules.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

using namespace mcast;

namespace {

using Match = MulticastRule::Match;

MulticastRule rule(std::uint32_t table, const std::string& interface, Match match = Match::inbound,
                   Family family = Family::ipv4) {
  return {{family, TableId(table)}, match, interface};
}

KernelMulticastRule own(const MulticastRule& rule) {
  return {rule, priority_of(rule.match), true, "protocol 77", "", false};
}

KernelMulticastRule foreign(const MulticastRule& rule, std::uint32_t priority) {
  return {rule,
          priority,
          false,
          "static",
          fmt::format("iif {} table {} pref {}", rule.interface, rule.table.id.value, priority),
          false};
}

KernelMulticastRule last_rule(Family family) {
  return foreign(rule(family == Family::ipv4 ? 253 : 254, "", Match::inbound, family), 32767);
}

/// Rules, and a kernel that holds them in its order.
struct Host {
  std::vector<Notice> notices;
  MulticastRules rules{notices};
  std::vector<KernelMulticastRule> kernel;
  std::set<std::uint32_t> closed;  ///< tables that are not ready
  bool closed_come = true;         ///< and whether they will be
  std::function<Result<void>(const Op&)> refuse = [](const Op&) { return Result<void>(); };
  Milliseconds now = 0;
  /// Called after each step.
  std::function<void()> watch = [] {};

  void hear() { rules.learned(kernel); }
  Plan plan() {
    Plan plan;
    rules.plan_drops(
        plan, now, [&](TableKey table) { return closed_come || !closed.contains(table.id.value); });
    rules.plan_adds(plan, now, [&](TableKey table) { return !closed.contains(table.id.value); });
    return plan;
  }
  std::vector<std::string> settle() {
    std::vector<std::string> steps;
    for (Plan steps_now = plan(); !steps_now.empty(); steps_now = plan()) {
      for (const Op& op : steps_now) {
        steps.push_back(to_string(op));
        carry_out(op);
        watch();
      }
    }
    return steps;
  }
  void carry_out(const Op& op) {
    Result<void> outcome = refuse(op);
    if (const auto* add = std::get_if<AddMulticastRule>(&op)) {
      if (outcome) insert(own(add->rule));
      rules.acknowledge(*add, outcome, now);
    } else if (const auto* drop = std::get_if<DropMulticastRule>(&op)) {
      if (outcome) std::erase(kernel, own(drop->rule));
      rules.acknowledge(*drop, outcome, now);
    } else {
      FAIL("not a step for rules");
    }
  }
  void insert(const KernelMulticastRule& rule) {
    kernel.insert(
        std::ranges::upper_bound(kernel, rule.priority, {}, &KernelMulticastRule::priority), rule);
  }
  /// The table that packets arriving on the interface choose.
  std::uint32_t table_of(const std::string& interface) const {
    for (const auto& entry : kernel) {
      if (entry.rule.match != Match::inbound) continue;
      if (entry.rule.interface.empty() || entry.rule.interface == interface) {
        return entry.rule.table.id.value;
      }
    }
    return 0;
  }
  std::vector<std::string> told() {
    std::vector<std::string> texts;
    for (const Notice& notice : std::exchange(notices, {})) texts.push_back(notice.text);
    return texts;
  }
};

std::string add(std::string_view packets, std::uint32_t table) {
  return fmt::format("add the rule that what {} goes to IPv4 table {}", packets, table);
}
std::string drop(std::string_view packets, std::uint32_t table) {
  return fmt::format("drop the rule that what {} goes to IPv4 table {}", packets, table);
}
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("wanted rules are added, unwanted ones dropped, and then nothing is left to do") {
  Host host;
  host.rules.set_wanted({rule(10, "a"), rule(10, "a", Match::sent)});
  CHECK(host.settle() == Lines{add("arrives on a", 10), add("this host sends on a", 10)});
  CHECK(host.settle().empty());
  CHECK(host.rules.points_at({Family::ipv4, TableId(10)}));
  CHECK_FALSE(host.rules.points_at({Family::ipv6, TableId(10)}));
  CHECK_FALSE(host.rules.points_at({Family::ipv4, TableId(9)}));
  host.rules.set_wanted({rule(10, "a")});
  CHECK(host.settle() == Lines{drop("this host sends on a", 10)});
  CHECK(host.rules.held() == std::vector{rule(10, "a")});
  host.rules.set_wanted({});
  CHECK(host.settle() == Lines{drop("arrives on a", 10)});
  CHECK_FALSE(host.rules.points_at({Family::ipv4, TableId(10)}));
  CHECK(host.told().empty());
}

TEST_CASE("a rule waits for its table to be ready") {
  Host host;
  host.closed = {10};
  host.rules.set_wanted({rule(10, "a"), rule(11, "b")});
  CHECK(host.settle() == Lines{add("arrives on b", 11)});
  CHECK_FALSE(host.rules.next_deadline());
  host.closed.clear();
  CHECK(host.settle() == Lines{add("arrives on a", 10)});
}

TEST_CASE("packets that change tables never choose the default one in between") {
  Host host;
  host.kernel = {last_rule(Family::ipv4)};
  host.rules.set_wanted({rule(10, "a")});
  host.settle();
  std::vector<std::uint32_t> seen;
  host.watch = [&] { seen.push_back(host.table_of("a")); };
  host.closed = {11};
  host.rules.set_wanted({rule(11, "a")});
  CHECK(host.settle().empty());  // while the new table is opened and filled
  host.closed.clear();
  host.settle();
  CHECK(seen == std::vector<std::uint32_t>{10, 11});
}

TEST_CASE("a rule whose successor cannot come is dropped all the same") {
  Host host;
  host.rules.set_wanted({rule(10, "a")});
  host.settle();
  host.rules.set_wanted({rule(11, "a")});
  SUBCASE("its table is not to be had") {
    host.closed = {11};
    host.closed_come = false;
    CHECK(host.settle() == Lines{drop("arrives on a", 10)});
  }
  SUBCASE("the kernel refuses it") {
    host.refuse = [](const Op& op) -> Result<void> {
      if (std::holds_alternative<AddMulticastRule>(op)) return fail(ErrorCode::os, "full");
      return {};
    };
    CHECK(host.settle() == Lines{add("arrives on a", 11), drop("arrives on a", 10)});
  }
  CHECK_FALSE(host.rules.points_at({Family::ipv4, TableId(10)}));
}

TEST_CASE("families and directions change tables on their own") {
  Host host;
  host.rules.set_wanted({rule(10, "a")});
  host.settle();
  host.rules.set_wanted({rule(11, "a", Match::sent), rule(11, "a", Match::inbound, Family::ipv6)});
  host.closed = {11};
  CHECK(host.settle() == Lines{drop("arrives on a", 10)});
}

TEST_CASE("rules of an earlier life are taken over if they are wanted, otherwise dropped") {
  Host host;
  host.kernel = {own(rule(10, "a")), own(rule(12, "old"))};
  host.hear();
  CHECK(host.rules.points_at({Family::ipv4, TableId(12)}));
  host.rules.set_wanted({rule(10, "a"), rule(10, "b")});
  CHECK(host.settle() == Lines{drop("arrives on old", 12), add("arrives on b", 10)});
  CHECK(host.told().empty());
}

TEST_CASE("what is left over for another table goes after its successor has come") {
  Host host;
  host.kernel = {own(rule(12, "a"))};
  host.hear();
  host.rules.set_wanted({rule(10, "a")});
  CHECK(host.settle() == Lines{add("arrives on a", 10), drop("arrives on a", 12)});
}

TEST_CASE("rules of another instance that runs are left alone") {
  Host host;
  KernelMulticastRule other = own(rule(20, "x"));
  other.of_other_instance = true;
  host.kernel = {other};
  host.hear();
  CHECK(host.settle().empty());
  CHECK(host.rules.held().empty());
  host.rules.set_wanted({rule(10, "x")});
  CHECK(host.told() ==
        Lines{"x: IPv4 packets that arrive on it are to go to table 10, but another instance of "
              "mcastd takes them to table 20 by a rule of priority 800; name x in the "
              "configuration of one of the two only"});
}

TEST_CASE("rules that somebody removed are restored, which is told in one line") {
  Host host;
  host.rules.set_wanted({rule(10, "a"), rule(10, "b"), rule(10, "c")});
  host.settle();
  host.kernel = {own(rule(10, "b"))};
  host.hear();
  CHECK(host.told() == Lines{"the rule that what arrives on a goes to IPv4 table 10 and 1 more are "
                             "missing from the kernel: another program removed them; they are "
                             "restored"});
  CHECK(host.settle() == Lines{add("arrives on a", 10), add("arrives on c", 10)});
  host.kernel.pop_back();
  host.hear();
  CHECK(host.told().size() == 1);
  host.hear();
  CHECK(host.told().empty());
  CHECK(host.settle() == Lines{add("arrives on c", 10)});
}

TEST_CASE("the loss of the kernel's own rule is told, not mended") {
  Host host;
  host.kernel = {last_rule(Family::ipv4), last_rule(Family::ipv6)};
  host.hear();
  host.kernel = {last_rule(Family::ipv4)};
  host.hear();
  const Lines told = host.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("last IPv6 multicast rule") != std::string::npos);
  CHECK(told[0].find("ip -6 mrule add pref 32767 table main") != std::string::npos);
  host.hear();
  CHECK(host.told().empty());
  CHECK(host.settle().empty());
}

TEST_CASE("a failed step is told once and tried again with growing pauses") {
  Host host;
  bool full = true;
  host.refuse = [&](const Op&) -> Result<void> {
    if (full) return fail(ErrorCode::os, "no memory");
    return {};
  };
  host.rules.set_wanted({rule(10, "a"), rule(10, "b")});
  CHECK(host.settle().size() == 2);
  CHECK(host.told() == Lines{"cannot add the rule that what arrives on a goes to IPv4 table 10: no "
                             "memory",
                             "cannot add the rule that what arrives on b goes to IPv4 table 10: no "
                             "memory"});
  CHECK(host.rules.problem({Family::ipv4, TableId(10)}, "a") == "no memory");
  CHECK(host.rules.problem({Family::ipv4, TableId(10)}, "c").empty());
  Milliseconds pause = 0;
  for (int i = 0; i < 4; ++i) {
    CHECK(host.settle().empty());
    REQUIRE(host.rules.next_deadline());
    const Milliseconds next = *host.rules.next_deadline() - host.now;
    CHECK(next > pause);
    pause = next;
    host.now += next;
    CHECK(host.settle().size() == 2);
  }
  CHECK(host.told().empty());
  full = false;
  host.now = *host.rules.next_deadline();
  CHECK(host.settle().size() == 2);
  CHECK(host.told() == Lines{"what arrives on a goes to IPv4 table 10 now",
                             "what arrives on b goes to IPv4 table 10 now"});
  CHECK_FALSE(host.rules.next_deadline());
  CHECK(host.rules.problem({Family::ipv4, TableId(10)}, "a").empty());
}

TEST_CASE("a drop that failed is tried again, and forgotten when the rule is wanted again") {
  Host host;
  host.rules.set_wanted({rule(10, "a")});
  host.settle();
  host.refuse = [](const Op&) -> Result<void> { return fail(ErrorCode::os, "busy"); };
  host.rules.set_wanted({});
  CHECK(host.settle().size() == 1);
  CHECK(host.rules.points_at({Family::ipv4, TableId(10)}));
  REQUIRE(host.rules.next_deadline());
  SUBCASE("again") {
    host.now = *host.rules.next_deadline();
    CHECK(host.settle() == Lines{drop("arrives on a", 10)});
  }
  SUBCASE("forgotten") {
    host.rules.set_wanted({rule(10, "a")});
    CHECK_FALSE(host.rules.next_deadline());
    CHECK(host.settle().empty());
  }
}

TEST_CASE("a rule of somebody else that comes first is named with its remedy") {
  Host host;
  const auto collides = [&](const KernelMulticastRule& other, const MulticastRule& ours) {
    host.kernel = {other};
    host.hear();
    return !host.rules.collisions({ours}).empty();
  };
  CHECK(collides(foreign(rule(5, "a"), 100), rule(10, "a")));
  CHECK(host.rules.collisions({rule(10, "a")}) ==
        Lines{"a: IPv4 packets that arrive on it are to go to table 10, but a rule of priority 100 "
              "(protocol static) takes them to table 5; remove it with ip mrule del iif a table 5 "
              "pref 100"});
  CHECK(collides(foreign(rule(5, ""), 100), rule(10, "a")));
  CHECK(collides(foreign(rule(0, "a"), 100), rule(10, "a")));
  CHECK(collides(foreign(rule(5, "a"), 800), rule(10, "a")));
  // To the same end, and the kernel takes them for different rules.
  CHECK_FALSE(collides(foreign(rule(10, "a"), 800), rule(10, "a")));
  CHECK_FALSE(collides(foreign(rule(10, "a"), 100), rule(10, "a")));
  CHECK_FALSE(collides(foreign(rule(10, "a"), 900), rule(10, "a")));
  CHECK_FALSE(collides(foreign(rule(5, "a"), 801), rule(10, "a")));
  CHECK(collides(foreign(rule(5, "a", Match::sent), 801), rule(10, "a", Match::sent)));
  CHECK_FALSE(collides(foreign(rule(5, "a", Match::sent), 100), rule(10, "a")));
  CHECK_FALSE(collides(foreign(rule(5, "b"), 100), rule(10, "a")));
  CHECK_FALSE(collides(foreign(rule(5, "a", Match::inbound, Family::ipv6), 100), rule(10, "a")));
  CHECK_FALSE(collides(last_rule(Family::ipv4), rule(10, "a")));
}

TEST_CASE("of rules with equal priority the one that was there first counts") {
  Host host;
  host.rules.set_wanted({rule(10, "a")});
  host.settle();
  host.insert(foreign(rule(5, "a"), 800));
  host.hear();
  CHECK(host.rules.problem({Family::ipv4, TableId(10)}, "a").empty());
  std::ranges::reverse(host.kernel);
  host.hear();
  CHECK_FALSE(host.rules.problem({Family::ipv4, TableId(10)}, "a").empty());
}

TEST_CASE("collisions are told when they begin and when they end") {
  Host host;
  host.rules.set_wanted({rule(10, "a")});
  host.settle();
  host.insert(foreign(rule(5, "a"), 100));
  host.hear();
  CHECK(host.told().size() == 1);
  host.hear();
  CHECK(host.told().empty());
  CHECK(host.rules.problem({Family::ipv4, TableId(10)}, "a").find("table 5") != std::string::npos);
  host.kernel.erase(host.kernel.begin());
  host.hear();
  CHECK(host.told() == Lines{"no other rule takes what arrives on a any more"});
  CHECK(host.rules.problem({Family::ipv4, TableId(10)}, "a").empty());
}
