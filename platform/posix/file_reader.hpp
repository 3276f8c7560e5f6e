// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "core/config.hpp"

namespace mcast::platform {

/// Reads configuration files from the file system.
class PosixFileReader final : public FileReader {
 public:
  Result<std::string> read(const std::string& path, std::size_t limit) override;
  Result<std::vector<std::string>> glob(const std::string& pattern) override;
};

}  // namespace mcast::platform
