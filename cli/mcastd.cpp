// SPDX-License-Identifier: BSD-2-Clause
// The daemon: arguments, logging, detaching; everything else is Daemon's.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/daemon.hpp"
#include "cli/identity.hpp"
#include "cli/mcastd_options.hpp"
#include "cli/service_manager.hpp"
#include "core/config.hpp"
#include "platform/posix/file_reader.hpp"
#include "platform/posix/process.hpp"

namespace mcast::cli {

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::none:
      return spdlog::level::off;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::notice:
      return spdlog::level::warn;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::debug:
      break;
  }
  return spdlog::level::debug;
}

bool logs_to_syslog(const DaemonOptions& options) {
  return options.syslog || !options.foreground;
}

void start_logging(const DaemonOptions& options) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  std::vector<spdlog::sink_ptr> sinks{terminal};
  if (logs_to_syslog(options)) {
    // Instances are told apart there, and by that name filters know SMCRoute.
    sinks.push_back(std::make_shared<spdlog::sinks::syslog_sink_mt>(options.identity, LOG_PID,
                                                                    LOG_DAEMON, false));
  }
  auto logger = std::make_shared<spdlog::logger>(options.program, sinks.begin(), sinks.end());
  terminal->set_pattern("%n: %v");
  logger->set_level(spdlog_level(options.log_level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

/// While it starts, a daemon that logs to syslog still writes to standard error too, where errors
/// are looked for. A second logger would not do: the end of the first one's sink closes the log.
void leave_terminal() {
  auto& sinks = spdlog::default_logger()->sinks();
  sinks.erase(sinks.begin());
}

int check_syntax(const DaemonOptions& options) {
  platform::PosixFileReader files;
  const ParsedConfig parsed = parse_config(files, options.config_file);
  for (const Diagnostic& diagnostic : parsed.diagnostics) {
    fmt::print(stderr, "{}: {}\n", options.program, diagnostic.to_string());
  }
  return parsed.valid() ? kExitOk : kExitConfig;
}

/// At start a missing file or directory is the system's failure, a socket in use somebody else's.
int start_exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
    case ErrorCode::no_such_interface:
      return kExitOs;
    case ErrorCode::already_exists:
      return kExitUnavailable;
    default:
      return exit_code(code);
  }
}

/// From here on to the end. `readiness` hears of it in any case.
int serve(const DaemonOptions& options, platform::Readiness& readiness) {
  Daemon daemon(options);
  if (!daemon.delay_start()) return kExitOk;
  if (const auto started = daemon.start(); !started) {
    spdlog::error("{}", started.error().message);
    return start_exit_code(started.error().code);
  }
  if (logs_to_syslog(options)) leave_terminal();
  readiness.ready();
  notify_ready();
  daemon.run();
  notify_stopping();
  return kExitOk;
}

int run(const DaemonOptions& options) {
  if (!options.user.empty()) {
    // Known before anything is touched: a daemon that cannot start disturbs nothing.
    const auto account = platform::find_account(options.user);
    const auto usable = account ? platform::check_account(*account)
                                : Result<void>(std::unexpected(account.error()));
    if (!usable) {
      fmt::print(stderr, "{}: -p {}\n", options.program, usable.error().message);
      return kExitUsage;
    }
  }
  platform::Readiness readiness;
  if (!options.foreground) {
    auto detached = platform::detach();
    if (!detached) {
      fmt::print(stderr, "{}: {}\n", options.program, detached.error().message);
      return kExitOs;
    }
    readiness = std::move(*detached);
  }
  start_logging(options);
  // A client that goes away while it is answered is no reason to end.
  std::signal(SIGPIPE, SIG_IGN);

  int code = kExitOs;
  try {
    code = serve(options, readiness);
  } catch (const std::system_error& error) {
    // From asio, which has no other way to tell that it cannot even begin.
    spdlog::error("{}", error.what());
  }
  readiness.failed(code);
  return code;
}

}  // namespace

}  // namespace mcast::cli

int main(int argc, char** argv) {
  using namespace mcast::cli;
  mcast::platform::ensure_standard_streams();
  const std::vector<std::string> arguments(argv, argv + argc);
  const auto options = parse_daemon_options(arguments);
  if (!options) {
    fmt::print(stderr, "{}: {}\n", program_name(arguments.empty() ? "" : arguments.front()),
               options.error().message);
    return exit_code(options.error().code);
  }
  switch (options->action) {
    case DaemonOptions::Action::help:
      fmt::print("{}", daemon_usage(*options));
      return kExitOk;
    case DaemonOptions::Action::version:
      fmt::print("{} {}\n", options->program, MCASTD_VERSION);
      return kExitOk;
    case DaemonOptions::Action::check:
      return check_syntax(*options);
    case DaemonOptions::Action::run:
      break;
  }
  return run(*options);
}
