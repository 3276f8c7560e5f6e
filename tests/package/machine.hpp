// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.hpp"

namespace mcast::testing {

/// A copy of this host with systemd as process 1, in a given network namespace: packages are
/// installed and services run there for real, and nothing of it is left afterwards. Skips the test
/// where the kernel does not allow it.
class Machine {
 public:
  explicit Machine(const NetNamespace& where);

  /// Runs a program there to its end.
  [[nodiscard]] ProgramResult run(const std::vector<std::string>& arguments,
                                  std::string_view input = {}) const;
  /// The same for a line of shell.
  [[nodiscard]] ProgramResult sh(std::string_view line, std::string_view input = {}) const;
  /// Replaces a file, and makes the folders above it.
  void write(const std::string& path, std::string_view text) const;
  [[nodiscard]] bool exists(const std::string& path) const;
  /// A property of a unit as systemctl tells it.
  [[nodiscard]] std::string property(const std::string& unit, const std::string& name) const;
  /// Waits for a file in the shared folder; false when time is over.
  [[nodiscard]] bool await_shared(const std::string& name);
  /// This folder is /mnt there.
  [[nodiscard]] const TempDir& shared() const { return shared_; }

 private:
  const NetNamespace* where_;
  TempDir shared_;
  Process process_;
  pid_t init_ = -1;
};

}  // namespace mcast::testing
