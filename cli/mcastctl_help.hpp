// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>

namespace mcast::cli {

/// What -h and `help` print: an overview, or about the command named by `topic` in full.
[[nodiscard]] std::string help_text(std::string_view program, std::string_view topic);
[[nodiscard]] std::string version_text(std::string_view program);
/// What `smcroute -h` prints.
[[nodiscard]] std::string front_end_help(std::string_view program);

}  // namespace mcast::cli
