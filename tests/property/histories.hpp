// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/property/world.hpp"

namespace mcast::testing {

using History = std::vector<Command>;

/// What rules there are: of one source and one group; for any source and ranges too; and of the
/// former some that are to be native.
enum class Rules : std::uint8_t { exact, templates, native };
/// A handful of interfaces and flows, so that things meet often.
[[nodiscard]] Universe small_universe(Rules rules);

/// What besides links and rules may happen.
struct Weather {
  bool faults = true;      ///< failing calls, tables taken away
  bool bad_events = true;  ///< lost, late, mixed up and doubled events
  /// Rules added and removed one by one. Their place in the order in which slots are given out is
  /// not defined, so this does not go with fewer slots than interfaces.
  bool commands = true;
  /// Interfaces gain and lose addresses, and two have the same, where slots are bound by them.
  bool addresses = false;
};
[[nodiscard]] rc::Gen<History> histories(const Universe& universe, Weather weather);

/// Lives through a history to the end; what an oracle objects comes with everything that led to it.
void live_through(const History& history, const KernelTraits& traits, const Universe& universe,
                  MakeSaboteur sabotage = nullptr);

/// Looks for a history in which an oracle objects; at most `count` are tried. Prints nothing unless
/// `report` is set, in which case it prints what is needed to repeat the failure.
struct Search {
  KernelTraits traits;
  Universe universe;
  Weather weather;
  int count = 1000;
  bool report = true;
  MakeSaboteur sabotage = nullptr;
};
/// Whether all histories went without objection.
[[nodiscard]] bool all_pass(const Search& search);

}  // namespace mcast::testing
