// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

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

TEST_CASE("Linux: the kernel does what is intended whatever happens to links and rules") {
  CHECK(all_pass({.traits = linux_traits(),
                  .universe = small_universe(Rules::exact),
                  .weather = kFair,
                  .count = 1000}));
}

TEST_CASE("Linux: failing calls and lost events change when it converges, never to what") {
  CHECK(all_pass({.traits = linux_traits(),
                  .universe = small_universe(Rules::exact),
                  .weather = kStormy,
                  .count = 1500}));
}

TEST_CASE("Linux: any-source rules and ranges follow the traffic") {
  CHECK(all_pass({.traits = linux_traits(),
                  .universe = small_universe(Rules::templates),
                  .weather = kStormy,
                  .count = 1000}));
}

TEST_CASE("Linux: native rules forward what is intended, or are learned instead") {
  CHECK(all_pass({.traits = linux_traits(),
                  .universe = small_universe(Rules::native),
                  .weather = kStormy,
                  .count = 1500}));
}

TEST_CASE("Linux: slots of native entries change hands without leaks") {
  CHECK(all_pass({.traits = with_slots(linux_traits(), 4),
                  .universe = small_universe(Rules::native),
                  .weather = kStormyFiles,
                  .count = 1000}));
}

TEST_CASE("Linux: slots change hands without leaks when there are fewer than interfaces") {
  CHECK(all_pass({.traits = with_slots(linux_traits(), 4),
                  .universe = small_universe(Rules::exact),
                  .weather = kStormyFiles,
                  .count = 1000}));
}

TEST_CASE("FreeBSD: departures that drop entries and slots that dangle") {
  CHECK(all_pass({.traits = freebsd_traits(),
                  .universe = small_universe(Rules::exact),
                  .weather = kStormy,
                  .count = 1000}));
}

TEST_CASE("FreeBSD: slots change hands without leaks when there are fewer than interfaces") {
  CHECK(all_pass({.traits = with_slots(freebsd_traits(), 4),
                  .universe = small_universe(Rules::templates),
                  .weather = kStormyFiles,
                  .count = 500}));
}

}  // namespace
}  // namespace mcast::testing
