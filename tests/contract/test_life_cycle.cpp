// SPDX-License-Identifier: BSD-2-Clause
//
// The engine on a kernel while interfaces live through what interfaces live through.
#include <doctest/doctest.h>

#include "tests/contract/router_lab.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

constexpr const char* kPanicClass = "panic-class";

/// Destroying an interface that has a slot is safe where the kernel lets go of it.
bool unbinds(const FamilyTraits& traits) {
  return traits.departure_unbinds;
}
bool dangles(const FamilyTraits& traits) {
  return !traits.departure_unbinds;
}

}  // namespace

TEST_CASE("interfaces are used that arrive after the rules") {
  route_both_families([](Router& router) {
    router.configure(router.rule("a", "b c"));
    router.settle();
    CHECK(router.slots_bound() == 0);
    router.under_test->add_link("b");
    router.under_test->add_link("a");
    router.await_flow("a", {"b"});
    router.under_test->add_link("c");
    router.await_flow("a", {"b", "c"});
    CHECK(router.slots_bound() == 3);
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("an output waits for an address where it has to, and not elsewhere") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b"}) router.under_test->add_link(name);
    router.under_test->remove_address("b", router.family);
    router.configure(router.rule("a", "b", router.source("a")));
    const bool waits = router.traits().bind_needs_address;
    router.await_flow("a", waits ? Names{} : Names{"b"});
    CHECK(router.slots_bound() == (waits ? 1 : 2));
    router.under_test->add_address("b", router.family);
    router.await_flow("a", {"b"});
    CHECK(router.is_at_rest());  // and knows whose address it was
    // Once it has its slot it needs none.
    router.under_test->remove_address("b", router.family);
    router.settle();
    CHECK(router.send("a") == Names{"b"});
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("an inbound interface waits for an address where it has to") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b"}) router.under_test->add_link(name);
    router.under_test->remove_address("a", router.family);
    router.configure(router.rule("a", "b"));
    const bool waits = router.traits().bind_needs_address;
    router.await_flow("a", waits ? Names{} : Names{"b"});
    router.under_test->add_address("a", router.family);
    router.await_flow("a", {"b"});
  });
}

TEST_CASE("a wildcard means every interface of such a name, at any time") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "l1", "m1"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "l+", router.source("a")));
    router.await_flow("a", {"l1"});
    router.under_test->add_link("l2");
    router.await_flow("a", {"l1", "l2"});
    router.under_test->rename_link("m1", "l3");
    router.await_flow("a", {"l1", "l2", "l3"});
    router.under_test->rename_link("l1", "m1");
    router.await_flow("a", {"l2", "l3"});
    CHECK(router.slots_bound() == 3);
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("down stops a flow, and up lets it go on") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "b c", router.source("a")));
    router.await_flow("a", {"b", "c"});
    router.under_test->set_up("b", false);
    router.await_flow("a", {"c"});
    router.under_test->set_up("b", true);
    router.await_flow("a", {"b", "c"});
    router.under_test->set_up("a", false);
    router.settle();
    router.under_test->set_up("a", true);
    router.await_flow("a", {"b", "c"});
    CHECK(router.slots_bound() == 3);
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("an interface renamed away is used no more, and again when its name is back") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "b c", router.source("a")));
    router.await_flow("a", {"b", "c"});
    router.under_test->rename_link("b", "x");
    router.await_flow("a", {"c"});
    router.under_test->rename_link("x", "b");
    router.await_flow("a", {"b", "c"});
    router.under_test->rename_link("a", "x");
    router.await_flow("x", {});
    router.under_test->rename_link("x", "a");
    // The entry is there before anybody asks.
    router.await_slots(3);
    CHECK(router.send("a") == Names{"b", "c"});
  });
}

TEST_CASE("an interface renamed there and back unread is used as before") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "b", router.source("a")));
    router.await_flow("a", {"b"});
    for (const char* name : {"a", "b"}) {
      router.under_test->rename_link(name, "x");
      router.under_test->rename_link("x", name);
    }
    router.await_slots(2);
    CHECK(router.send("a") == Names{"b"});
  });
}

TEST_CASE("an interface renamed to a name of other rules changes sides") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b"}) router.under_test->add_link(name);
    const std::string source = router.source("a");
    router.configure(router.rule("a", "b", source, 0) + router.rule("a", "c", source, 1));
    router.await_flow("a", {"b"}, 0);
    router.await_flow("a", {}, 1);
    router.under_test->rename_link("b", "c");
    router.await_flow("a", {"c"}, 1);
    CHECK(router.send("a", 0) == Names{});
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("two interfaces that swap names swap what they are sent") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
    const std::string source = router.source("a");
    const std::string behind_b = router.source("b");
    router.configure(router.rule("a", "b", source, 0) + router.rule("a", "c", source, 1));
    router.await_flow("a", {"b"}, 0);
    router.await_flow("a", {"c"}, 1);
    router.under_test->rename_link("b", "x");
    router.under_test->rename_link("c", "b");
    router.under_test->rename_link("x", "c");
    CHECK(router.source("c") == behind_b);
    router.await_flow("a", {"b"}, 0);
    router.await_flow("a", {"c"}, 1);
    CHECK(router.is_at_rest());
  });
}

namespace {

void lend_and_return(Router& router) {
  for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
  router.configure(router.rule("a", "b c", router.source("a")));
  router.await_flow("a", {"b", "c"});
  router.under_test->lend_link("b");
  // No packet before the engine knows: it might get into a jail.
  router.await_slots(2);
  router.await_flow("a", {"c"});
  router.under_test->return_link("b");
  router.await_flow("a", {"b", "c"});
  router.under_test->lend_link("a");
  router.await_slots(2);
  router.under_test->return_link("a");
  // The entry is there before anybody asks.
  router.await_slots(3);
  CHECK(router.send("a") == Names{"b", "c"});
}

void destroy_and_create_again(Router& router) {
  for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
  router.configure(router.rule("a", "b c"));
  router.await_flow("a", {"b", "c"});
  router.under_test->remove_link("b");
  router.await_slots(2);
  router.await_flow("a", {"c"});
  router.under_test->add_link("b");
  router.await_flow("a", {"b", "c"});
  router.under_test->remove_link("a");
  router.await_slots(2);
  router.under_test->add_link("a");
  router.await_flow("a", {"b", "c"});
  CHECK(router.is_at_rest());
}

void create_again_unread(Router& router) {
  for (const char* name : {"a", "b"}) router.under_test->add_link(name);
  router.configure(router.rule("a", "b"));
  router.await_flow("a", {"b"});
  for (const char* name : {"b", "a"}) {
    router.under_test->remove_link(name);
    router.under_test->add_link(name);
    router.await_slots(2);
    router.await_flow("a", {"b"});
  }
  CHECK(router.is_at_rest());
}

void create_again_unheard(Router& router) {
  for (const char* name : {"a", "b"}) router.under_test->add_link(name);
  router.configure(router.rule("a", "b"));
  router.await_flow("a", {"b"});
  for (const char* name : {"b", "a"}) {
    router.under_test->remove_link(name);
    router.under_test->add_link(name);
    const unsigned before = router.relearned;
    router.under_test->overflow_events();
    router.await([&] { return router.relearned > before && router.is_at_rest(); });
    router.await_flow("a", {"b"});
  }
  CHECK(router.is_at_rest());
}

/// `gone` is sent to beside another. The one that arrives instead may get its slot, the highest
/// where that is c, and has other rules.
void inherit_nothing(Router& router, const std::string& gone, const std::string& other) {
  for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
  const std::string source = router.source("a");
  router.configure(router.rule("a", "b c", source));
  router.await_flow("a", {"b", "c"});
  router.under_test->remove_link(gone);
  router.await_slots(2);
  router.configure(router.rule("a", other, source) + router.rule("a", "d", source, 1));
  router.under_test->add_link("d");
  router.await_flow("a", {"d"}, 1);
  CHECK(router.send("a") == Names{other});
  CHECK(router.is_at_rest());
}

void inherit_nothing_of_b(Router& router) {
  inherit_nothing(router, "b", "c");
}

void inherit_nothing_of_c(Router& router) {
  inherit_nothing(router, "c", "b");
}

}  // namespace

TEST_CASE("an interface lent away is used again when it is returned") {
  route_families(unbinds, lend_and_return);
}

TEST_CASE("an interface that is destroyed and created again is used again") {
  route_families(unbinds, destroy_and_create_again);
}

TEST_CASE("an interface that is created again before anybody looks is used again") {
  route_families(unbinds, create_again_unread);
}

TEST_CASE("an interface that is created again unheard is used again") {
  route_families(unbinds, create_again_unheard);
}

TEST_CASE("an interface gets nothing of what was sent to one that is destroyed") {
  route_families(unbinds, inherit_nothing_of_b);
  route_families(unbinds, inherit_nothing_of_c);
}

TEST_CASE("slots that dangle: lent and returned" * doctest::test_suite(kPanicClass)) {
  route_families(dangles, lend_and_return);
}

TEST_CASE("slots that dangle: destroyed and created again" * doctest::test_suite(kPanicClass)) {
  route_families(dangles, destroy_and_create_again);
}

TEST_CASE("slots that dangle: created again before anybody looks" *
          doctest::test_suite(kPanicClass)) {
  route_families(dangles, create_again_unread);
}

TEST_CASE("slots that dangle: created again unheard" * doctest::test_suite(kPanicClass)) {
  route_families(dangles, create_again_unheard);
}

TEST_CASE("slots that dangle: nothing is inherited" * doctest::test_suite(kPanicClass)) {
  route_families(dangles, inherit_nothing_of_b);
  route_families(dangles, inherit_nothing_of_c);
}

TEST_CASE("after a loss of events all is as intended") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "b", router.source("a")));
    router.await_flow("a", {"b"});
    const auto overflow = [&] {
      const unsigned before = router.relearned;
      router.under_test->overflow_events();
      router.await([&] { return router.relearned > before; });
    };
    overflow();
    router.await_flow("a", {"b"});
    router.under_test->rename_link("b", "x");
    router.under_test->rename_link("c", "b");
    overflow();
    router.await_flow("a", {"b"});
    router.under_test->rename_link("a", "y");
    router.under_test->rename_link("y", "a");
    overflow();
    router.await_flow("a", {"b"});
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("a flow follows its source to another interface") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "c") + router.rule("b", "c"));
    router.await_flow("a", {"c"});
    const auto moved = [&] {
      const auto arrived = router.under_test->send_moved("b", "a", router.group());
      if (!arrived) return true;
      return *arrived == Names{"c"};
    };
    router.await(moved);
    CHECK(moved());
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("a rule for any source and for a range is learned from packets") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
    router.configure("mroute from a group " + router.groups() + " to b\n" +
                     router.rule("a", "c", "", 1));
    router.await_flow("a", {"b"}, 0);
    router.await_flow("a", {"c"}, 1);
    router.await_flow("a", {"b"}, 2);
    // What no rule matches is stopped, and asked for no more.
    router.configure(router.rule("a", "c", "", 1));
    router.await_flow("a", {}, 0);
    router.await_flow("a", {"c"}, 1);
    CHECK(router.is_at_rest());
    const auto asked = router.upcalls;
    CHECK(router.send("a", 0) == Names{});
    CHECK(router.send("a", 1) == Names{"c"});
    router.settle();
    CHECK(router.upcalls == asked);
  });
}

TEST_CASE("packets that come before the answer are forwarded with it") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "b"));
    router.await_slots(2);
    CHECK(router.send("a") == Names{});
    router.settle();
    CHECK(router.under_test->late_arrivals(router.group()) == Names{"b"});
  });
}

TEST_CASE(
    "a reload that takes an output away stops it, and one that changes nothing does nothing") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b", "c"}) router.under_test->add_link(name);
    const std::string source = router.source("a");
    router.configure(router.rule("a", "b c", source));
    router.await_flow("a", {"b", "c"});
    const auto calls = router.kernel().change_count();
    router.configure(router.rule("a", "b c", source));
    router.settle();
    CHECK(router.kernel().change_count() == calls);
    router.configure(router.rule("a", "c", source));
    router.settle();
    CHECK(router.send("a") == Names{"c"});
    router.configure(router.rule("a", "b", source));
    router.settle();
    CHECK(router.send("a") == Names{"b"});
    router.configure(router.rule("a", "b c", source));
    router.settle();
    CHECK(router.send("a") == Names{"b", "c"});
    CHECK(router.is_at_rest());
  });
}

TEST_CASE("without rules nothing is left in the kernel") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "b") + router.rule("a", "b", router.source("a"), 1));
    router.await_flow("a", {"b"}, 0);
    router.await_flow("a", {"b"}, 1);
    router.configure("");
    router.settle();
    CHECK(router.slots_bound() == 0);
    // Such a table is given up altogether.
    const bool is_open = !router.kernel().traits().of(router.family).table_is_the_kernels;
    const ErrorCode nothing = is_open ? ErrorCode::not_found : ErrorCode::internal;
    for (const unsigned which : {0U, 1U}) {
      const FlowKey flow{router.under_test->host_address("a", router.family), router.group(which)};
      const auto counters = router.kernel().counters(router.table(), flow);
      REQUIRE_FALSE(counters);
      CHECK(counters.error().code == nothing);
      CHECK(router.send("a", which) == Names{});
    }
  });
}

TEST_CASE("a table that is given up is empty for the next one") {
  route_both_families([](Router& router) {
    for (const char* name : {"a", "b"}) router.under_test->add_link(name);
    router.configure(router.rule("a", "b", router.source("a")));
    router.await_flow("a", {"b"});
    router.kernel().close_table(router.table());
    CHECK(router.send("a") == Names{});
    auto again = router.under_test->keeper().open_table(router.table());
    REQUIRE(again);
    REQUIRE(router.kernel().adopt_table(std::move(*again)));
    CHECK(router.slots_bound() == 0);
    CHECK(router.send("a") == Names{});
  });
}
