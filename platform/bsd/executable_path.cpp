// SPDX-License-Identifier: BSD-2-Clause
#include <sys/types.h>

#include <sys/sysctl.h>

#include <algorithm>
#include <array>

#include "platform/posix/process.hpp"

namespace mcast::platform {

std::string executable_path() {
  std::array<int, 4> name{CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
  const auto count = static_cast<u_int>(name.size());
  std::size_t size = 0;
  if (::sysctl(name.data(), count, nullptr, &size, nullptr, 0) != 0) return {};
  std::string path(size, '\0');
  if (::sysctl(name.data(), count, path.data(), &size, nullptr, 0) != 0) return {};
  // It comes with the byte that ends it.
  path.resize(std::min(path.find('\0'), size));
  return path;
}

}  // namespace mcast::platform
