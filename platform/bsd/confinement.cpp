// SPDX-License-Identifier: BSD-2-Clause
//
// Capsicum. A kernel without it (ENOSYS) leaves the process as it is.
#include <sys/types.h>

#include <sys/capsicum.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "platform/posix/os_error.hpp"
#include "platform/posix/process.hpp"

namespace mcast::platform {
namespace {

Result<void> checked(std::string_view call, int result) {
  if (result == 0 || errno == ENOSYS) return {};
  return std::unexpected(os_error(call, errno));
}

/// Reading or writing, and what C streams and isatty(3) ask of a descriptor.
Result<void> limit_stream(int fd, bool input) {
  cap_rights_t rights{};
  ::cap_rights_init(&rights, input ? CAP_READ : CAP_WRITE, CAP_EVENT, CAP_FCNTL, CAP_FSTAT,
                    CAP_IOCTL, CAP_SEEK);
  TRY(checked("cap_rights_limit", ::cap_rights_limit(fd, &rights)));
  constexpr std::array<cap_ioctl_t, 2> kTerminal{TIOCGETA, TIOCGWINSZ};
  TRY(checked("cap_ioctls_limit", ::cap_ioctls_limit(fd, kTerminal.data(), kTerminal.size())));
  return checked("cap_fcntls_limit", ::cap_fcntls_limit(fd, CAP_FCNTL_GETFL));
}

/// It is connected and does not block any more: what is left is to send, to receive and to wait.
Result<void> limit_connection(int fd) {
  cap_rights_t rights{};
  ::cap_rights_init(&rights, CAP_RECV, CAP_SEND, CAP_EVENT, CAP_SHUTDOWN, CAP_GETSOCKOPT,
                    CAP_SETSOCKOPT);
  return checked("cap_rights_limit", ::cap_rights_limit(fd, &rights));
}

}  // namespace

Result<void> confine_to(int connection) {
  TRY(limit_stream(STDIN_FILENO, true));
  TRY(limit_stream(STDOUT_FILENO, false));
  TRY(limit_stream(STDERR_FILENO, false));
  TRY(limit_connection(connection));
  return checked("cap_enter", ::cap_enter());
}

}  // namespace mcast::platform
