// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/file_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "platform/posix/os_error.hpp"
#include "platform/posix/unique_fd.hpp"

namespace mcast::platform {
namespace {

std::unexpected<Error> too_large(const std::string& path, std::size_t limit) {
  return fail(ErrorCode::limit_reached, fmt::format("{}: larger than {} bytes", path, limit));
}

/// What glob(3) asks about a directory it cannot read: one that does not exist holds no match, one
/// that may not be read could hide some.
int stops_glob(const char* /*directory*/, int error) {
  return error == ENOENT || error == ENOTDIR ? 0 : 1;
}

bool is_null_device(const struct stat& status) {
  struct stat null{};
  return S_ISCHR(status.st_mode) && ::stat("/dev/null", &null) == 0 &&
         status.st_rdev == null.st_rdev;
}

}  // namespace

Result<std::string> PosixFileReader::read(const std::string& path, std::size_t limit) {
  // Not blocking: a FIFO without a writer must not stop the daemon.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!file) return std::unexpected(os_error("open", errno, path));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return std::unexpected(os_error("fstat", errno, path));
  if (S_ISDIR(status.st_mode)) {
    return fail(
        ErrorCode::config,
        fmt::format("{}: is a directory; name a file, or include \"{}/*.conf\"", path, path));
  }
  // The usual way to say "no configuration".
  if (is_null_device(status)) return std::string();
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::config, fmt::format("{}: is not a regular file", path));
  }
  if (std::cmp_greater(status.st_size, limit)) return too_large(path, limit);
  std::string text;
  // The file may grow while it is read, so the size is only a hint; one byte more shows an excess.
  text.resize(std::min(static_cast<std::size_t>(status.st_size), limit) + 1);
  std::size_t length = 0;
  for (;;) {
    const ssize_t got = ::read(file.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(os_error("read", errno, path));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
    if (length > limit) return too_large(path, limit);
    if (length == text.size()) text.resize(std::min(text.size() * 2, limit + 1));
  }
  text.resize(length);
  return text;
}

Result<std::vector<std::string>> PosixFileReader::glob(const std::string& pattern) {
  glob_t found{};
  const int outcome = ::glob(pattern.c_str(), 0, stops_glob, &found);
  const int error = errno;
  std::vector<std::string> paths;
  if (outcome == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (outcome != 0 && outcome != GLOB_NOMATCH) {
    return std::unexpected(os_error("glob", error, pattern));
  }
  return paths;
}

}  // namespace mcast::platform
