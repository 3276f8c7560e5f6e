// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "core/result.hpp"
#include "platform/posix/unique_fd.hpp"

/// What daemon and client need of the system around them.
namespace mcast::platform {

/// A file with this process's id, for as long as the object lives. Its modification time tells when
/// the daemon last became ready.
class PidFile {
 public:
  /// Overwrites what is there: a file that a dead process left behind is no reason not to start.
  [[nodiscard]] static Result<PidFile> create(const std::string& path);
  PidFile(PidFile&&) = default;
  PidFile& operator=(PidFile&& other) noexcept;
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  /// Removes it unless another file has taken its place. Where the directory does not allow that
  /// any more, as after drop_privileges(), it is emptied.
  ~PidFile();

  /// Sets the modification time to now; works after drop_privileges() too.
  void touch();

 private:
  PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  void write_id();
  void remove();

  std::string path_;
  UniqueFd fd_;
};

/// Whom to run as.
struct Account {
  std::string user;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// Looks up "USER[:GROUP]", names or numbers; the group is the user's own unless given.
[[nodiscard]] Result<Account> find_account(const std::string& user_and_group);

/// Whether the system lets a process route multicast as this account. Some let only root do so.
[[nodiscard]] Result<void> check_account(const Account& account);

/// Becomes the account for good, and gives up every privilege but those that opening and using
/// routing tables needs. Programs started later have none. Call it while there is one thread.
[[nodiscard]] Result<void> drop_privileges(const Account& account);

/// Opens standard input, output and error on /dev/null where the process was started without them:
/// otherwise other descriptors would get their numbers, and be replaced or written to. Call it
/// first.
void ensure_standard_streams();

/// The file this process runs, or nothing where that cannot be found out, as without /proc.
[[nodiscard]] std::string executable_path();

/// From now on the process can use `connection`, a socket, and its standard streams, which have to
/// be open, but open or connect nothing, so that it can do no harm whatever the other side sends.
/// Does nothing where the system has no means for this.
[[nodiscard]] Result<void> confine_to(int connection);

/// Allows the process as many descriptors as its hard limit does.
void raise_descriptor_limit();

/// Tells the process that was started on the command line how the daemon's start went.
class Readiness {
 public:
  /// For a daemon in the foreground: nobody waits.
  Readiness() = default;
  explicit Readiness(UniqueFd parent) : parent_(std::move(parent)) {}

  /// The daemon is ready: the waiting process exits with 0, and this one lets go of the terminal.
  void ready();
  /// The daemon could not start: the waiting process exits with this code. Without any report, as
  /// when the daemon dies, it exits with 70.
  void failed(int exit_code);

 private:
  void report(int exit_code);
  UniqueFd parent_;
};

/// Goes on in a new process without terminal and session; returns only there. The calling process
/// waits for the report and exits. Standard error stays usable until ready(). The working directory
/// becomes "/", so relative paths have to be made absolute before. Call it before threads exist.
[[nodiscard]] Result<Readiness> detach();

/// From now on a large block of memory goes back to the system when it is freed. A reload needs all
/// rules twice for a moment, and some libraries (glibc) would keep that: twice the memory for ever.
void give_back_freed_memory();

}  // namespace mcast::platform
