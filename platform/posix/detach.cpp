// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "platform/posix/os_error.hpp"
#include "platform/posix/process.hpp"

namespace mcast::platform {
namespace {

[[noreturn]] void exit_as_reported(int from_daemon, pid_t intermediate) {
  while (::waitpid(intermediate, nullptr, 0) < 0 && errno == EINTR) {
  }
  unsigned char code = EX_SOFTWARE;
  while (::read(from_daemon, &code, 1) < 0 && errno == EINTR) {
  }
  // What is buffered or registered for exit belongs to the daemon.
  ::_exit(code);
}

}  // namespace

void ensure_standard_streams() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  // Failing is no fault: then there is room for fewer clients.
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void Readiness::ready() {
  if (!parent_) return;
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (nothing) {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(nothing.get(), stream);
    }
  }
  report(EX_OK);
}

void Readiness::failed(int exit_code) {
  if (parent_) report(exit_code);
}

void Readiness::report(int exit_code) {
  const auto code = static_cast<unsigned char>(exit_code);
  // SIGPIPE is the caller's affair; without a reader nobody wants to know.
  static_cast<void>(!::write(parent_.get(), &code, 1));
  parent_.reset();
}

Result<Readiness> detach() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) < 0) return std::unexpected(os_error("pipe", errno, "detach"));
  UniqueFd from_daemon(ends[0]);
  UniqueFd to_parent(ends[1]);
  ::fcntl(to_parent.get(), F_SETFD, FD_CLOEXEC);

  const pid_t intermediate = ::fork();
  if (intermediate < 0) return std::unexpected(os_error("fork", errno, "detach"));
  if (intermediate > 0) {
    to_parent.reset();
    exit_as_reported(from_daemon.get(), intermediate);
  }
  from_daemon.reset();
  Readiness readiness(std::move(to_parent));
  if (::setsid() < 0) {
    return std::unexpected(os_error("setsid", errno, "detach"));
  }
  // No leader of the session any more: no terminal it opens can become its own.
  const pid_t daemon = ::fork();
  if (daemon < 0) return std::unexpected(os_error("fork", errno, "detach"));
  if (daemon > 0) ::_exit(EX_OK);
  if (::chdir("/") < 0) return std::unexpected(os_error("chdir", errno, "detach"));
  return readiness;
}

}  // namespace mcast::platform
