// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "ipc/client.hpp"
#include "ipc/control.hpp"

namespace mcast::cli {

/// The lines about a failure, without the program's name. `lines` are the line numbers of a batch's
/// commands.
[[nodiscard]] std::vector<std::string> describe(const ipc::Failure& failure,
                                                const std::vector<std::size_t>& lines = {});

/// Talks to the user and turns outcomes into exit codes.
class Reporter {
 public:
  explicit Reporter(std::string_view program) : program_(program) {}

  int report(const Error& error) const;
  int report(const ipc::Failure& failure, const std::vector<std::size_t>& lines = {}) const;
  int report(const ipc::Outcome& outcome, const std::vector<std::size_t>& lines = {}) const;
  int report(const std::expected<void, ipc::Failure>& outcome) const;
  /// Writes to standard output.
  int print(std::string_view text) const;
  /// Tells a person who waits, and no script, what for.
  void progress(std::string_view text) const;
  [[nodiscard]] ipc::ClientOptions client_options(std::string socket) const;

 private:
  void complain(std::string_view line) const;
  std::string program_;
};

}  // namespace mcast::cli
