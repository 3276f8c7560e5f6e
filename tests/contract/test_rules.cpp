// SPDX-License-Identifier: BSD-2-Clause
//
// Multicast rules, and the tables that packets choose by them.
#include <algorithm>

#include "tests/contract/contract_lab.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

using Match = MulticastRule::Match;

/// Tables of their own beside the default one, which sends what comes from a to b. Those send it to
/// c or back to a, so that one sees which was chosen.
struct RuleLab : Lab {
  explicit RuleLab(Family family) : Lab(family) { REQUIRE(put(shape(0, {1}))); }

  [[nodiscard]] TableKey key(std::uint32_t id) const { return {table.family, TableId(id)}; }
  [[nodiscard]] MulticastRule rule(std::uint32_t id, const std::string& interface,
                                   Match match = Match::inbound) const {
    return {key(id), match, interface};
  }
  /// A table that forwards from `from` to `to`.
  void open(std::uint32_t id, const std::string& from, const std::string& to) {
    REQUIRE(kernel().adopt_table(under_test->keeper().open_table(key(id)).value()));
    const auto bind_there = [&](unsigned number, const std::string& name) {
      BindVif step = bind_step(number, name);
      step.table = key(id);
      REQUIRE(kernel().apply(step));
    };
    bind_there(0, from);
    bind_there(1, to);
    REQUIRE(kernel().apply(PutMfc{key(id), flow(from), shape(0, {1})}));
  }
  platform::MulticastRuleSocket& rules() { return under_test->rules(); }
  Result<void> add(const MulticastRule& rule) { return rules().apply(AddMulticastRule{rule}); }
  Result<void> drop(const MulticastRule& rule) { return rules().apply(DropMulticastRule{rule}); }
  std::vector<KernelMulticastRule> list() { return rules().list().value(); }
  /// How many rules there are like this one.
  std::ptrdiff_t count(const MulticastRule& rule, bool ours) {
    return std::ranges::count_if(list(), [&](const KernelMulticastRule& held) {
      return held.rule == rule && held.ours == ours;
    });
  }
};

template <class Case>
void for_rules_of_both_families(Case run) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    INFO(to_string(family));
    RuleLab lab(family);
    run(lab);
  }
}

}  // namespace

TEST_CASE("packets choose the table that a rule names for their interface") {
  for_rules_of_both_families([](RuleLab& lab) {
    lab.open(10, "a", "c");
    CHECK(lab.send() == Names{"b"});
    REQUIRE(lab.add(lab.rule(10, "a")));
    CHECK(lab.send() == Names{"c"});
    REQUIRE(lab.drop(lab.rule(10, "a")));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("a rule for what is sent does not take what arrives") {
  for_rules_of_both_families([](RuleLab& lab) {
    lab.open(10, "a", "c");
    REQUIRE(lab.add(lab.rule(10, "a", Match::sent)));
    CHECK(lab.send() == Names{"b"});
    CHECK(lab.count(lab.rule(10, "a", Match::sent), true) == 1);
    CHECK(lab.count(lab.rule(10, "a", Match::inbound), true) == 0);
  });
}

TEST_CASE("of two equal rules the one that was added first is asked first") {
  for_rules_of_both_families([](RuleLab& lab) {
    lab.open(10, "a", "b");
    lab.open(11, "a", "c");
    REQUIRE(lab.add(lab.rule(11, "a")));
    REQUIRE(lab.add(lab.rule(10, "a")));
    CHECK(lab.send() == Names{"c"});
    const auto rules = lab.list();
    REQUIRE(rules.size() >= 2);
    const auto first = std::ranges::find(rules, lab.rule(11, "a"), &KernelMulticastRule::rule);
    const auto second = std::ranges::find(rules, lab.rule(10, "a"), &KernelMulticastRule::rule);
    CHECK(first < second);
    REQUIRE(lab.drop(lab.rule(11, "a")));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("a rule to a table that was never opened is passed over") {
  for_rules_of_both_families([](RuleLab& lab) {
    REQUIRE(lab.add(lab.rule(77, "a")));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("a rule to a table that was closed takes its packets nowhere") {
  for_rules_of_both_families([](RuleLab& lab) {
    lab.open(10, "a", "c");
    REQUIRE(lab.add(lab.rule(10, "a")));
    lab.kernel().close_table(lab.key(10));
    CHECK(lab.send() == Names{});
  });
}

TEST_CASE("a rule applies to the interface that has its name") {
  for_rules_of_both_families([](RuleLab& lab) {
    REQUIRE(lab.add(lab.rule(10, "d")));
    CHECK(lab.count(lab.rule(10, "d"), true) == 1);
    lab.under_test->add_link("d");
    lab.open(10, "d", "c");
    CHECK(lab.send("d") == Names{"c"});
    lab.under_test->rename_link("d", "e");
    CHECK(lab.send("e") == Names{});
    lab.under_test->rename_link("e", "d");
    CHECK(lab.send("d") == Names{"c"});
    lab.under_test->remove_link("d");
    CHECK(lab.count(lab.rule(10, "d"), true) == 1);
  });
}

TEST_CASE("what is there already is added, and what is not is dropped, without an error") {
  for_rules_of_both_families([](RuleLab& lab) {
    REQUIRE(lab.drop(lab.rule(10, "a")));
    REQUIRE(lab.add(lab.rule(10, "a")));
    REQUIRE(lab.add(lab.rule(10, "a")));
    CHECK(lab.count(lab.rule(10, "a"), true) == 1);
    REQUIRE(lab.drop(lab.rule(10, "a")));
    CHECK(lab.count(lab.rule(10, "a"), true) == 0);
    REQUIRE(lab.drop(lab.rule(10, "a")));
  });
}

TEST_CASE("rules of other makers stay, identical ones too") {
  for_rules_of_both_families([](RuleLab& lab) {
    lab.under_test->add_foreign_rule(lab.rule(10, "a"), 800);
    lab.under_test->add_foreign_rule(lab.rule(11, "b"), 5);
    REQUIRE(lab.drop(lab.rule(10, "a")));
    REQUIRE(lab.drop(lab.rule(11, "b")));
    REQUIRE(lab.add(lab.rule(10, "a")));
    CHECK(lab.count(lab.rule(10, "a"), true) == 1);
    CHECK(lab.count(lab.rule(10, "a"), false) == 1);
    REQUIRE(lab.drop(lab.rule(10, "a")));
    CHECK(lab.count(lab.rule(10, "a"), true) == 0);
    CHECK(lab.count(lab.rule(10, "a"), false) == 1);
    CHECK(lab.count(lab.rule(11, "b"), false) == 1);
  });
}

TEST_CASE("rules of others are listed as ip mrule writes them") {
  for_rules_of_both_families([](RuleLab& lab) {
    lab.under_test->add_foreign_rule(lab.rule(11, "b"), 5);
    lab.under_test->add_foreign_rule(lab.rule(12, ""), 900);
    const auto rules = lab.list();
    const auto first = std::ranges::find(rules, lab.rule(11, "b"), &KernelMulticastRule::rule);
    REQUIRE(first != rules.end());
    CHECK(first->words == "iif b table 11 pref 5");
    CHECK(first->made_by == "static");
    CHECK(first->priority == 5);
    for (const Match match : {Match::inbound, Match::sent}) {
      const auto any =
          std::ranges::find(rules, lab.rule(12, "", match), &KernelMulticastRule::rule);
      REQUIRE(any != rules.end());
      CHECK(first < any);
      const MulticastRule last{lab.table, match, ""};
      const auto kernels = std::ranges::find(rules, last, &KernelMulticastRule::rule);
      REQUIRE(kernels != rules.end());
      CHECK(any < kernels);
      CHECK(kernels->priority == 32767);
      CHECK(kernels->made_by == "kernel");
      CHECK_FALSE(kernels->ours);
    }
    lab.under_test->remove_foreign_rule(lab.rule(11, "b"), 5);
    CHECK(lab.count(lab.rule(11, "b"), false) == 0);
  });
}

TEST_CASE("a rule of somebody else with a lower priority comes first") {
  for_rules_of_both_families([](RuleLab& lab) {
    lab.open(10, "a", "b");
    lab.open(11, "a", "c");
    REQUIRE(lab.add(lab.rule(10, "a")));
    lab.under_test->add_foreign_rule(lab.rule(11, "a"), 799);
    CHECK(lab.send() == Names{"c"});
  });
}

TEST_CASE("without any rule nothing is forwarded") {
  for_rules_of_both_families([](RuleLab& lab) {
    REQUIRE(lab.add(lab.rule(10, "a")));
    lab.under_test->flush_rules();
    CHECK(lab.list().empty());
    CHECK(lab.send() == Names{});
  });
}

TEST_CASE("changes by others are told, our own are not") {
  for_rules_of_both_families([](RuleLab& lab) {
    REQUIRE(lab.add(lab.rule(10, "a")));
    REQUIRE(lab.drop(lab.rule(10, "a")));
    CHECK_FALSE(lab.rules().read_changes());
    lab.under_test->add_foreign_rule(lab.rule(11, "a"), 5);
    lab.under_test->await_rule_change();
    lab.under_test->flush_rules();
    lab.under_test->await_rule_change();
  });
}

TEST_CASE("it is found out whether a program has a table") {
  for_rules_of_both_families([](RuleLab& lab) {
    CHECK_FALSE(lab.rules().is_held_elsewhere(lab.key(10)));
    lab.open(10, "a", "c");
    CHECK(lab.rules().is_held_elsewhere(lab.key(10)));
    lab.kernel().close_table(lab.key(10));
    CHECK_FALSE(lab.rules().is_held_elsewhere(lab.key(10)));
    CHECK(lab.under_test->keeper().open_table(lab.key(10)));
  });
}
