// SPDX-License-Identifier: BSD-2-Clause
//
// What a kernel of Linux's traits does with tables, slots, entries and packets.
#include <doctest/doctest.h>

#include "tests/contract/contract_lab.hpp"

using namespace mcast;
using namespace mcast::testing;

TEST_CASE("an entry forwards from its parent to its outputs and nowhere else") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});
    REQUIRE(lab.put(shape(0, {1, 2})));
    CHECK(lab.send() == Names{"b", "c"});
    REQUIRE(lab.put(shape(0, {2})));
    CHECK(lab.send() == Names{"c"});
    REQUIRE(lab.put(shape(0, {})));
    CHECK(lab.send() == Names{});
    REQUIRE(lab.put(shape(1, {2})));
    CHECK(lab.send() == Names{});
    REQUIRE(lab.put(shape(0, {1})));
    REQUIRE(lab.kernel().apply(DropMfc{lab.table, lab.flow(), slot(0)}));
    CHECK(lab.send() == Names{});
  });
}

TEST_CASE("an unknown flow is asked for once, and four of its packets wait for the answer") {
  for_both_families([](Lab& lab) {
    for (int i = 0; i < 6; ++i) CHECK(lab.send() == Names{});
    const auto asked = lab.upcalls();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].kind == Upcall::Kind::no_cache);
    CHECK(asked[0].table == lab.table);
    CHECK(asked[0].flow == lab.flow());
    CHECK(asked[0].arrived_on == slot(0));
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.under_test->late_arrivals(lab.group) == Names{"b"});
    CHECK(lab.kernel().counters(lab.table, lab.flow())->packets == 4);
    CHECK(lab.send() == Names{"b"});
    CHECK(lab.upcalls().empty());
  });
}

TEST_CASE("an entry without outputs stops the questions") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {})));
    CHECK(lab.send() == Names{});
    CHECK(lab.upcalls().empty());
    CHECK(lab.kernel().counters(lab.table, lab.flow())->packets == 1);
  });
}

TEST_CASE("a packet on another interface is reported, once in a while") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(2, {1})));
    CHECK(lab.send() == Names{});
    CHECK(lab.send() == Names{});
    const auto reported = lab.upcalls();
    REQUIRE(reported.size() == 1);
    CHECK(reported[0].kind == Upcall::Kind::wrong_vif);
    CHECK(reported[0].flow == lab.flow());
    CHECK(reported[0].arrived_on == slot(0));
    CHECK(lab.kernel().counters(lab.table, lab.flow())->wrong_interface == 2);
  });
}

TEST_CASE("an interface without a slot is neither heard nor asked about") {
  for_both_families([](Lab& lab) {
    lab.under_test->add_link("d");
    CHECK(lab.send("d") == Names{});
    CHECK(lab.upcalls().empty());
  });
}

TEST_CASE("a departure takes the slot, keeps the entries, and the slot revives them") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    lab.under_test->remove_link("b");
    CHECK(lab.kernel().slot_is_bound(lab.table, slot(1)) == false);
    CHECK(lab.send() == Names{"c"});
    lab.under_test->add_link("b");
    CHECK(lab.send() == Names{"c"});
    REQUIRE(lab.bind(1, "b"));
    CHECK(lab.send() == Names{"b", "c"});
  });
}

TEST_CASE("a parent that departs and returns to its slot is heard again") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.kernel().apply(PutMfc{lab.table, lab.flow(), shape(0, {1})}));
    CHECK(lab.send() == Names{"b"});
    lab.under_test->remove_link("a");
    CHECK(lab.unbind(0));
    lab.under_test->add_link("a");
    REQUIRE(lab.bind(0, "a"));
    // The host behind it is another one, so this is another flow.
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("a freed slot given to another interface inherits what the old one was sent") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1})));
    REQUIRE(lab.unbind(1));
    CHECK(lab.send() == Names{});
    lab.under_test->add_link("d");
    REQUIRE(lab.bind(1, "d"));
    CHECK(lab.send() == Names{"d"});
  });
}

TEST_CASE("an output whose slot is empty when the entry is put is left out for good") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.unbind(1));
    REQUIRE(lab.put(shape(0, {1, 2})));
    REQUIRE(lab.bind(1, "b"));
    CHECK(lab.send() == Names{"c"});
    REQUIRE(lab.put(shape(0, {1, 2})));
    CHECK(lab.send() == Names{"b", "c"});
  });
}

TEST_CASE("updating an entry leaves out an output whose slot has become empty") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    REQUIRE(lab.unbind(1));
    REQUIRE(lab.put(shape(0, {1, 2})));
    REQUIRE(lab.bind(1, "b"));
    CHECK(lab.send() == Names{"c"});
  });
}

TEST_CASE("a rename leaves slot and entries alone") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1})));
    lab.under_test->rename_link("b", "other");
    CHECK(lab.kernel().slot_is_bound(lab.table, slot(1)) == true);
    CHECK(lab.send() == Names{"other"});
  });
}

TEST_CASE("an entry may send back to where packets come from") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {0, 1})));
    CHECK(lab.send().contains("b"));
    CHECK(lab.kernel().counters(lab.table, lab.flow())->packets == 1);
  });
}

TEST_CASE("slots that are taken, unknown or out of range are refused") {
  for_both_families([](Lab& lab) {
    lab.under_test->add_link("d");
    CHECK(lab.bind(1, "d").error().code == ErrorCode::already_exists);
    CHECK(lab.bind(32, "d").error().code == ErrorCode::no_slots);
    const Op absent = BindVif{lab.table, slot(9), IfIndex(54321), 1, {}};
    CHECK(lab.kernel().apply(absent).error().code == ErrorCode::no_such_interface);
    CHECK(lab.kernel().slot_is_bound(lab.table, slot(9)) == false);
  });
}

TEST_CASE("one interface may hold two slots") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.bind(5, "b"));
    REQUIRE(lab.put(shape(0, {5})));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("undoing what is undone succeeds") {
  for_both_families([](Lab& lab) {
    CHECK(lab.kernel().apply(DropMfc{lab.table, lab.flow(), slot(0)}));
    CHECK(lab.unbind(1));
    CHECK(lab.unbind(1));
    CHECK(lab.kernel().counters(lab.table, lab.flow()).error().code == ErrorCode::not_found);
  });
}

TEST_CASE("a table has one owner, and is empty for the next one") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.under_test->keeper().open_table(lab.table).error().code == ErrorCode::table_in_use);
    lab.kernel().close_table(lab.table);
    lab.kernel().close_table(lab.table);
    CHECK(lab.put(shape(0, {1})).error().code == ErrorCode::internal);
    auto again = lab.under_test->keeper().open_table(lab.table);
    REQUIRE(again);
    REQUIRE(lab.kernel().adopt_table(std::move(*again)));
    CHECK(lab.kernel().slot_is_bound(lab.table, slot(0)) == false);
    CHECK(lab.kernel().counters(lab.table, lab.flow()).error().code == ErrorCode::not_found);
    CHECK(lab.send() == Names{});
  });
}

TEST_CASE("joins succeed twice, leaves of what is gone too") {
  for_both_families([](Lab& lab) {
    const IfIndex link = lab.under_test->index_of("a");
    const FlowKey flow = lab.flow();
    CHECK(lab.kernel().apply(JoinGroup{link, {}, flow.group}));
    CHECK(lab.kernel().apply(JoinGroup{link, {}, flow.group}));
    CHECK(lab.kernel().apply(JoinGroup{link, flow.source, flow.group}));
    const Op absent = JoinGroup{IfIndex(54321), {}, flow.group};
    CHECK(lab.kernel().apply(absent).error().code == ErrorCode::no_such_interface);
    lab.under_test->remove_link("a");
    CHECK(lab.kernel().apply(LeaveGroup{link, flow.source, flow.group}));
    CHECK(lab.kernel().apply(LeaveGroup{link, {}, flow.group}));
    CHECK(lab.kernel().apply(LeaveGroup{link, {}, flow.group}));
  });
}
