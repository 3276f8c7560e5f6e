// SPDX-License-Identifier: BSD-2-Clause
//
// main() of every doctest program that runs all its cases in its own process.
#include <doctest/doctest.h>

#include <string>

#include "tests/support/reporter.hpp"

int main(int argc, char** argv) {
  doctest::Context context;
  bool reporter_chosen = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    reporter_chosen = reporter_chosen || argument.find("reporters=") != std::string::npos ||
                      argument.starts_with("-r=");
  }
  if (!reporter_chosen) context.setOption("reporters", mcast::testing::kReporter);
  context.applyCommandLine(argc, argv);
  const int result = context.run();
  const auto& counts = mcast::testing::case_counts();
  if (!counts.complete) return result;
  if (counts.failed > 0) return 1;
  return counts.passed == 0 && !counts.skipped.empty() ? mcast::testing::kAllSkipped : 0;
}
