// SPDX-License-Identifier: BSD-2-Clause
//
// What some kernels do not survive, or not for sure: they use an interface that is gone, or an
// uninitialised pointer. Run on purpose only, and on a machine that may crash.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include "tests/contract/contract_lab.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

/// Families that keep a slot whose interface is gone.
template <class Case>
void for_families_that_dangle(Case run) {
  for_families([](const FamilyTraits& traits) { return !traits.departure_unbinds; }, run);
}

}  // namespace

TEST_SUITE_BEGIN("panic-class");

TEST_CASE("a slot stays bound when its interface is destroyed, until it is unbound") {
  for_families_that_dangle([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {2})));
    lab.under_test->remove_link("b");
    CHECK(lab.is_bound(1));
    lab.under_test->add_link("b");
    CHECK(lab.is_bound(1));
    CHECK(lab.bind(1, "b").error().code == ErrorCode::already_exists);
    REQUIRE(lab.unbind(1));
    CHECK_FALSE(lab.is_bound(1));
    REQUIRE(lab.bind(1, "b"));
    REQUIRE(lab.put(shape(0, {1, 2})));
    CHECK(lab.send() == Names{"b", "c"});
  });
}

TEST_CASE("entries stay when their parent is destroyed") {
  for_families_that_dangle([](Lab& lab) {
    const FlowKey former = lab.flow();
    REQUIRE(lab.put(shape(0, {1})));
    lab.under_test->remove_link("a");
    CHECK(lab.is_bound(0));
    CHECK(lab.kernel().counters(lab.table, former));
    REQUIRE(lab.kernel().apply(DropMfc{lab.table, former, slot(0)}));
    REQUIRE(lab.unbind(0));
    lab.under_test->add_link("a");
    REQUIRE(lab.bind(0, "a"));
    REQUIRE(lab.put(shape(0, {1})));
    CHECK(lab.send() == Names{"b"});
  });
}

TEST_CASE("a slot stays bound when its interface is lent, and is of use when that returns") {
  for_families_that_dangle([](Lab& lab) {
    REQUIRE(lab.put(shape(0, {1, 2})));
    lab.under_test->lend_link("b");
    CHECK(lab.is_bound(1));
    lab.under_test->return_link("b");
    CHECK(lab.is_bound(1));
    CHECK(lab.send() == Names{"b", "c"});
  });
}

TEST_CASE("a group is joined for as many sources as the kernel survives, and no more") {
  for_both_families([](Lab& lab) {
    const std::size_t most = lab.kernel().traits().max_sources_per_group;
    if (most == 0) return;
    const IfIndex link = lab.under_test->index_of("a");
    const char* const network = lab.table.family == Family::ipv4 ? "192.0.{}.{}" : "fd00:{}::{}";
    const auto join = [&](std::size_t number) {
      const auto source = fmt::format(fmt::runtime(network), number / 250, number % 250 + 1);
      return lab.kernel().apply(JoinGroup{link, *Address::parse(source), lab.group});
    };
    for (std::size_t i = 1; i <= most; ++i) REQUIRE(join(i));
    CHECK(join(most + 1).error().code == ErrorCode::limit_reached);
    CHECK(join(most));
  });
}

TEST_SUITE_END();
