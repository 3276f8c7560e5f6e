// SPDX-License-Identifier: BSD-2-Clause
//
// What kernels do with tables, slots, entries and packets.
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

TEST_CASE("an unknown flow is asked for once, and some of its packets wait for the answer") {
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
    // Linux keeps four; FreeBSD, by release and family, three to five.
    const auto waited = lab.kernel().counters(lab.table, lab.flow())->packets;
    CHECK(waited >= 3);
    CHECK(waited <= 5);
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

TEST_CASE("a wrong interface is reported while the parent has a slot, or at any time") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(9, {1})));
    CHECK(lab.send() == Names{});
    const bool at_any_time = lab.traits().unbound_output == UnboundOutput::skipped;
    CHECK(lab.upcalls().size() == (at_any_time ? 1 : 0));
    CHECK(lab.kernel().counters(lab.table, lab.flow())->wrong_interface == 1);
  });
}

TEST_CASE("an interface without a slot is not heard") {
  for_both_families([](Lab& lab) {
    lab.under_test->add_link("d");
    CHECK(lab.send("d") == Names{});
    // A kernel may ask about it all the same, with a number that is no slot.
    for (const Upcall& upcall : lab.upcalls()) CHECK_FALSE(lab.is_bound(upcall.arrived_on.value));
  });
}

TEST_CASE("a freed slot given to another interface inherits what the old one was sent") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1})));
    REQUIRE(lab.unbind(1));
    if (lab.may_send_unbound()) CHECK(lab.send() == Names{});
    lab.under_test->add_link("d");
    REQUIRE(lab.bind(1, "d"));
    CHECK(lab.send() == Names{"d"});
  });
}

TEST_CASE("an output whose slot is empty when the entry is put is left out, kept or refused") {
  for_both_families([](Lab& lab) {
    for (const char* what : {"a new entry", "an update"}) {
      INFO(what);
      REQUIRE(lab.unbind(1));
      const auto outcome = lab.put(shape(0, {1, 2}));
      CHECK(outcome.has_value() == lab.may_send_unbound());
      if (!outcome) CHECK(outcome.error().code == ErrorCode::invalid_argument);
      REQUIRE(lab.bind(1, "b"));
      switch (lab.traits().unbound_output) {
        case UnboundOutput::skipped:
          CHECK(lab.send() == Names{"c"});
          break;
        case UnboundOutput::routed:
          CHECK(lab.send() == Names{"b", "c"});
          break;
        case UnboundOutput::fatal:
          break;
      }
      REQUIRE(lab.put(shape(0, {1, 2})));
      CHECK(lab.send() == Names{"b", "c"});
    }
  });
}

TEST_CASE("updating an entry clears an output whose slot was the highest, or leaves it") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    REQUIRE(lab.unbind(2));
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});
    REQUIRE(lab.bind(2, "c"));
    const bool clears = lab.traits().update_clears_outputs;
    CHECK(lab.send() == (clears ? Names{"b"} : Names{"b", "c"}));
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("an entry that is dropped and put anew has only its own outputs") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    REQUIRE(lab.unbind(2));
    REQUIRE(lab.drop());
    REQUIRE(lab.put(shape(0, {1})));
    REQUIRE(lab.bind(2, "c"));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("an entry may send back to where packets come from") {
  for_both_families([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {0, 1})));
    CHECK(lab.send().contains("b"));
    // FreeBSD's IPv6 hands what it sends to itself too (phyint_send, in6_mcast_loop): there the
    // packet goes round until its hop limit is used up.
    CHECK(lab.kernel().counters(lab.table, lab.flow())->packets >= 1);
  });
}

TEST_CASE("slots that are taken, unknown or out of range are refused") {
  for_both_families([](Lab& lab) {
    lab.under_test->add_link("d");
    CHECK(lab.bind(1, "d").error().code == ErrorCode::already_exists);
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});  // who has it, keeps it
    const auto slots = static_cast<unsigned>(lab.traits().slots);
    CHECK(lab.bind(slots, "d").error().code == ErrorCode::no_slots);
    const Address nobody = *Address::parse("10.250.0.1");
    const Op absent = BindVif{lab.table, slot(9), IfIndex(54321), 1, nobody};
    CHECK(lab.kernel().apply(absent).error().code == ErrorCode::no_such_interface);
    CHECK_FALSE(lab.is_bound(9));
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
    // Without a slot: not every kernel lets go of one when an interface is removed.
    lab.under_test->add_link("d");
    const IfIndex link = lab.under_test->index_of("d");
    const FlowKey flow = lab.flow("d");
    CHECK(lab.kernel().apply(JoinGroup{link, {}, flow.group}));
    CHECK(lab.kernel().apply(JoinGroup{link, {}, flow.group}));
    CHECK(lab.kernel().apply(JoinGroup{link, flow.source, flow.group}));
    const Op absent = JoinGroup{IfIndex(54321), {}, flow.group};
    CHECK(lab.kernel().apply(absent).error().code == ErrorCode::no_such_interface);
    lab.under_test->remove_link("d");
    CHECK(lab.kernel().apply(LeaveGroup{link, flow.source, flow.group}));
    CHECK(lab.kernel().apply(LeaveGroup{link, {}, flow.group}));
    CHECK(lab.kernel().apply(LeaveGroup{link, {}, flow.group}));
  });
}

TEST_CASE("an entry for any source is refused where the kernel has none") {
  for_families([](const FamilyTraits& traits) { return !traits.native_any_source; },
               [](Lab& lab) {
                 const FlowKey any{Address::unspecified(lab.table.family), lab.group};
                 CHECK_FALSE(lab.kernel().apply(PutMfc{lab.table, any, shape(0, {0, 1})}));
                 CHECK(lab.send() == Names{});
               });
}

TEST_CASE("an interface is named by an address where the kernel asks for one") {
  for_both_families([](Lab& lab) {
    lab.under_test->add_link("d");
    BindVif without = lab.bind_step(3, "d");
    without.address.reset();
    const bool needs_one = lab.traits().bind_needs_address;
    CHECK(lab.kernel().apply(without).has_value() != needs_one);
    CHECK(lab.is_bound(3) != needs_one);
    REQUIRE(lab.unbind(3));

    lab.under_test->remove_address("d", lab.table.family);
    const auto outcome = lab.bind(3, "d");
    CHECK(outcome.has_value() != needs_one);
    if (!outcome) CHECK(outcome.error().code == ErrorCode::no_such_interface);
    REQUIRE(lab.unbind(3));
    lab.under_test->add_address("d", lab.table.family);
    REQUIRE(lab.bind(3, "d"));
    REQUIRE(lab.put(shape(0, {3})));
    CHECK(lab.send() == Names{"d"});
  });
}
