// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/runner.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <optional>
#include <string_view>

#include "tests/support/fd.hpp"
#include "tests/support/reporter.hpp"

namespace mcast::testing {
namespace {

using Clock = std::chrono::steady_clock;

/// For what happens beside a case: describing the kernel, cleaning up, dying of SIGKILL.
constexpr std::chrono::seconds kBesidePatience{60};
constexpr const char* kCollector = "mcast-collect";

std::vector<TestCase>* collected = nullptr;

/// Takes down which cases doctest would run.
class Collector final : public doctest::IReporter {
 public:
  explicit Collector(const doctest::ContextOptions& /*options*/) {}
  void report_query(const doctest::QueryData& found) override {
    for (unsigned i = 0; i < found.num_data && collected != nullptr; ++i) {
      const doctest::TestCaseData& data = *found.data[i];
      const char* suite = data.m_test_suite == nullptr ? "" : data.m_test_suite;
      collected->push_back({i + 1, data.m_name, suite});
    }
  }
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

void configure(doctest::Context& context, const Options& options,
               std::vector<const char*> arguments = {}) {
  arguments.insert(arguments.begin(), "bsd_tests");
  for (const auto& option : options.doctest) arguments.push_back(option.c_str());
  context.applyCommandLine(static_cast<int>(arguments.size()), arguments.data());
  context.setOption("no-colors", true);
}

/// The console shows it at once, and a child does not write it a second time.
void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

/// SIGCHLD and the signals that ask us to stop are waited for, never delivered.
class Signals {
 public:
  Signals() {
    sigemptyset(&awaited_);
    for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&awaited_, number);
    check_call(::sigprocmask(SIG_BLOCK, &awaited_, &before_), "sigprocmask");
    // A signal that is ignored does not wait to be taken either, and SIGCHLD is by default.
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    check_call(::sigaction(SIGCHLD, &action, &old_), "sigaction");
  }
  ~Signals() { restore(); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void restore() const {
    ::sigaction(SIGCHLD, &old_, nullptr);
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  /// The signal, or 0 when time is over.
  [[nodiscard]] int wait(Clock::duration longest) const {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(longest).count();
    timespec time{};
    time.tv_sec = static_cast<time_t>(left / 1'000'000'000);
    time.tv_nsec = static_cast<long>(left % 1'000'000'000);
    const int number = ::sigtimedwait(&awaited_, nullptr, &time);
    return number < 0 ? 0 : number;
  }

 private:
  sigset_t awaited_{};
  sigset_t before_{};
  struct sigaction old_ = {};
};

struct Verdict {
  enum class Kind { passed, failed, skipped };
  Kind kind = Kind::failed;
  std::string why;
};

class Runner {
 public:
  Runner(const Options& options, Surroundings& surroundings)
      : options_(options), surroundings_(surroundings) {}

  Counts run() {
    const auto cases = list_cases(options_);
    for (const auto& test : cases) {
      if (interrupted_) {
        take({Verdict::Kind::failed, "not run: interrupted"}, test);
        continue;
      }
      run(test, cases.size());
    }
    for (const auto& line : not_passed_) say(line);
    write_counts(counts_);
    say(fmt::format("{} passed, {} failed, {} skipped", counts_.passed, counts_.failed,
                    counts_.skipped.size()));
    return counts_;
  }

 private:
  void run(const TestCase& test, std::size_t all) {
    const std::string place = fmt::format("=== {}/{}", test.number, all);
    if (test.suite == kPanicClass && !options_.allow_panics) {
      const std::string why = "may bring the kernel down; allowed by --allow-panics";
      say(fmt::format("{} skipped: {}: {}", place, test.name, why));
      take({Verdict::Kind::skipped, why}, test);
      return;
    }
    say(fmt::format("{} start: {}", place, test.name));
    const auto start = Clock::now();
    const Verdict verdict = judge(test);
    const std::chrono::duration<double> took = Clock::now() - start;
    constexpr std::array names{"passed", "FAILED", "skipped"};
    say(fmt::format("{} {} in {:.3f} s: {}{}{}", place,
                    names[static_cast<std::size_t>(verdict.kind)], took.count(), test.name,
                    verdict.why.empty() ? "" : ": ", verdict.why));
    take(verdict, test);
  }

  void take(const Verdict& verdict, const TestCase& test) {
    const std::string line = test.name + ": " + verdict.why;
    switch (verdict.kind) {
      case Verdict::Kind::passed:
        ++counts_.passed;
        break;
      case Verdict::Kind::failed:
        ++counts_.failed;
        not_passed_.push_back("failed: " + line);
        break;
      case Verdict::Kind::skipped:
        counts_.skipped.push_back(line);
        not_passed_.push_back("skipped: " + line);
        break;
    }
  }

  Verdict judge(const TestCase& test) {
    try {
      surroundings_.prepare();
      const Verdict verdict = run_alone(test);
      run_beside("cleaning up", [&] { surroundings_.clean_up(); });
      return verdict;
    } catch (const std::exception& problem) {
      return {Verdict::Kind::failed, problem.what()};
    } catch (...) {
      return {Verdict::Kind::failed, "it could not be prepared"};
    }
  }

  Verdict run_alone(const TestCase& test) {
    std::array<int, 2> ends{};
    check_call(::pipe(ends.data()), "pipe");
    const Fd from_case(ends[0]);
    Fd to_runner(ends[1]);
    const pid_t child = make_child([&] {
      const Verdict verdict = run_here(test);
      constexpr std::array letters{'P', 'F', 'S'};
      const std::string text = letters[static_cast<std::size_t>(verdict.kind)] + verdict.why;
      const auto sent =
          ::write(to_runner.get(), text.data(), std::min<std::size_t>(text.size(), 500));
      return sent > 0 ? 0 : 1;
    });
    to_runner.reset();
    const auto status = await(child, options_.patience);
    if (!status) {
      say(interrupted_ ? "interrupted; the kernel looks like this:"
                       : "timed out; the kernel looks like this:");
      run_beside("describing the kernel", [&] { surroundings_.describe(); });
      kill_group(child);
      if (!await(child, kBesidePatience)) say("its process cannot be killed");
      return {Verdict::Kind::failed,
              interrupted_ ? "interrupted"
                           : fmt::format("timed out after {} s", options_.patience.count())};
    }
    kill_group(child);
    return verdict_of(*status, from_case.get());
  }

  Verdict verdict_of(int status, int from_case) {
    std::array<char, 512> text{};
    // Others may still hold the other end.
    check_call(::fcntl(from_case, F_SETFL, O_NONBLOCK), "fcntl");
    const auto got = ::read(from_case, text.data(), text.size());
    if (got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      const std::string why(text.data() + 1, static_cast<std::size_t>(got) - 1);
      if (text[0] == 'P') return {Verdict::Kind::passed, {}};
      if (text[0] == 'S') return {Verdict::Kind::skipped, why};
      return {Verdict::Kind::failed, why};
    }
    say("died; the kernel looks like this:");
    run_beside("describing the kernel", [&] { surroundings_.describe(); });
    if (WIFSIGNALED(status)) {
      return {Verdict::Kind::failed, fmt::format("died of signal {} ({})", WTERMSIG(status),
                                                 ::strsignal(WTERMSIG(status)))};
    }
    return {Verdict::Kind::failed,
            fmt::format("ended with status {} before its case did", WEXITSTATUS(status))};
  }

  /// In the case's process.
  Verdict run_here(const TestCase& test) {
    try {
      surroundings_.enter();
    } catch (const std::exception& problem) {
      return {Verdict::Kind::failed, problem.what()};
    }
    // The runner tells them.
    ::unsetenv("MCAST_TEST_COUNTS");
    doctest::Context context;
    configure(context, options_);
    const int number = static_cast<int>(test.number);
    context.setOption("first", number);
    context.setOption("last", number);
    context.setOption("no-intro", true);
    context.setOption("no-version", true);
    context.setOption("minimal", true);
    context.setOption("reporters", kReporter);
    context.run();
    std::fflush(stdout);
    const Counts& counts = case_counts();
    if (counts.failed > 0) return {Verdict::Kind::failed, "its checks, above"};
    if (counts.passed > 0) return {Verdict::Kind::passed, {}};
    if (counts.skipped.empty()) return {Verdict::Kind::failed, "it was not found"};
    std::string_view why = counts.skipped.back();
    if (why.starts_with(test.name + ": ")) why.remove_prefix(test.name.size() + 2);
    return {Verdict::Kind::skipped, std::string(why)};
  }

  /// What must not take the runner with it either.
  void run_beside(const char* what, const std::function<void()>& action) {
    const pid_t child = make_child([&] {
      try {
        action();
        return 0;
      } catch (const std::exception& problem) {
        say(fmt::format("{}: {}", what, problem.what()));
        return 1;
      }
    });
    if (const auto status = await(child, kBesidePatience)) {
      if (WIFSIGNALED(*status)) say(fmt::format("{} died of signal {}", what, WTERMSIG(*status)));
      return;
    }
    say(fmt::format("{} takes too long", what));
    kill_group(child);
    if (!await(child, kBesidePatience)) say(fmt::format("{} cannot be killed", what));
  }

  pid_t make_child(const std::function<int()>& action) {
    std::fflush(stdout);
    const pid_t child = check_call(::fork(), "fork");
    if (child != 0) {
      // Both sides do it, so that it is done whichever is first.
      ::setpgid(child, child);
      return child;
    }
    ::setpgid(0, 0);
    signals_.restore();
    const int code = action();
    std::fflush(stdout);
    ::_exit(code);
  }

  static void kill_group(pid_t leader) { ::kill(-leader, SIGKILL); }

  /// Its status; empty when time is over or we are asked to stop. Reaps whatever else ends: process
  /// 1 inherits the children of others.
  std::optional<int> await(pid_t child, Clock::duration patience) {
    const auto end = Clock::now() + patience;
    while (true) {
      int status = 0;
      const pid_t ended = ::waitpid(-1, &status, WNOHANG);
      if (ended == child) return status;
      if (ended > 0 || (ended < 0 && errno == EINTR)) continue;
      const auto left = end - Clock::now();
      if (ended < 0 || left <= Clock::duration::zero()) return {};
      const int number = signals_.wait(left);
      if (number == 0 || number == SIGCHLD) continue;
      interrupted_ = true;
      return {};
    }
  }

  const Options& options_;
  Surroundings& surroundings_;
  Signals signals_;
  Counts counts_;
  std::vector<std::string> not_passed_;
  bool interrupted_ = false;
};

DOCTEST_REGISTER_REPORTER(kCollector, 0, Collector);

}  // namespace

std::vector<TestCase> list_cases(const Options& options) {
  std::vector<TestCase> cases;
  collected = &cases;
  doctest::Context context;
  // A flag of this kind is not taken by setOption().
  configure(context, options, {"--list-test-cases"});
  context.setOption("reporters", kCollector);
  context.run();
  collected = nullptr;
  return cases;
}

Counts run_cases(const Options& options, Surroundings& surroundings) {
  return Runner(options, surroundings).run();
}

int exit_code(const Counts& counts) {
  if (counts.failed > 0) return 1;
  return counts.passed == 0 && !counts.skipped.empty() ? kAllSkipped : 0;
}

}  // namespace mcast::testing
