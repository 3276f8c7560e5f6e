// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "cli/hook.hpp"

using namespace mcast;
namespace fs = std::filesystem;

namespace {

/// A script in a folder of its own, a loop, and what is logged meanwhile.
class Bench {
 public:
  explicit Bench(std::string_view script) : before_(spdlog::default_logger()) {
    std::string name = (fs::temp_directory_path() / "mcast-hook-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
    std::ofstream(command()) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(command(), fs::perms::owner_all);
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log_));
    logger->set_level(spdlog::level::debug);
    spdlog::set_default_logger(std::move(logger));
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    spdlog::set_default_logger(before_);
    fs::remove_all(folder_);
  }
  [[nodiscard]] std::string command() const { return folder_ / "hook"; }
  [[nodiscard]] std::string file(const char* name) const { return folder_ / name; }
  [[nodiscard]] std::string text(const char* name) const {
    std::ifstream stream(file(name));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  [[nodiscard]] std::string log() const { return log_.str(); }

  /// Runs the loop until no child is left; false if one stays.
  bool all_reaped() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (has_child()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      loop.run_one_until(deadline);
    }
    return true;
  }

  asio::io_context loop;

 private:
  /// Looks without taking the child's status, which is the hook's to take.
  static bool has_child() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
  }

  fs::path folder_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace

TEST_CASE("the hook gets the event as its argument and the environment, and is reaped") {
  Bench bench(R"(echo "$# $1 $source $group ${HOME:+home}" >"${0%/*}/got")");
  ::setenv("HOME", "/", 0);
  cli::Hook hook(bench.loop, bench.command());
  hook.run("install", {"source=10.0.0.1", "group=239.1.1.1"});
  REQUIRE(bench.all_reaped());
  CHECK(bench.text("got") == "1 install 10.0.0.1 239.1.1.1 home\n");
  CHECK(bench.log().empty());
}

TEST_CASE("several hooks run at the same time and are all reaped") {
  // Each waits for the other: run one after the other they would never end.
  Bench bench(R"(cd "${0%/*}"; case $1 in
a) echo >b.fifo; read -r line <a.fifo;;
b) read -r line <b.fifo; echo >a.fifo;;
esac
echo "$1" >"$1.done")");
  REQUIRE(::mkfifo(bench.file("a.fifo").c_str(), 0600) == 0);
  REQUIRE(::mkfifo(bench.file("b.fifo").c_str(), 0600) == 0);
  cli::Hook hook(bench.loop, bench.command());
  hook.run("a");
  hook.run("b");
  REQUIRE(bench.all_reaped());
  CHECK(bench.text("a.done") == "a\n");
  CHECK(bench.text("b.done") == "b\n");
}

TEST_CASE("many events run a few at a time, and none is lost") {
  Bench bench(R"(mkdir "${0%/*}/$n"; ls "${0%/*}" | grep -c '^[0-9]' >>"${0%/*}/counts"
rmdir "${0%/*}/$n"; echo "$n" >>"${0%/*}/done")");
  constexpr cli::Hook::Limits kLimits{.running = 3};
  cli::Hook hook(bench.loop, bench.command(), kLimits);
  constexpr int kEvents = 30;
  for (int i = 0; i < kEvents; ++i) hook.run("install", {"n=" + std::to_string(i)});
  REQUIRE(bench.all_reaped());
  const std::string done = bench.text("done");
  CHECK(std::ranges::count(done, '\n') == kEvents);
  std::istringstream counts(bench.text("counts"));
  std::size_t most = 0;
  for (std::size_t count = 0; counts >> count;) most = std::max(most, count);
  CHECK(most > 0);
  CHECK(most <= kLimits.running);
}

TEST_CASE("beyond what may wait events are skipped, which is told with their number") {
  Bench bench(R"([ "$1" = reload ] || read -r line <"${0%/*}/gate")");
  REQUIRE(::mkfifo(bench.file("gate").c_str(), 0600) == 0);
  constexpr cli::Hook::Limits kLimits{.running = 2, .waiting = 5};
  cli::Hook hook(bench.loop, bench.command(), kLimits);
  for (std::size_t i = 0; i < kLimits.running; ++i) hook.run("install");
  for (std::size_t i = 0; i < kLimits.waiting; ++i) hook.run("reload");
  CHECK(bench.log().empty());
  hook.run("reload");
  hook.run("reload");
  CHECK(bench.log().contains("further ones are skipped"));
  // Open for both, the pipe keeps the lines until each of those that run has read one.
  std::fstream gate(bench.file("gate"), std::ios::in | std::ios::out);
  for (std::size_t i = 0; i < kLimits.running; ++i) gate << "go" << std::endl;
  REQUIRE(bench.all_reaped());
  CHECK(bench.log().contains("2 events were skipped"));
}

TEST_CASE("a hook that fails is logged with its name and what became of it") {
  Bench bench(R"([ "$1" = reload ] && exit 3; kill -KILL $$)");
  cli::Hook hook(bench.loop, bench.command());
  hook.run("reload");
  REQUIRE(bench.all_reaped());
  CHECK(bench.log().contains(bench.command() + " exited with 3"));
  hook.run("other");
  REQUIRE(bench.all_reaped());
  CHECK(bench.log().contains(bench.command() + " was ended by signal 9"));
}

TEST_CASE("a hook that cannot be run is logged, and the next one runs") {
  Bench bench(R"(echo >"${0%/*}/ran")");
  fs::permissions(bench.command(), fs::perms::none);
  cli::Hook hook(bench.loop, bench.command());
  hook.run("reload");
  CHECK(bench.log().contains("cannot run " + bench.command()));
  CHECK_FALSE(fs::exists(bench.file("ran")));
  fs::permissions(bench.command(), fs::perms::owner_all);
  hook.run("reload");
  REQUIRE(bench.all_reaped());
  CHECK(fs::exists(bench.file("ran")));
}

TEST_CASE("without a command nothing is run, and the loop has nothing to wait for") {
  Bench bench("");
  cli::Hook hook(bench.loop, "");
  hook.run("reload");
  CHECK(bench.loop.run() == 0);
  CHECK(bench.log().empty());
}
