// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.hpp"

namespace mcast::testing {

/// A program of this build, by any of its names: "mcastd", "smcroutectl". A path stays as it is.
std::string built_program(std::string_view name);

/// Runs a real daemon inside a router's namespace, with files of its own in a temporary directory.
class Daemon {
 public:
  struct Options {
    std::string program = "mcastd";           ///< or the path of another with the same options
    std::vector<std::string> arguments = {};  ///< besides -f, -u, -P and the two below
    std::string log_level = "debug";
    bool detach = false;
  };

  /// Starts it and waits until it is ready for commands. Throws, with what it has written, if it
  /// ends or stays silent instead.
  Daemon(const NetNamespace& router, std::string_view configuration, Options options);
  Daemon(const NetNamespace& router, std::string_view configuration)
      : Daemon(router, configuration, Options{}) {}
  /// Asks it to end; if it does not, kills it.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] const TempDir& dir() const { return dir_; }
  [[nodiscard]] std::filesystem::path config_file() const { return dir_ / "mcastd.conf"; }
  [[nodiscard]] std::filesystem::path socket_file() const { return dir_ / "mcastd.sock"; }
  [[nodiscard]] std::filesystem::path pid_file() const { return dir_ / "mcastd.pid"; }
  void write_config(std::string_view text) const { dir_.write("mcastd.conf", text); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running() const;
  void signal(int number) const;
  /// Empty if the daemon still runs when time is over. A detached one has no exit status to tell,
  /// unless this process is a subreaper.
  std::optional<ExitStatus> wait(Duration patience = kPatience);
  /// What it has logged on standard error.
  [[nodiscard]] std::string log() const;

  /// Runs `mcastctl -u SOCKET ARGUMENTS` in the router's namespace.
  [[nodiscard]] ProgramResult ctl(const std::vector<std::string>& arguments,
                                  std::string_view input = {}) const;
  /// The same under another name of the client.
  [[nodiscard]] ProgramResult ctl_as(std::string_view program,
                                     const std::vector<std::string>& arguments,
                                     std::string_view input = {}) const;

  /// A bare connection to the control socket.
  [[nodiscard]] Fd connect() const;

  /// Asks again and again until `condition` holds; false when time is over or the daemon ended.
  template <class Condition>
  bool eventually(Condition&& condition, Duration patience = kPatience) const {
    const auto deadline = Clock::now() + patience;
    while (!condition()) {
      if (Clock::now() >= deadline || pause_ends_it()) return false;
    }
    return true;
  }

 private:
  void start(const std::vector<std::string>& arguments);
  [[nodiscard]] bool pause_ends_it() const;

  const NetNamespace* router_;
  Options options_;
  TempDir dir_;
  std::unique_ptr<Process> process_;  ///< the daemon, or what it detached from
  pid_t pid_ = -1;
  Fd pidfd_;
  std::optional<ExitStatus> status_;
};

}  // namespace mcast::testing
