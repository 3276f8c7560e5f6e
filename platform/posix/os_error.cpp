// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/os_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace mcast::platform {
namespace {

ErrorCode code_of(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return ErrorCode::no_permission;
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
      return ErrorCode::not_found;
    case EEXIST:
      return ErrorCode::already_exists;
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return ErrorCode::limit_reached;
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case ENOSYS:
      return ErrorCode::no_kernel_support;
    case EAGAIN:
      return ErrorCode::would_block;
    case ENAMETOOLONG:
      return ErrorCode::invalid_argument;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
      return ErrorCode::connection;
    default:
      return ErrorCode::os;
  }
}

std::string_view remedy_for(int error) {
  switch (error) {
    case EMFILE:
      return "; raise the limit of open files (ulimit -n, LimitNOFILE=)";
    case ENFILE:
      return "; the host's limit of open files is reached (sysctl fs.file-max or kern.maxfiles)";
    default:
      return "";
  }
}

}  // namespace

Error os_error(std::string_view call, int error, std::string_view subject) {
  return {code_of(error),
          fmt::format("{}{}{}: {}{}", subject, subject.empty() ? "" : ": ", call,
                      std::generic_category().message(error), remedy_for(error)),
          error};
}

}  // namespace mcast::platform
