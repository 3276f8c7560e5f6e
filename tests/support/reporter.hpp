// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace mcast::testing {

/// The name of the doctest reporter that knows skipped cases. It passes the counts of a run to
/// write_counts().
inline constexpr const char* kReporter = "mcast";

/// What ctest takes for "skipped": every case of the program was.
inline constexpr int kAllSkipped = 77;

struct Counts {
  unsigned passed = 0;
  unsigned failed = 0;
  std::vector<std::string> skipped;  ///< "case: why"
  bool complete = false;
};

/// So far, in this process.
[[nodiscard]] const Counts& case_counts();

/// Appends them to the file named by MCAST_TEST_COUNTS, if any, for tests/run to add up.
void write_counts(const Counts& counts);

/// Called when the first check of a case fails, while all that the case made still exists.
void on_first_failure(std::function<void()> hook);

}  // namespace mcast::testing
