// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.hpp"
#include "ipc/control.hpp"

namespace mcast::cli {

struct Kill {};

/// A command line of `smcroute`, as SMCRoute 1.99 had it.
struct FrontEnd {
  bool help = false;
  bool start = false;       ///< the daemon, in the background, before the steps
  bool foreground = false;  ///< become the daemon; no steps
  bool verbose = false;
  bool debug = false;
  std::string config_file;  ///< empty: the daemon's default
  /// Options after a leading -d that only the daemon has: the wrapper of SMCRoute 2 handed all of
  /// them over.
  std::vector<std::string> daemon_options;
  std::string socket;  ///< where that daemon listens, as far as these options say
  using Step = std::variant<ipc::Command, Kill>;
  std::vector<Step> steps;  ///< in order
};

/// Every error is ErrorCode::usage.
[[nodiscard]] Result<FrontEnd> parse_front_end(const std::vector<std::string>& arguments);
/// The command line of the daemon that `front_end` asks for, its own name first.
[[nodiscard]] std::vector<std::string> daemon_arguments(const FrontEnd& front_end);

/// Carries it all out and gives the exit code.
int run_front_end(std::string_view program, std::string_view argv0,
                  const std::vector<std::string>& arguments);

}  // namespace mcast::cli
