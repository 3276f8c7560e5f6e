// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_frontend.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>

#include "cli/identity.hpp"
#include "cli/mcastctl_help.hpp"
#include "cli/mcastctl_report.hpp"
#include "cli/spawn.hpp"
#include "ipc/client.hpp"
#include "platform/posix/process.hpp"

namespace mcast::cli {

namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kDaemon = "smcrouted";
/// The daemon's options that mean nothing here; those with a value.
constexpr std::string_view kDaemonFlags = "Ns";
constexpr std::string_view kDaemonOptions = "ceiImpPtu";
/// How long a daemon that was just started may take until it answers: it may have a large file to
/// read.
constexpr std::chrono::seconds kStartPatience{60};
constexpr std::chrono::milliseconds kFirstPause{10};
constexpr std::chrono::milliseconds kLongestPause{200};

class FrontEndParser {
 public:
  explicit FrontEndParser(const Words& arguments) : arguments_(arguments) {}

  Result<FrontEnd> parse() {
    while (next_ < arguments_.size()) {
      const std::string& argument = arguments_[next_++];
      if (argument.size() < 2 || argument.front() != '-') {
        return fail(ErrorCode::usage, fmt::format("\"{}\" belongs to no option; see -h", argument));
      }
      TRY(parse_cluster(argument));
    }
    return std::move(front_end_);
  }

 private:
  Result<void> parse_cluster(std::string_view cluster) {
    for (std::size_t i = 1; i < cluster.size(); ++i) {
      const std::string_view rest = cluster.substr(i + 1);
      switch (cluster[i]) {
        case 'd':
          front_end_.start = true;
          break;
        case 'n':
          front_end_.foreground = true;
          break;
        case 'v':
          front_end_.verbose = true;
          break;
        case 'D':
          front_end_.debug = true;
          break;
        case 'h':
          front_end_.help = true;
          break;
        case 'k':
          front_end_.steps.emplace_back(Kill{});
          break;
        case 'f':
          return parse_file(rest);
        case 'a':
          return parse_change('a', ipc::Verb::add, rest, 4, 0);
        case 'r':
          return parse_change('r', ipc::Verb::remove, rest, 3, 3);
        case 'j':
          return parse_change('j', ipc::Verb::join, rest, 2, 2);
        case 'l':
          if (front_end_.start && one_word_follows(rest)) return parse_daemon_option('l', rest);
          return parse_change('l', ipc::Verb::leave, rest, 2, 2);
        default:
          if (front_end_.start && kDaemonFlags.contains(cluster[i])) {
            front_end_.daemon_options.push_back({'-', cluster[i]});
            break;
          }
          if (front_end_.start && kDaemonOptions.contains(cluster[i])) {
            return parse_daemon_option(cluster[i], rest);
          }
          return fail(ErrorCode::usage, fmt::format("-{}: no such option; see -h", cluster[i]));
      }
    }
    return {};
  }

  Result<void> parse_file(std::string_view rest) {
    if (rest.empty() && next_ == arguments_.size()) {
      return fail(ErrorCode::usage, "-f: the name of a configuration file is missing");
    }
    front_end_.config_file = rest.empty() ? arguments_[next_++] : std::string(rest);
    return {};
  }

  /// A level for the daemon to log; leaving a group takes two words.
  [[nodiscard]] bool one_word_follows(std::string_view rest) const {
    const auto is_word = [&](std::size_t at) {
      return at < arguments_.size() && !arguments_[at].starts_with('-');
    };
    return rest.empty() ? is_word(next_) && !is_word(next_ + 1) : !is_word(next_);
  }

  Result<void> parse_daemon_option(char option, std::string_view rest) {
    if (rest.empty() && next_ == arguments_.size()) {
      return fail(ErrorCode::usage, fmt::format("-{}: a value is missing", option));
    }
    const std::string value = rest.empty() ? arguments_[next_++] : std::string(rest);
    if (option == 'u') front_end_.socket = value;
    if ((option == 'i' || option == 'I') && front_end_.socket.empty()) {
      front_end_.socket = default_socket(value);
    }
    front_end_.daemon_options.insert(front_end_.daemon_options.end(), {{'-', option}, value});
    return {};
  }

  /// The words of a change end where the next option begins. `most` 0: no limit.
  Result<void> parse_change(char option, ipc::Verb verb, std::string_view rest, std::size_t least,
                            std::size_t most) {
    Words words;
    if (!rest.empty()) words.emplace_back(rest);
    while (next_ < arguments_.size() && !arguments_[next_].starts_with('-')) {
      words.push_back(arguments_[next_++]);
    }
    if (words.size() < least || (most != 0 && words.size() > most)) {
      return fail(ErrorCode::usage,
                  fmt::format("-{}: {} words are not what it takes; see -h", option, words.size()));
    }
    front_end_.steps.emplace_back(ipc::Command{verb, std::move(words)});
    return {};
  }

  const Words& arguments_;
  std::size_t next_ = 0;
  FrontEnd front_end_;
};

/// Waits until the daemon answers: it detaches before it is ready.
Result<ipc::Client> await_daemon(const Reporter& reporter, const std::string& socket) {
  const auto begin = std::chrono::steady_clock::now();
  bool told = false;
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto client = ipc::Client::connect(reporter.client_options(socket));
    const auto waited = std::chrono::steady_clock::now() - begin;
    if (client || client.error().code == ErrorCode::no_permission || waited > kStartPatience) {
      return client;
    }
    if (waited > std::chrono::seconds(1) && !std::exchange(told, true)) {
      reporter.progress("waiting for the daemon to start");
    }
    std::this_thread::sleep_for(pause);
  }
}

int carry_out(const Reporter& reporter, ipc::Client& client, const FrontEnd::Step& step) {
  if (const auto* change = std::get_if<ipc::Command>(&step)) {
    return reporter.report(client.apply({*change}));
  }
  return reporter.report(client.kill());
}

}  // namespace

Result<FrontEnd> parse_front_end(const Words& arguments) {
  return FrontEndParser(arguments).parse();
}

Words daemon_arguments(const FrontEnd& front_end) {
  Words words{std::string(kDaemon)};
  if (front_end.foreground) words.emplace_back("-n");
  if (!front_end.config_file.empty()) {
    words.insert(words.end(), {"-f", front_end.config_file});
  }
  words.insert(words.end(), front_end.daemon_options.begin(), front_end.daemon_options.end());
  if (front_end.debug || front_end.verbose) {
    words.insert(words.end(), {"-l", front_end.debug ? "debug" : "info"});
  }
  return words;
}

int run_front_end(std::string_view program, std::string_view argv0, const Words& arguments) {
  const Reporter reporter(program);
  const auto parsed = parse_front_end(arguments);
  if (!parsed) return reporter.report(parsed.error());
  const FrontEnd& front_end = *parsed;
  if (front_end.help) return reporter.print(front_end_help(program));
  const bool starts = front_end.foreground || front_end.start;
  if (!starts && front_end.steps.empty()) {
    if (front_end.verbose) return reporter.print(version_text(program));
    return reporter.report(Error{ErrorCode::usage, "nothing to do; see -h"});
  }

  const std::string file = beside_this_program(argv0, kDaemon);
  if (front_end.foreground) {
    return reporter.report(become(file, daemon_arguments(front_end)).error());
  }
  const std::string socket =
      front_end.socket.empty() ? default_socket(default_identity(program)) : front_end.socket;
  if (front_end.start) {
    const auto status = run_and_wait(file, daemon_arguments(front_end));
    if (!status) return reporter.report(status.error());
    if (*status != 0) return *status;  // it has said why
    const auto client = await_daemon(reporter, socket);
    if (!client) return reporter.report(client.error());
  }
  for (const auto& step : front_end.steps) {
    // Each on its own connection: a kill ends one, and what follows has its own reason to fail.
    auto client = ipc::Client::connect(reporter.client_options(socket));
    if (!client) return reporter.report(client.error());
    if (&step == &front_end.steps.back()) {
      const auto confined = platform::confine_to(client->descriptor());
      if (!confined) return reporter.report(confined.error());
    }
    if (const int code = carry_out(reporter, *client, step); code != kExitOk) return code;
  }
  return kExitOk;
}

}  // namespace mcast::cli
