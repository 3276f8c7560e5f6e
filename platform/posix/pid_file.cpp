// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "platform/posix/os_error.hpp"
#include "platform/posix/process.hpp"

namespace mcast::platform {

Result<PidFile> PidFile::create(const std::string& path) {
  // Truncated only by write_id(): readers shall see an old id or the new one rather than nothing.
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644));
  if (!fd) {
    Error error = os_error("open", errno, "pid file " + path);
    // A directory that is missing is the host's trouble, not an answer of "no such thing".
    if (error.code == ErrorCode::not_found) {
      error.code = ErrorCode::os;
      error.message += "; its directory has to exist, -P names another file";
    }
    return std::unexpected(std::move(error));
  }
  PidFile file(path, std::move(fd));
  file.write_id();
  return file;
}

PidFile& PidFile::operator=(PidFile&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::move(other.path_);
    fd_ = std::move(other.fd_);
  }
  return *this;
}

PidFile::~PidFile() {
  remove();
}

// Writing sets the time on a descriptor that is open, whoever we are by now; futimens(2) asks for
// the permissions of the file again.
void PidFile::touch() {
  const std::string text = std::to_string(::getpid()) + "\n";
  static_cast<void>(!::pwrite(fd_.get(), text.data(), text.size(), 0));
}

void PidFile::write_id() {
  const std::string text = std::to_string(::getpid()) + "\n";
  // A full file system leaves no id; the daemon itself is none the worse for it.
  if (::pwrite(fd_.get(), text.data(), text.size(), 0) < 0) return;
  static_cast<void>(!::ftruncate(fd_.get(), static_cast<off_t>(text.size())));
}

void PidFile::remove() {
  if (!fd_) return;
  struct stat ours{};
  struct stat there{};
  // By now we may not even be allowed to look into the directory.
  const bool seen = ::lstat(path_.c_str(), &there) == 0;
  const bool same = seen && ::fstat(fd_.get(), &ours) == 0 && ours.st_dev == there.st_dev &&
                    ours.st_ino == there.st_ino;
  const bool hidden = !seen && errno == EACCES;
  if (hidden || (same && ::unlink(path_.c_str()) < 0)) {
    static_cast<void>(!::ftruncate(fd_.get(), 0));
  }
  fd_.reset();
}

}  // namespace mcast::platform
