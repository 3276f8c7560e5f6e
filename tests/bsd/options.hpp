// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace mcast::testing {

struct Options {
  bool help = false;
  bool list = false;
  /// Runs the suite "panic-class" too.
  bool allow_panics = false;
  /// Each case runs in a VNET jail of its own instead of in the network of the program.
  bool jail = false;
  bool poweroff = false;
  /// For one case.
  std::chrono::seconds patience{120};
  /// Given to doctest as they are.
  std::vector<std::string> doctest;
};

[[nodiscard]] std::string usage();
[[nodiscard]] Result<Options> parse_options(const std::vector<std::string>& arguments);

/// Words parted by blanks. Within '' a blank parts nothing, and \ takes any meaning from the
/// character after it.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);

}  // namespace mcast::testing
