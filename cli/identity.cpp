// SPDX-License-Identifier: BSD-2-Clause
#include "cli/identity.hpp"

#include <fmt/format.h>

namespace mcast::cli {

std::string program_name(std::string_view argv0) {
  const auto slash = argv0.rfind('/');
  const auto name = slash == std::string_view::npos ? argv0 : argv0.substr(slash + 1);
  return std::string(name.empty() ? "mcastd" : name);
}

bool has_old_name(std::string_view program) {
  return program.starts_with("smcroute");
}

std::string default_identity(std::string_view program) {
  return has_old_name(program) ? "smcroute" : "mcastd";
}

Result<void> check_identity(std::string_view identity) {
  if (identity.empty() || identity.starts_with('.') ||
      identity.find('/') != std::string_view::npos) {
    return fail(
        ErrorCode::usage,
        fmt::format("-i \"{}\": an identity becomes part of file names: it must not be empty, "
                    "begin with a dot or contain a slash",
                    identity));
  }
  return {};
}

std::string default_config_file(std::string_view identity) {
  return fmt::format("{}/{}.conf", MCASTD_CONFIG_DIRECTORY, identity);
}

std::string default_socket(std::string_view identity) {
  return fmt::format("{}/{}.sock", MCASTD_RUN_DIRECTORY, identity);
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
    case ErrorCode::invalid_argument:
      return kExitUsage;
    case ErrorCode::config:
      return kExitConfig;
    case ErrorCode::not_found:
    case ErrorCode::no_such_interface:
    case ErrorCode::already_exists:
      return kExitData;
    case ErrorCode::no_permission:
      return kExitNoPermission;
    case ErrorCode::no_kernel_support:
      return kExitNoKernelSupport;
    case ErrorCode::table_in_use:
    case ErrorCode::no_slots:
    case ErrorCode::limit_reached:
    case ErrorCode::connection:
      return kExitUnavailable;
    case ErrorCode::os:
      return kExitOs;
    case ErrorCode::overflow:
    case ErrorCode::would_block:
    case ErrorCode::internal:
      break;
  }
  return kExitInternal;
}

}  // namespace mcast::cli
