// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/result.hpp"

namespace mcast::cli {

enum class LogLevel : std::uint8_t { none, error, notice, info, debug };

/// The daemon's command line.
struct DaemonOptions {
  enum class Action : std::uint8_t { run, check, help, version };
  Action action = Action::run;
  std::string program;   ///< the name it was started as
  std::string identity;  ///< names the default files

  std::string config_file;
  bool config_file_given = false;  ///< otherwise a missing file is no error at start
  std::string pid_file;
  std::string socket_path;
  bool foreground = false;
  bool syslog = false;
  LogLevel log_level = LogLevel::notice;
  std::chrono::seconds startup_delay{0};
  std::chrono::seconds idle_timeout{60};     ///< of learned flows; 0: they stay
  std::chrono::seconds mrdisc_interval{20};  ///< of router advertisements
  std::string hook;                          ///< run after a (re)load; empty: none
  std::string user;                          ///< USER[:GROUP] to run as; empty: stay
  std::optional<TableId> table;              ///< the default routing table
};

/// `arguments` as main() gets them. An error has code usage.
[[nodiscard]] Result<DaemonOptions> parse_daemon_options(const std::vector<std::string>& arguments);
[[nodiscard]] std::string daemon_usage(const DaemonOptions& options);

}  // namespace mcast::cli
