// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/timed_daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/support/daemon.hpp"

namespace mcast::bench {
namespace {

using testing::check_call;

/// SMCRoute needs a minute for 16,000 routes on a quiet machine.
constexpr std::chrono::seconds kPatience{600};

bool is_over(const Stopwatch& watch) {
  return watch.cost().wall > static_cast<double>(kPatience.count());
}

std::vector<std::string> command_line(const std::string& program, const testing::TempDir& dir,
                                      std::string_view configuration) {
  dir.write("bench.conf", configuration);
  // -N and phyint lines: SMCRoute does not take every interface it finds.
  return {testing::built_program(program),
          "-n",
          "-N",
          "-l",
          "err",
          "-f",
          dir / "bench.conf",
          "-u",
          dir / "bench.sock",
          "-P",
          dir / "bench.pid"};
}

/// False when time is over.
bool wait_readable(int first, int second, std::chrono::milliseconds patience) {
  std::array<pollfd, 2> events{pollfd{.fd = first, .events = POLLIN, .revents = 0},
                               pollfd{.fd = second, .events = POLLIN, .revents = 0}};
  return ::poll(events.data(), events.size(), static_cast<int>(patience.count())) > 0;
}

}  // namespace

TimedDaemon::TimedDaemon(const testing::NetNamespace& router, const std::string& program,
                         std::string_view configuration, std::size_t routes)
    : router_(router),
      watch_(dir_.path()),
      table_(router),
      process_(router, command_line(program, dir_, configuration)) {
  // Nothing tells when a route is installed, short of a stream of messages about each of them.
  while (!table_.has_all(routes)) {
    require_running();
    if (is_over(started_)) {
      throw std::runtime_error(program + " has not installed all routes in time");
    }
    wait_readable(process_.pidfd(), -1, std::chrono::milliseconds(1));
  }
  start_cost_ = {started_.cost().wall, processor()};
  while (!std::filesystem::exists(dir_ / "bench.pid")) {
    require_running();
    wait_readable(process_.pidfd(), watch_.fd(), kPatience);
    watch_.drain();
  }
}

TimedDaemon::~TimedDaemon() {
  process_.signal(SIGTERM);
  process_.wait();
}

void TimedDaemon::require_running() {
  if (process_.running()) return;
  throw std::runtime_error("the daemon has ended: " + process_.err());
}

Cost TimedDaemon::reload() {
  const std::string pid_file = dir_ / "bench.pid";
  // The file may be written in several steps, of which the last may still come.
  do {
    watch_.drain();
  } while (wait_readable(watch_.fd(), process_.pidfd(), std::chrono::milliseconds(50)) &&
           process_.running());
  // A time of our own: two touches within a tick of the kernel's clock look the same.
  const std::array<timespec, 2> long_ago{};
  check_call(::utimensat(AT_FDCWD, pid_file.c_str(), long_ago.data(), 0), "utimensat");
  const auto touched = [&] {
    struct stat status{};
    return ::stat(pid_file.c_str(), &status) == 0 && status.st_mtim.tv_sec != 0;
  };
  watch_.drain();
  const double used = processor();
  const Stopwatch watch;
  process_.signal(SIGHUP);
  while (!touched()) {
    require_running();
    wait_readable(process_.pidfd(), watch_.fd(), kPatience);
    if (is_over(watch)) {
      throw std::runtime_error("the daemon has not reloaded in time");
    }
    watch_.drain();
  }
  return {watch.cost().wall, processor() - used};
}

std::string TimedDaemon::ctl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> words{testing::built_program("mcastctl"), "-u", dir_ / "bench.sock"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  auto result = testing::run_program(router_, words);
  if (result.exit_code != 0) throw std::runtime_error("mcastctl: " + result.err);
  return std::move(result.out);
}

double TimedDaemon::processor() const {
  // Both daemons are single threads.
  std::ifstream file(fmt::format("/proc/{}/schedstat", process_.pid()));
  std::uint64_t nanoseconds = 0;
  if (!(file >> nanoseconds)) throw std::runtime_error("/proc tells nothing about the daemon");
  return static_cast<double>(nanoseconds) * 1e-9;
}

Memory TimedDaemon::memory() const {
  Memory memory;
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", process_.pid()));
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t kilobytes = 0;
    if (!(words >> name >> kilobytes)) continue;
    if (name == "Rss:") memory.resident = kilobytes;
    if (name == "Pss:") memory.proportional = kilobytes;
    if (name == "Private_Dirty:") memory.private_dirty = kilobytes;
  }
  if (memory.resident == 0) throw std::runtime_error("/proc tells nothing about the daemon");
  return memory;
}

std::uint64_t TimedDaemon::context_switches() const {
  std::uint64_t sum = 0;
  bool any = false;
  const std::filesystem::path tasks = fmt::format("/proc/{}/task", process_.pid());
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream file(task.path() / "status");
    for (std::string line; std::getline(file, line);) {
      const auto at = line.find("voluntary_ctxt_switches:");
      if (at == std::string::npos) continue;
      sum += std::stoull(line.substr(line.find(':') + 1));
      any = true;
    }
  }
  if (!any) throw std::runtime_error("/proc tells nothing about the daemon");
  return sum;
}

}  // namespace mcast::bench
