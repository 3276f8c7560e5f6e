// SPDX-License-Identifier: BSD-2-Clause
//
// Entries for any source, (*,G), of a kernel of Linux's traits: which of several a packet meets.
#include <doctest/doctest.h>

#include "tests/contract/contract_lab.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

/// Lists its parent, as an entry for any source has to.
MfcShape entry(unsigned parent, std::initializer_list<unsigned> outputs) {
  MfcShape made = shape(parent, outputs);
  made.ttls[parent] = 1;
  return made;
}

struct AnySourceLab : Lab {
  using Lab::Lab;
  [[nodiscard]] FlowKey any() const { return {Address::unspecified(table.family), group}; }
  Result<void> put_any(const MfcShape& made) { return kernel().apply(PutMfc{table, any(), made}); }
  Result<void> drop_any(unsigned parent) {
    return kernel().apply(DropMfc{table, any(), slot(parent)});
  }
};

template <class Case>
void for_both(Case run) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    INFO(to_string(family));
    AnySourceLab lab(family);
    run(lab);
  }
}

}  // namespace

TEST_CASE("an entry for any source forwards from its parent only, and asks nothing") {
  for_both([](AnySourceLab& lab) {
    REQUIRE(lab.put_any(entry(0, {1, 2})));
    CHECK(lab.send("a") == Names{"b", "c"});
    CHECK(lab.upcalls().empty());
    CHECK(lab.send("b") == Names{});
    CHECK(lab.send("c") == Names{});
    for (const Upcall& upcall : lab.upcalls()) CHECK(upcall.kind == Upcall::Kind::wrong_vif);
    CHECK(lab.kernel().counters(lab.table, lab.any())->packets == 3);
    CHECK(lab.kernel().counters(lab.table, lab.any())->wrong_interface == 2);
    REQUIRE(lab.drop_any(0));
    CHECK(lab.send("a") == Names{});
    CHECK(lab.upcalls().size() == 1);
  });
}

TEST_CASE("an entry for any source that does not list its parent is not found") {
  for_both([](AnySourceLab& lab) {
    REQUIRE(lab.put_any(shape(0, {1})));
    CHECK(lab.send("a") == Names{});
    const auto asked = lab.upcalls();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].kind == Upcall::Kind::no_cache);
  });
}

TEST_CASE("the kernel asks about a packet from outside of the entry's interfaces") {
  for_both([](AnySourceLab& lab) {
    REQUIRE(lab.put_any(entry(0, {1})));
    CHECK(lab.send("c") == Names{});
    const auto asked = lab.upcalls();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].kind == Upcall::Kind::no_cache);
    CHECK(asked[0].flow == lab.flow("c"));
    // An entry of its own blocks that interface for all sources, and for it alone.
    lab.under_test->add_link("d");
    REQUIRE(lab.bind(3, "d"));
    REQUIRE(lab.put_any(entry(3, {})));
    CHECK(lab.send("d") == Names{});
    CHECK(lab.upcalls().empty());
    CHECK(lab.send("a") == Names{"b"});
  });
}

TEST_CASE("entries of several parents live side by side") {
  for_both([](AnySourceLab& lab) {
    REQUIRE(lab.put_any(entry(0, {2})));
    REQUIRE(lab.put_any(entry(1, {2})));
    CHECK(lab.send("a") == Names{"c"});
    CHECK(lab.send("b") == Names{"c"});
    REQUIRE(lab.drop_any(0));
    CHECK(lab.send("a") == Names{});
    CHECK(lab.send("b") == Names{"c"});
  });
}

TEST_CASE("of several entries that list an interface the one put last decides") {
  for_both([](AnySourceLab& lab) {
    SUBCASE("in order") {
      REQUIRE(lab.put_any(entry(0, {1})));
      REQUIRE(lab.put_any(entry(1, {2})));
      CHECK(lab.send("a") == Names{"b"});
      CHECK(lab.send("b") == Names{"c"});
      // An update stays in its place.
      REQUIRE(lab.put_any(entry(0, {1, 2})));
      CHECK(lab.send("a") == Names{"b", "c"});
      CHECK(lab.send("b") == Names{"c"});
    }
    SUBCASE("out of order") {
      REQUIRE(lab.put_any(entry(1, {2})));
      REQUIRE(lab.put_any(entry(0, {1})));
      CHECK(lab.send("a") == Names{"b"});
      CHECK(lab.send("b") == Names{});
    }
  });
}

TEST_CASE("an entry for one source comes before those for any") {
  for_both([](AnySourceLab& lab) {
    REQUIRE(lab.put_any(entry(0, {1})));
    REQUIRE(lab.put(shape(0, {2})));
    CHECK(lab.send("a") == Names{"c"});
    REQUIRE(lab.put(shape(0, {})));
    CHECK(lab.send("a") == Names{});
    REQUIRE(lab.kernel().apply(DropMfc{lab.table, lab.flow(), slot(0)}));
    CHECK(lab.send("a") == Names{"b"});
  });
}

TEST_CASE("entries for any source revive with their slots") {
  for_both([](AnySourceLab& lab) {
    REQUIRE(lab.put_any(entry(0, {1, 2})));
    lab.under_test->remove_link("b");
    CHECK(lab.send("a") == Names{"c"});
    lab.under_test->add_link("b");
    REQUIRE(lab.bind(1, "b"));
    CHECK(lab.send("a") == Names{"b", "c"});
    lab.under_test->remove_link("a");
    lab.under_test->add_link("a");
    REQUIRE(lab.bind(0, "a"));
    CHECK(lab.send("a") == Names{"b", "c"});
    CHECK(lab.upcalls().empty());
  });
}

TEST_CASE("an entry for any source says nothing about other groups, nor releases what waits") {
  for_both([](AnySourceLab& lab) {
    CHECK(lab.send("a") == Names{});
    REQUIRE(lab.put_any(entry(0, {1})));
    CHECK(lab.under_test->late_arrivals(lab.group) == Names{});
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.under_test->late_arrivals(lab.group) == Names{"b"});
    CHECK(lab.upcalls().size() == 1);
    const Address other =
        *Address::parse(lab.table.family == Family::ipv4 ? "225.1.2.4" : "ff0e::1:4");
    CHECK(lab.under_test->send("a", other) == Names{});
    CHECK(lab.upcalls().size() == 1);
  });
}
