// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "tests/property/table_histories.hpp"

namespace mcast::testing {
namespace {

TEST_CASE("rules are where the traffic of their interfaces goes, whatever happens to VRFs") {
  CHECK(
      all_table_histories_pass({.traits = linux_traits(), .storms = false, .traffic = false}, 400));
}

TEST_CASE("failing calls and lost events change when tables are as they should be, never how") {
  CHECK(
      all_table_histories_pass({.traits = linux_traits(), .storms = true, .traffic = false}, 600));
}

TEST_CASE("what arrives is learned in the table that it is routed by, and nowhere else") {
  CHECK(all_table_histories_pass({.traits = linux_traits(), .storms = true, .traffic = true}, 400));
}

TEST_CASE("ten thousand events over three VRFs leave nothing that is not intended") {
  const TableSearch search{.traits = linux_traits(), .storms = true, .traffic = true};
  const std::uint64_t seed = rc::detail::configuration().testParams.seed;
  CHECK(long_table_history_passes(search, 10'000, seed));
}

}  // namespace
}  // namespace mcast::testing
