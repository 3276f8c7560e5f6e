// SPDX-License-Identifier: BSD-2-Clause
#include "platform/bsd/sysctl.hpp"

#include <sys/types.h>

#include <sys/sysctl.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace mcast::platform {

std::optional<std::uint64_t> sysctl_number(const char* name) {
  const auto bytes = sysctl_bytes(name);
  if (bytes.size() == sizeof(std::uint64_t)) {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    return number;
  }
  std::uint32_t number = 0;
  if (bytes.size() != sizeof number) return std::nullopt;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

std::vector<std::uint8_t> sysctl_bytes(const char* name) {
  std::vector<std::uint8_t> bytes;
  std::size_t size = 0;
  if (::sysctlbyname(name, nullptr, &size, nullptr, 0) != 0) return bytes;
  // What is asked for may have grown in between.
  for (;;) {
    bytes.resize(size);
    if (::sysctlbyname(name, bytes.data(), &size, nullptr, 0) == 0) break;
    if (errno != ENOMEM) return {};
    size = bytes.size() * 2 + 64;
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace mcast::platform
