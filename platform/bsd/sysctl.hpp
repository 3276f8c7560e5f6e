// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

/// sysctl(3) by name.
namespace mcast::platform {

/// Of an int or a long. None if there is no such name or it may not be read.
[[nodiscard]] std::optional<std::uint64_t> sysctl_number(const char* name);

/// Empty if there is no such name, it may not be read, or it is empty.
[[nodiscard]] std::vector<std::uint8_t> sysctl_bytes(const char* name);

}  // namespace mcast::platform
