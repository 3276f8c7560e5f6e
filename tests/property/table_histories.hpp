// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <vector>

#include "tests/property/tables_world.hpp"

namespace mcast::testing {

using TableHistory = std::vector<TableCommand>;

struct TableSearch {
  KernelTraits traits;
  /// Failing calls, lost and disordered events.
  bool storms = true;
  /// Packets from everywhere, and rules that learn from them.
  bool traffic = true;
};

[[nodiscard]] TablesUniverse small_universe_of_tables(const KernelTraits& traits, bool templates);
[[nodiscard]] rc::Gen<TableCommand> table_commands(const TablesUniverse& universe, bool storms,
                                                   bool traffic);

/// Whether `count` histories of some dozens of commands go without objection. Prints what is needed
/// to repeat a failure, and the shortest history that rapidcheck finds.
[[nodiscard]] bool all_table_histories_pass(const TableSearch& search, int count);

/// The same for a single history of so many commands, in which things accumulate. One that fails is
/// made as short as possible.
[[nodiscard]] bool long_table_history_passes(const TableSearch& search, std::size_t commands,
                                             std::uint64_t seed);

}  // namespace mcast::testing
