// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastd_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "cli/identity.hpp"

namespace mcast::cli {

namespace {

Result<std::uint32_t> number(char option, std::string_view text, std::uint32_t least,
                             std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || value < least || value > most) {
    return fail(ErrorCode::usage,
                fmt::format("-{} \"{}\": needs a number from {} to {}", option, text, least, most));
  }
  return value;
}

Result<LogLevel> log_level(std::string_view text) {
  using Name = std::pair<std::string_view, LogLevel>;
  // SMCRoute also takes syslog's names that lie between those it lists.
  constexpr std::array<Name, 8> names{{{"none", LogLevel::none},
                                       {"err", LogLevel::error},
                                       {"error", LogLevel::error},
                                       {"warn", LogLevel::notice},
                                       {"warning", LogLevel::notice},
                                       {"notice", LogLevel::notice},
                                       {"info", LogLevel::info},
                                       {"debug", LogLevel::debug}}};
  for (const auto& [name, level] : names) {
    if (name == text) return level;
  }
  return fail(
      ErrorCode::usage,
      fmt::format("-l \"{}\": no such level; it is one of none, err, notice, info, debug", text));
}

/// Half a day: as good as for ever, and far from overflowing any clock.
constexpr std::uint32_t kMostSeconds = 43'200;

Result<void> apply(DaemonOptions& options, char option, std::string_view value) {
  const auto seconds = [&](std::uint32_t least,
                           std::uint32_t most) -> Result<std::chrono::seconds> {
    return std::chrono::seconds(TRY(number(option, value, least, most)));
  };
  switch (option) {
    case 'c':
      options.idle_timeout = TRY(seconds(0, kMostSeconds));
      break;
    case 'd':
      options.startup_delay = TRY(seconds(0, kMostSeconds));
      break;
    case 'e':
      options.hook = value;
      break;
    case 'f':
      options.config_file = value;
      options.config_file_given = true;
      break;
    case 'F':
      options.config_file = value;
      options.action = DaemonOptions::Action::check;
      break;
    case 'h':
      options.action = DaemonOptions::Action::help;
      break;
    case 'i':
    case 'I':
      TRY(check_identity(value));
      options.identity = value;
      break;
    case 'l':
      options.log_level = TRY(log_level(value));
      break;
    case 'm':
      options.mrdisc_interval = TRY(seconds(4, 180));
      break;
    case 'n':
      options.foreground = true;
      break;
    case 'N':
      break;  // SMCRoute: no interface gets a slot by itself, which holds here always
    case 'p':
      options.user = value;
      break;
    case 'P':
      options.pid_file = value;
      break;
    case 's':
      options.syslog = true;
      break;
    case 't':
      options.table = TableId{TRY(number(option, value, 0, 0xffff'fffeU))};
      // SMCRoute's number for the kernel's defaults.
      if (options.table->value == 0) options.table.reset();
      break;
    case 'u':
      options.socket_path = value;
      break;
    case 'v':
      options.action = DaemonOptions::Action::version;
      break;
    default:
      break;
  }
  return {};
}

constexpr std::string_view kOptionsWithValue = "cdefFiIlmpPtu";
constexpr std::string_view kOptionsWithoutValue = "hnNsv";

/// The daemon changes its working directory when it detaches.
void make_paths_absolute(DaemonOptions& options) {
  std::vector<std::string*> paths{&options.config_file, &options.pid_file, &options.socket_path};
  // Without a slash it is looked for in PATH.
  if (options.hook.contains('/')) paths.push_back(&options.hook);
  for (std::string* path : paths) {
    std::error_code error;
    const auto absolute = std::filesystem::absolute(*path, error);
    if (!error) *path = absolute.string();
  }
}

}  // namespace

Result<DaemonOptions> parse_daemon_options(const std::vector<std::string>& arguments) {
  DaemonOptions options;
  options.program = program_name(arguments.empty() ? "mcastd" : arguments.front());
  options.identity = default_identity(options.program);
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (word == "--help") {
      options.action = DaemonOptions::Action::help;
      continue;
    }
    if (word == "--version") {
      options.action = DaemonOptions::Action::version;
      continue;
    }
    if (word.size() < 2 || word[0] != '-' || word == "--") {
      return fail(ErrorCode::usage, fmt::format("\"{}\": takes options only; -h lists them", word));
    }
    if (word.starts_with("--")) {
      return fail(ErrorCode::usage, fmt::format("{}: no such option; -h lists them", word));
    }
    for (std::size_t c = 1; c < word.size(); ++c) {
      if (kOptionsWithoutValue.contains(word[c])) {
        TRY(apply(options, word[c], {}));
        continue;
      }
      if (!kOptionsWithValue.contains(word[c])) {
        return fail(ErrorCode::usage, fmt::format("-{}: no such option; -h lists them", word[c]));
      }
      std::string_view value = word.substr(c + 1);
      if (value.empty() && ++i < arguments.size()) value = arguments[i];
      if (value.empty()) {
        return fail(ErrorCode::usage, fmt::format("-{}: needs a value; -h explains it", word[c]));
      }
      TRY(apply(options, word[c], value));
      break;
    }
  }
  if (options.config_file.empty()) options.config_file = default_config_file(options.identity);
  if (options.pid_file.empty()) {
    options.pid_file = fmt::format("{}/{}.pid", MCASTD_RUN_DIRECTORY, options.identity);
  }
  if (options.socket_path.empty()) options.socket_path = default_socket(options.identity);
  if (!options.foreground) make_paths_absolute(options);
  return options;
}

std::string daemon_usage(const DaemonOptions& options) {
  return fmt::format(
      "usage: {0} [-hnNsv] [-c SEC] [-d SEC] [-e CMD] [-f FILE] [-F FILE] [-i NAME]\n"
      "       [-l LEVEL] [-m SEC] [-p USER[:GROUP]] [-P FILE] [-t ID] [-u FILE]\n"
      "\n"
      "  -c SEC    forget learned flows that are idle for SEC seconds, 0 never (60)\n"
      "  -d SEC    wait SEC seconds before doing anything\n"
      "  -e CMD    run \"CMD reload\" after every load of the configuration,\n"
      "             \"CMD install\" when a flow is learned, with $source and $group\n"
      "  -f FILE   read this configuration file ({1})\n"
      "  -F FILE   only check the syntax of FILE, exit 0 or 78\n"
      "  -h        show this text\n"
      "  -i NAME   name of this instance, used for its files; also -I ({2})\n"
      "  -l LEVEL  log none, err, notice, info or debug (notice)\n"
      "  -m SEC    interval of multicast router advertisements, 4 to 180 (20)\n"
      "  -n        stay in the foreground, log to standard error\n"
      "  -N        accepted for SMCRoute's sake, no effect\n"
      "  -p USER[:GROUP]\n"
      "            run as this user once the routing tables are open\n"
      "  -P FILE   write the process id here when ready ({3})\n"
      "  -s        log to syslog even in the foreground, not to standard error\n"
      "  -t ID     default routing table of rules that name none, 0 the kernel's own\n"
      "  -u FILE   listen for {0}'s client on this socket ({4})\n"
      "  -v        show the version\n",
      options.program, options.config_file, options.identity, options.pid_file,
      options.socket_path);
}

}  // namespace mcast::cli
