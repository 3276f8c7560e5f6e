// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

#include "core/result.hpp"
#include "platform/posix/unique_fd.hpp"

/// What makes a process a daemon.
namespace mcast::platform {

/// Detaches from the terminal. The parent stays until the daemon tells what became of its start, so
/// that whoever ran the command gets the right exit code.
class Detached {
 public:
  /// Forks. Returns in the daemon only; the parent exits with the code given to `started`, or with
  /// 70 (EX_SOFTWARE) if the daemon dies before.
  static Result<Detached> detach();
  /// Lets the parent exit. Standard input, output and error are closed from here on if `code` is 0.
  void started(int code);

 private:
  explicit Detached(UniqueFd parent) : parent_(std::move(parent)) {}
  UniqueFd parent_;
};

/// The file that says which process is the daemon. Removed when this is destroyed, unless another
/// process has written its own there since.
class PidFile {
 public:
  static Result<PidFile> create(std::string path);
  PidFile(PidFile&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  PidFile& operator=(PidFile&&) = delete;
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  ~PidFile();
  /// Sets its modification time to now: scripts wait for that after a reload.
  Result<void> touch() const;

 private:
  explicit PidFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Goes on as another user, "USER[:GROUP]", by name or number, for good. What is open stays open.
/// Capabilities are the business of `keep_network_capabilities`.
Result<void> become_user(const std::string& user_and_group);

}  // namespace mcast::platform
