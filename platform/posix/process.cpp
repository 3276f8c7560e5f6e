// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "platform/posix/os_error.hpp"

namespace mcast::platform {

namespace {

constexpr int kDiedEarly = 70;  // EX_SOFTWARE

std::unexpected<Error> failed(std::string_view call, std::string_view subject = {}) {
  return std::unexpected(os_error(call, errno, subject));
}

[[noreturn]] void wait_and_exit(int from_daemon) {
  unsigned char code = kDiedEarly;
  ssize_t got = 0;
  do {
    got = ::read(from_daemon, &code, 1);
  } while (got < 0 && errno == EINTR);
  ::_exit(got == 1 ? code : kDiedEarly);
}

}  // namespace

Result<Detached> Detached::detach() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("pipe2");
  UniqueFd from_daemon(ends[0]);
  UniqueFd to_parent(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return failed("fork");
  if (child > 0) {
    to_parent.reset();
    wait_and_exit(from_daemon.get());
  }
  if (::setsid() < 0) return failed("setsid");
  // A second fork: not being a session leader, the daemon can never get a terminal again.
  const pid_t daemon = ::fork();
  if (daemon < 0) return failed("fork");
  if (daemon > 0) ::_exit(0);
  return Detached(std::move(to_parent));
}

void Detached::started(int code) {
  if (code == 0) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (null) {
      for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        ::dup2(null.get(), standard);
      }
    }
    if (::chdir("/") != 0) {
      // Only keeps a file system busy; no reason not to run.
    }
  }
  const auto byte = static_cast<unsigned char>(code);
  while (::write(parent_.get(), &byte, 1) < 0 && errno == EINTR) {
  }
  parent_.reset();
}

Result<PidFile> PidFile::create(std::string path) {
  // Written aside and renamed: a script that sees the file can read all of it.
  const std::string temporary = fmt::format("{}.{}", path, ::getpid());
  const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return failed("open", temporary);
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    auto error = failed("write", path);
    ::unlink(temporary.c_str());
    return error;
  }
  return PidFile(std::move(path));
}

PidFile::~PidFile() {
  if (path_.empty()) return;
  const UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (got <= 0) return;
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + got, pid);
  if (pid == ::getpid()) ::unlink(path_.c_str());
}

Result<void> PidFile::touch() const {
  if (::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0) != 0) return failed("utimensat", path_);
  return {};
}

namespace {

std::optional<std::uint32_t> as_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<void> become_user(const std::string& user_and_group) {
  const std::size_t colon = user_and_group.find(':');
  const std::string user = user_and_group.substr(0, colon);
  const auto user_number = as_number(user);
  const passwd* entry = user_number ? ::getpwuid(*user_number) : ::getpwnam(user.c_str());
  if (entry == nullptr && !user_number) {
    return fail(ErrorCode::not_found, fmt::format("-p \"{}\": no such user", user));
  }
  const uid_t uid = entry != nullptr ? entry->pw_uid : *user_number;
  gid_t gid = entry != nullptr ? entry->pw_gid : static_cast<gid_t>(*user_number);
  if (colon != std::string::npos) {
    const std::string group = user_and_group.substr(colon + 1);
    const auto group_number = as_number(group);
    const struct group* found = group_number ? nullptr : ::getgrnam(group.c_str());
    if (found == nullptr && !group_number) {
      return fail(ErrorCode::not_found, fmt::format("-p \"{}\": no such group", group));
    }
    gid = found != nullptr ? found->gr_gid : *group_number;
  }
  if (::setgroups(1, &gid) != 0) return failed("setgroups", user_and_group);
  if (::setgid(gid) != 0) return failed("setgid", user_and_group);
  if (::setuid(uid) != 0) return failed("setuid", user_and_group);
  return {};
}

}  // namespace mcast::platform
