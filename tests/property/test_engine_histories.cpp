// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/property/histories.hpp"

namespace mcast::testing {
namespace {

constexpr Weather kFair{.faults = false, .bad_events = false, .commands = true};
constexpr Weather kStormy{.faults = true, .bad_events = true, .commands = true};
constexpr Weather kStormyFiles{.faults = true, .bad_events = true, .commands = false};

KernelTraits with_slots(KernelTraits traits, std::size_t slots) {
  traits.ipv4.slots = traits.ipv6.slots = slots;
  return traits;
}

/// The same for every kernel's semantics. `slots`: 0 for as many as it has.
void check_all(Rules rules, Weather weather, int count, std::size_t slots = 0) {
  for (const auto& traits : {linux_traits(), freebsd_traits()}) {
    CAPTURE(traits.ipv4.bind_needs_address);
    CHECK(all_pass({.traits = slots == 0 ? traits : with_slots(traits, slots),
                    .universe = small_universe(rules),
                    .weather = weather,
                    .count = count}));
  }
}

TEST_CASE("the kernel does what is intended whatever happens to links and rules") {
  check_all(Rules::exact, kFair, 1000);
}

TEST_CASE("failing calls and lost events change when it converges, never to what") {
  check_all(Rules::exact, kStormy, 1500);
}

TEST_CASE("any-source rules and ranges follow the traffic") {
  check_all(Rules::templates, kStormy, 1000);
}

TEST_CASE("native rules forward what is intended, or are learned instead") {
  check_all(Rules::native, kStormy, 1500);
}

TEST_CASE("slots of native entries, or of what is learned instead, change hands without leaks") {
  check_all(Rules::native, kStormyFiles, 1000, 4);
}

TEST_CASE("slots change hands without leaks when there are fewer than interfaces") {
  check_all(Rules::exact, kStormyFiles, 1000, 4);
  check_all(Rules::templates, kStormyFiles, 500, 4);
}

}  // namespace
}  // namespace mcast::testing
