// SPDX-License-Identifier: BSD-2-Clause
#include "core/memberships.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/config_words.hpp"

using namespace mcast;

namespace {

JoinRule rule(const std::vector<std::string>& words) {
  const JoinWords parsed = parse_join_words(words).value();
  return {.iif = parsed.iif,
          .source = parsed.source,
          .group = parsed.group,
          .where = {0, 1},
          .by_route = false};
}

/// Interfaces with memberships, and a kernel that takes `room` joins.
struct Host {
  static constexpr std::size_t kLimit = 100;
  explicit Host(std::size_t source_limit = 0)
      : memberships(links, notices, {.per_rule = 64, .joined = kLimit, .sources = source_limit}) {}
  LinkTable links;
  std::vector<Notice> notices;
  Memberships memberships;
  std::size_t most_sources = 0;  ///< that the kernel ever had of one group on one interface
  std::map<std::pair<IfIndex, Address>, std::size_t> sources;
  bool leaves_fail = false;
  std::size_t room = 1'000'000;
  Milliseconds now = 0;

  void add(unsigned index, const std::string& name) {
    Link link;
    link.index = IfIndex(index);
    link.name = name;
    link.multicast = true;
    links.put(link);
    memberships.link_changed(link.index);
  }
  void remove(unsigned index) {
    memberships.link_departed(IfIndex(index));
    links.remove(IfIndex(index));
  }
  /// The steps it took.
  Plan settle() {
    Plan all;
    while (true) {
      Plan plan;
      memberships.plan(plan, now, 16);
      if (plan.empty()) return all;
      for (const Op& op : plan) acknowledge(op);
      all.insert(all.end(), plan.begin(), plan.end());
    }
  }
  void acknowledge(const Op& op) {
    if (std::holds_alternative<LeaveGroup>(op) && leaves_fail) {
      return memberships.acknowledge(std::get<LeaveGroup>(op), fail(ErrorCode::os, "busy"), now);
    }
    const auto count = [&](const auto& step, std::size_t more) {
      if (!step.source) return;
      most_sources = std::max(most_sources, sources[{step.link, step.group}] += more);
    };
    if (const auto* join = std::get_if<JoinGroup>(&op)) {
      if (room != 0) count(*join, 1);
    } else {
      count(std::get<LeaveGroup>(op), static_cast<std::size_t>(-1));
    }
    if (const auto* join = std::get_if<JoinGroup>(&op)) {
      const bool full = room == 0;
      if (!full) --room;
      memberships.acknowledge(
          *join,
          full ? Result<void>(fail(ErrorCode::limit_reached, "no room; raise it")) : Result<void>(),
          now);
    } else {
      ++room;
      memberships.acknowledge(std::get<LeaveGroup>(op), {}, now);
    }
  }
  std::size_t joined() { return memberships.joined().size(); }
};

}  // namespace

TEST_CASE("what several rules ask for is joined once and left with the last of them") {
  Host host;
  host.add(1, "eth0");
  host.memberships.set_rules({rule({"eth0", "225.1.1.0/30"}), rule({"eth+", "225.1.1.1"})});
  CHECK(host.settle().size() == 4);
  CHECK(
      host.memberships.remove({InterfacePattern::exact("eth0"), {}, *Prefix::parse("225.1.1.0/30")})
          .size() == 1);
  CHECK(host.settle().size() == 3);
  CHECK(host.joined() == 1);
  host.memberships.set_rules({});
  CHECK(host.settle().size() == 1);
  CHECK(host.joined() == 0);
}

TEST_CASE("leaves come in the reverse order of joins") {
  Host host;
  host.add(1, "eth0");
  host.memberships.set_rules({rule({"eth0", "225.1.1.0/28"})});
  const Plan joins = host.settle();
  host.memberships.set_rules({});
  const Plan leaves = host.settle();
  REQUIRE(joins.size() == leaves.size());
  for (std::size_t i = 0; i < joins.size(); ++i) {
    CHECK(std::get<JoinGroup>(joins[i]).group ==
          std::get<LeaveGroup>(leaves[leaves.size() - 1 - i]).group);
  }
}

TEST_CASE("what was joined last is left first, whatever its group") {
  Host host;
  host.add(1, "eth0");
  host.memberships.set_rules({rule({"eth0", "225.1.1.2"})});
  host.settle();
  host.memberships.set_rules({rule({"eth0", "225.1.1.0/30"})});
  host.settle();
  host.memberships.set_rules({});
  const Plan leaves = host.settle();
  REQUIRE(leaves.size() == 4);
  CHECK(std::get<LeaveGroup>(leaves[0]).group.to_string() == "225.1.1.3");
  CHECK(std::get<LeaveGroup>(leaves[3]).group.to_string() == "225.1.1.2");
}

TEST_CASE("a link that another pattern comes to match keeps what it has") {
  Host host;
  host.add(1, "eth0");
  host.memberships.set_rules({rule({"eth0", "225.1.1.1"}), rule({"lan0", "225.1.1.1"})});
  CHECK(host.settle().size() == 1);
  host.add(1, "lan0");
  CHECK(host.settle().empty());
  host.add(1, "wan0");
  CHECK(host.settle().size() == 1);
}

TEST_CASE(
    "where the kernel has no more room the rest stays joined and the others are tried again") {
  Host host;
  host.add(1, "eth0");
  host.room = 10;
  host.memberships.set_rules({rule({"eth0", "225.1.1.0/28"})});
  host.settle();
  CHECK(host.joined() == 10);
  REQUIRE(host.notices.size() == 1);
  CHECK(host.notices[0].text.find("raise it") != std::string::npos);
  CHECK_FALSE(host.memberships.failure_on(IfIndex(1)).empty());
  host.room = 100;
  CHECK(host.settle().empty());
  REQUIRE(host.memberships.next_deadline());
  host.now = *host.memberships.next_deadline();
  CHECK(host.settle().size() == 6);
  CHECK(host.joined() == 16);
  CHECK(host.memberships.failure_on(IfIndex(1)).empty());
  CHECK(host.notices.size() == 1);
}

TEST_CASE("joins that wildcards multiply are bounded, and room that becomes free is used") {
  Host host;
  for (unsigned i = 1; i <= 3; ++i) host.add(i, fmt::format("eth{}", i));
  host.memberships.set_rules({rule({"eth+", "225.1.1.0/27"})});
  host.settle();
  CHECK(host.joined() == 96);
  CHECK(host.notices.empty());
  host.add(4, "eth4");
  host.settle();
  CHECK(host.joined() == Host::kLimit);
  REQUIRE(host.notices.size() == 1);
  CHECK(host.notices[0].text.find("more than 100 joins") != std::string::npos);
  CHECK_FALSE(host.memberships.next_deadline());
  host.remove(1);
  host.settle();
  CHECK(host.joined() == 96);
  CHECK(host.memberships.failure_on(IfIndex(4)).empty());
}

TEST_CASE("a rule beyond the limit is refused, alone and with all others") {
  Host host;
  CHECK(host.memberships.is_too_large(rule({"eth0", "225.1.1.0/25"})));
  CHECK_FALSE(host.memberships.is_too_large(rule({"eth0", "225.1.1.0/26"})));
  CHECK(host.memberships.has_room_for(rule({"eth0", "225.0.0.0/16"})));
  for (int i = 0; i < 4096; ++i) {
    host.memberships.add(rule({"eth0", fmt::format("225.{}.{}.0/26", i / 256, i % 256)}));
  }
  CHECK_FALSE(host.memberships.has_room_for(rule({"eth0", "226.1.1.1"})));
}

TEST_CASE("no group gets more sources than the kernel survives, over all rules") {
  for (const std::string& group : {std::string("232.1.1.1"), std::string("ff35::1")}) {
    CAPTURE(group);
    const std::string source = group == "ff35::1" ? "fd00::" : "10.0.0.";
    const auto rules_for = [&](unsigned from, unsigned count) {
      std::vector<JoinRule> list;
      for (unsigned i = from; i < from + count; ++i) {
        list.push_back(rule({"eth0", fmt::format("{}{}", source, i), group}));
      }
      return list;
    };
    Host host(20);
    host.add(1, "eth0");
    host.add(2, "eth1");
    auto rules = rules_for(1, 30);
    for (const char* other : {"eth+", "eth1"}) {
      for (unsigned i = 1; i <= 15; ++i) {
        rules.push_back(rule({other, fmt::format("{}{}", source, i), group}));
      }
    }
    host.memberships.set_rules(rules);
    host.settle();
    CHECK(host.joined() == 20 + 15);
    CHECK(host.most_sources == 20);
    REQUIRE(host.notices.size() == 1);
    CHECK(host.notices[0].text.find("more than 20 sources of " + group) != std::string::npos);
    CHECK_FALSE(host.memberships.failure_on(IfIndex(1)).empty());
    CHECK(host.memberships.failure_on(IfIndex(2)).empty());
    CHECK_FALSE(host.memberships.next_deadline());

    // All at once for others, which fit when the old ones are left and not before.
    host.memberships.set_rules(rules_for(101, 20));
    host.settle();
    CHECK(host.joined() == 20);
    CHECK(host.most_sources == 20);
    CHECK(host.memberships.failure_on(IfIndex(1)).empty());
    CHECK(host.notices.size() == 1);

    host.memberships.add(rule({"eth0", fmt::format("{}{}", source, 200), group}));
    host.settle();
    CHECK(host.joined() == 20);
    CHECK(host.notices.size() == 2);
    const auto left = parse_join_words({"eth0", fmt::format("{}{}", source, 101), group}).value();
    host.leaves_fail = true;
    host.memberships.remove(left);
    host.settle();
    CHECK(host.most_sources == 20);
    host.leaves_fail = false;
    host.now = host.memberships.next_deadline().value_or(0);
    host.settle();
    CHECK(host.joined() == 20);
    CHECK(host.most_sources == 20);
    CHECK(host.memberships.failure_on(IfIndex(1)).empty());

    host.remove(1);
    host.add(1, "eth0");
    host.settle();
    CHECK(host.joined() == 20);
    CHECK(host.most_sources == 20);
  }
}

TEST_CASE("groups without a source and other groups have a number of their own") {
  Host host(4);
  host.add(1, "eth0");
  host.memberships.set_rules(
      {rule({"eth0", "10.0.0.0/30", "232.1.1.0/30"}), rule({"eth0", "225.1.1.0/28"})});
  host.settle();
  CHECK(host.joined() == 16 + 16);
  CHECK(host.notices.empty());
}
