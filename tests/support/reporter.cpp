// SPDX-License-Identifier: BSD-2-Clause
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/reporter.hpp"
#include "tests/support/skip.hpp"

namespace mcast::testing {
namespace {

/// Thrown by skip(). Deliberately no std::exception: code under test must not swallow it.
struct Skip {};

Counts counts;
std::string skip_reason;
std::function<void()> failure_hook;

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
      ConsoleReporter::log_assert(data);
      if (!std::exchange(failed_before_skip_, true) && failure_hook) failure_hook();
      return;
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
    write_counts(counts);
  }

 private:
  bool failed_before_skip_ = false;
};

DOCTEST_REGISTER_REPORTER("mcast", 0, Reporter);

}  // namespace

const Counts& case_counts() {
  return counts;
}

void write_counts(const Counts& all) {
  const char* path = std::getenv("MCAST_TEST_COUNTS");
  if (path == nullptr) return;
  const char* name = std::getenv("MCAST_TEST_NAME");
  const std::string label = name == nullptr ? "-" : name;
  std::string text = "count " + label + " " + std::to_string(all.passed) + " " +
                     std::to_string(all.failed) + " " + std::to_string(all.skipped.size()) + "\n";
  for (const auto& line : all.skipped) text += "skip " + label + " " + line + "\n";
  // One write: programs that run side by side share the file.
  std::ofstream(path, std::ios::app) << text << std::flush;
}

void on_first_failure(std::function<void()> hook) {
  failure_hook = std::move(hook);
}

void skip(std::string why) {
  skip_reason = why.empty() ? "no reason given" : std::move(why);
  throw Skip{};
}

}  // namespace mcast::testing
