// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

/// The environment of this process; POSIX wants programs to declare it themselves.
extern "C" char** environ;

namespace mcast::cli {

/// The program of that name in the directory of the running one, or the bare name, to be looked up
/// in PATH, if there is none.
[[nodiscard]] std::string beside_this_program(std::string_view argv0, std::string_view name);

/// Becomes another program. Returns only on failure.
[[nodiscard]] Result<void> become(const std::string& file,
                                  const std::vector<std::string>& arguments);
/// Runs a program to its end and gives its exit code, 128 and the number if a signal ended it.
[[nodiscard]] Result<int> run_and_wait(const std::string& file,
                                       const std::vector<std::string>& arguments);

}  // namespace mcast::cli
