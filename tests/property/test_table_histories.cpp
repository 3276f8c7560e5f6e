// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "tests/property/table_histories.hpp"

namespace mcast::testing {
namespace {

/// Where multicast rules and VRFs choose tables, and where interfaces belong to one of three FIBs.
void check_all(bool storms, bool traffic, int count) {
  for (const auto& traits : {linux_traits(), freebsd_traits(3)}) {
    CAPTURE(traits.ipv4.max_table);
    CHECK(
        all_table_histories_pass({.traits = traits, .storms = storms, .traffic = traffic}, count));
  }
}

TEST_CASE("rules are where the traffic of their interfaces goes, whatever happens to VRFs") {
  check_all(false, false, 400);
}

TEST_CASE("failing calls and lost events change when tables are as they should be, never how") {
  check_all(true, false, 600);
}

TEST_CASE("what arrives is learned in the table that it is routed by, and nowhere else") {
  check_all(true, true, 400);
}

TEST_CASE("ten thousand events over three VRFs leave nothing that is not intended") {
  const std::uint64_t seed = rc::detail::configuration().testParams.seed;
  for (const auto& traits : {linux_traits(), freebsd_traits(3)}) {
    const TableSearch search{.traits = traits, .storms = true, .traffic = true};
    CHECK(long_table_history_passes(search, 10'000, seed));
  }
}

}  // namespace
}  // namespace mcast::testing
