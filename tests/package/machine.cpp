// SPDX-License-Identifier: BSD-2-Clause
#include "tests/package/machine.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <fstream>
#include <stdexcept>

#include "tests/support/skip.hpp"

namespace mcast::testing {
namespace {

/// Installing a package may take a while on a busy host.
constexpr Duration kLongPatience = 6 * kPatience;

/// False when time is over or the process has ended.
bool await_file(const std::filesystem::path& file, Process& process) {
  DirectoryWatch watch(file.parent_path());
  const auto deadline = Clock::now() + kLongPatience;
  while (!std::filesystem::exists(file)) {
    const auto left = std::chrono::ceil<Duration>(deadline - Clock::now());
    if (left.count() <= 0 || !process.running()) return false;
    std::array<pollfd, 2> events{pollfd{.fd = watch.fd(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = process.pidfd(), .events = POLLIN, .revents = 0}};
    ::poll(events.data(), events.size(), static_cast<int>(left.count()));
    watch.drain();
  }
  return true;
}

/// unshare(1) waits for its only child, which is process 1 in there.
pid_t only_child(pid_t parent) {
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", parent));
  pid_t child = -1;
  if (!(children >> child)) throw std::runtime_error("the machine has no process 1");
  return child;
}

}  // namespace

Machine::Machine(const NetNamespace& where)
    : where_(&where), process_(where, {MCAST_MACHINE, shared_.path()}) {
  if (!await_shared("up")) {
    const auto ended = process_.wait(Duration{0});
    if (ended && ended->code == 77) MCAST_SKIP("systemd in namespaces: " + process_.err());
    throw std::runtime_error("the machine did not start: " + process_.err());
  }
  init_ = only_child(process_.pid());
}

ProgramResult Machine::run(const std::vector<std::string>& arguments,
                           std::string_view input) const {
  std::vector<std::string> all{"nsenter", "--target", std::to_string(init_),
                               "--mount", "--pid",    "--cgroup",
                               "--uts",   "--ipc",    "--root",
                               "--wd",    "--"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(*where_, all, input, kLongPatience);
}

ProgramResult Machine::sh(std::string_view line, std::string_view input) const {
  return run({"/bin/sh", "-c", std::string(line)}, input);
}

void Machine::write(const std::string& path, std::string_view text) const {
  const auto result =
      sh(fmt::format("mkdir -p \"$(dirname {0})\" && cat >{0}.new && mv {0}.new {0}", path), text);
  if (result.exit_code != 0) throw std::runtime_error(fmt::format("{}: {}", path, result.err));
}

bool Machine::await_shared(const std::string& name) {
  return await_file(shared_ / name, process_);
}

bool Machine::exists(const std::string& path) const {
  return run({"test", "-e", path}).exit_code == 0;
}

std::string Machine::property(const std::string& unit, const std::string& name) const {
  const auto result = run({"systemctl", "show", "--value", "--property=" + name, unit});
  return result.out.substr(0, result.out.find('\n'));
}

}  // namespace mcast::testing
