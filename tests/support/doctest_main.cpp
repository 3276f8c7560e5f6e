// SPDX-License-Identifier: BSD-2-Clause
//
// main() of every doctest program. On top of doctest's own it knows skipped cases, and it appends
// the counts of the run to the file named by MCAST_TEST_COUNTS, for tests/run to add up.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/skip.hpp"

namespace mcast::testing {
namespace {

/// What ctest takes for "skipped": every case of the program was.
constexpr int kAllSkipped = 77;

/// Thrown by skip(). Deliberately no std::exception: code under test must not swallow it.
struct Skip {};

struct Counts {
  unsigned passed = 0;
  unsigned failed = 0;
  std::vector<std::string> skipped;  ///< "case: why"
  bool complete = false;
};

Counts counts;
std::string skip_reason;

/// doctest's console output, with skipped cases told apart from failed ones. doctest takes every
/// exception for a failure, so skipping is recognised here, by the reason left by skip().
class Reporter : public doctest::ConsoleReporter {
 public:
  explicit Reporter(const doctest::ContextOptions& options) : ConsoleReporter(options) {}

  void test_case_start(const doctest::TestCaseData& data) override {
    skip_reason.clear();
    failed_before_skip_ = false;
    ConsoleReporter::test_case_start(data);
  }

  void log_assert(const doctest::AssertData& data) override {
    if (data.m_failed && (data.m_at & doctest::assertType::is_warn) == 0) {
      failed_before_skip_ = true;
    }
    ConsoleReporter::log_assert(data);
  }

  void test_case_exception(const doctest::TestCaseException& exception) override {
    if (skip_reason.empty() || exception.is_crash) {
      ConsoleReporter::test_case_exception(exception);
    }
  }

  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    const std::string name = tc->m_name;
    const bool skipped = !skip_reason.empty() && !failed_before_skip_ &&
                         (stats.failure_flags & doctest::TestCaseFailureReason::Crash) == 0;
    if (skipped) {
      counts.skipped.push_back(name + ": " + skip_reason);
      s << "SKIPPED " << name << ": " << skip_reason << "\n";
      return;
    }
    ++(stats.testCaseSuccess ? counts.passed : counts.failed);
    ConsoleReporter::test_case_end(stats);
  }

  void test_case_skipped(const doctest::TestCaseData& data) override {
    if (data.m_skip) counts.skipped.push_back(std::string(data.m_name) + ": marked skip()");
  }

  void test_run_end(const doctest::TestRunStats& stats) override {
    counts.complete = true;
    doctest::TestRunStats adjusted = stats;
    adjusted.numTestCasesFailed = counts.failed;
    adjusted.numTestCasesPassingFilters = counts.passed + counts.failed;
    ConsoleReporter::test_run_end(adjusted);
    write_counts();
  }

 private:
  static void write_counts() {
    const char* path = std::getenv("MCAST_TEST_COUNTS");
    if (path == nullptr) return;
    const char* name = std::getenv("MCAST_TEST_NAME");
    const std::string label = name == nullptr ? "-" : name;
    std::string text = "count " + label + " " + std::to_string(counts.passed) + " " +
                       std::to_string(counts.failed) + " " + std::to_string(counts.skipped.size()) +
                       "\n";
    for (const auto& line : counts.skipped) text += "skip " + label + " " + line + "\n";
    // One write: programs that run side by side share the file.
    std::ofstream(path, std::ios::app) << text << std::flush;
  }

  bool failed_before_skip_ = false;
};

DOCTEST_REGISTER_REPORTER("mcast", 0, Reporter);

}  // namespace

void skip(std::string why) {
  skip_reason = why.empty() ? "no reason given" : std::move(why);
  throw Skip{};
}

}  // namespace mcast::testing

int main(int argc, char** argv) {
  using mcast::testing::counts;
  doctest::Context context;
  bool reporter_chosen = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    reporter_chosen = reporter_chosen || argument.find("reporters=") != std::string::npos ||
                      argument.starts_with("-r=");
  }
  if (!reporter_chosen) context.setOption("reporters", "mcast");
  context.applyCommandLine(argc, argv);
  const int result = context.run();
  if (!counts.complete) return result;
  if (counts.failed > 0) return 1;
  return counts.passed == 0 && !counts.skipped.empty() ? mcast::testing::kAllSkipped : 0;
}
