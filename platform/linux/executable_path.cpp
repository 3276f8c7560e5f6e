// SPDX-License-Identifier: BSD-2-Clause
#include <filesystem>
#include <system_error>

#include "platform/posix/process.hpp"

namespace mcast::platform {

std::string executable_path() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

}  // namespace mcast::platform
