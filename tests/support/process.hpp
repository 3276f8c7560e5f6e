// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/support/fd.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/traffic.hpp"

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace mcast::testing {

/// A directory under the system's temporary one, removed with all its contents at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }
  /// Replaces the file at once: a reader sees the old or the new text.
  void write(std::string_view name, std::string_view text) const;

 private:
  std::filesystem::path path_;
};

/// Wakes up when anything in a directory changes.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(const std::filesystem::path& directory);
  [[nodiscard]] int fd() const { return fd_.get(); }
  void drain();

 private:
  Fd fd_;
};

struct ExitStatus {
  int code = -1;   ///< -1 when a signal ended the process
  int signal = 0;  ///< 0 when it exited by itself
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};
std::ostream& operator<<(std::ostream& out, const ExitStatus& status);

/// What a program may do: as much as this process, or nothing that needs a capability.
enum class Privilege { kept, none };

/// A child process inside a network namespace. Its output is kept in memory, its input is the
/// given text. It is killed with this object and with the thread that started it.
class Process {
 public:
  Process(const NetNamespace& where, const std::vector<std::string>& arguments,
          std::string_view input = {}, Privilege privilege = Privilege::kept);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  /// Readable once the process has ended.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  void signal(int number) const;
  /// Empty if the process still runs when time is over.
  std::optional<ExitStatus> wait(Duration patience = kPatience);
  /// What the process has written so far.
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  Fd input_;
  Fd out_;
  Fd err_;
  pid_t pid_ = -1;
  Fd pidfd_;
  std::optional<ExitStatus> status_;
};

struct ProgramResult {
  int exit_code = -1;  ///< -1: ended by a signal or still running at the end of patience
  std::string out;
  std::string err;
};
std::ostream& operator<<(std::ostream& out, const ProgramResult& result);

/// Runs a program to its end; one that does not end in time is killed.
ProgramResult run_program(const NetNamespace& where, const std::vector<std::string>& arguments,
                          std::string_view input = {}, Duration patience = kPatience,
                          Privilege privilege = Privilege::kept);

/// Adopts processes that detach themselves from their parent, so that they can be waited for.
void become_subreaper();

}  // namespace mcast::testing
