// SPDX-License-Identifier: BSD-2-Clause
//
// What becomes of slots and entries when interfaces go, come back and are changed.
#include <doctest/doctest.h>

#include "tests/contract/contract_lab.hpp"

using namespace mcast;
using namespace mcast::testing;

TEST_CASE("a departure takes the slot, and the slot revives entries that list it") {
  for_families_that_unbind([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    lab.under_test->remove_link("b");
    CHECK_FALSE(lab.is_bound(1));
    CHECK(lab.send() == Names{"c"});
    lab.under_test->add_link("b");
    CHECK(lab.send() == Names{"c"});
    REQUIRE(lab.bind(1, "b"));
    CHECK(lab.send() == Names{"b", "c"});
  });
}

TEST_CASE("a departure of the parent keeps its entries, or takes them") {
  for_families_that_unbind([](Lab& lab) {
    const FlowKey former = lab.flow();
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});
    lab.under_test->remove_link("a");
    CHECK_FALSE(lab.is_bound(0));
    CHECK(lab.unbind(0));
    CHECK(lab.kernel().counters(lab.table, former).has_value() !=
          lab.traits().departure_drops_entries);
    lab.under_test->add_link("a");
    REQUIRE(lab.bind(0, "a"));
    // The host behind it is another one, so this is another flow.
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("a rename of an output leaves slot and entries alone, or takes the slot") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1})));
    lab.under_test->rename_link("b", "other");
    const bool departs = lab.traits().rename_is_departure;
    CHECK(lab.is_bound(1) != departs);
    CHECK(lab.send() == (departs ? Names{} : Names{"other"}));
    if (departs) REQUIRE(lab.bind(1, "other"));
    CHECK(lab.send() == Names{"other"});
  });
}

TEST_CASE("a rename of the parent leaves its entries alone, or takes them with the slot") {
  for_both_families([](Lab& lab) {
    const FlowKey flow = lab.flow();
    REQUIRE(lab.put(shape(0, {1})));
    lab.under_test->rename_link("a", "other");
    const FamilyTraits& traits = lab.traits();
    const bool departs = traits.rename_is_departure;
    CHECK(lab.is_bound(0) != departs);
    CHECK(lab.kernel().counters(lab.table, flow).has_value() !=
          (departs && traits.departure_drops_entries));
    CHECK(lab.send("other") == (departs ? Names{} : Names{"b"}));
    if (!departs) return;
    CHECK(lab.upcalls().empty());  // it has no slot
    REQUIRE(lab.bind(0, "other"));
    REQUIRE(lab.kernel().apply(PutMfc{lab.table, flow, shape(0, {1})}));
    CHECK(lab.send("other") == Names{"b"});
  });
}

TEST_CASE("an interface that is lent leaves its slot, and comes back to it") {
  for_families_that_unbind([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    lab.under_test->lend_link("b");
    CHECK_FALSE(lab.is_bound(1));
    CHECK(lab.send() == Names{"c"});
    lab.under_test->return_link("b");
    CHECK(lab.send() == Names{"c"});
    REQUIRE(lab.bind(1, "b"));
    CHECK(lab.send() == Names{"b", "c"});
  });
}

TEST_CASE("an interface that is down keeps its slot") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    lab.under_test->set_up("b", false);
    CHECK(lab.is_bound(1));
    CHECK(lab.send() == Names{"c"});
    lab.under_test->set_up("b", true);
    CHECK(lab.is_bound(1));
    CHECK(lab.send() == Names{"b", "c"});
    lab.under_test->set_up("a", false);
    CHECK(lab.send() == Names{});
    lab.under_test->set_up("a", true);
    CHECK(lab.is_bound(0));
    CHECK(lab.send() == Names{"b", "c"});
  });
}

TEST_CASE("an interface whose address is removed keeps its slot") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1})));
    for (const char* name : {"a", "b"}) lab.under_test->remove_address(name, lab.table.family);
    CHECK(lab.is_bound(0));
    CHECK(lab.is_bound(1));
    CHECK(lab.send() == Names{"b"});
    for (const char* name : {"a", "b"}) lab.under_test->add_address(name, lab.table.family);
    CHECK(lab.send() == Names{"b"});
  });
}
