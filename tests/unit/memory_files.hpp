// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <fnmatch.h>

#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/config.hpp"

namespace mcast::testing {

/// Files that exist only in a test.
class MemoryFiles : public FileReader {
 public:
  /// Path and text of each.
  MemoryFiles(std::initializer_list<std::pair<const std::string, std::string>> files)
      : files_(files) {}

  Result<std::string> read(const std::string& path, std::size_t limit) override {
    const auto file = files_.find(std::filesystem::path(path).lexically_normal());
    if (file == files_.end()) return fail(ErrorCode::not_found, path + ": no such file");
    if (file->second.size() > limit) return fail(ErrorCode::limit_reached, path + ": too large");
    return file->second;
  }
  Result<std::vector<std::string>> glob(const std::string& pattern) override {
    std::vector<std::string> paths;
    for (const auto& [path, text] : files_) {
      if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) paths.push_back(path);
    }
    return paths;
  }

 private:
  std::map<std::string, std::string> files_;
};

/// Parses `text` as the file "f".
inline ParsedConfig parse_text(const std::string& text) {
  MemoryFiles files{{"f", text}};
  return parse_config(files, "f");
}

/// Every diagnostic as one line of text.
inline std::vector<std::string> lines_of(const ParsedConfig& parsed) {
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : parsed.diagnostics) lines.push_back(diagnostic.to_string());
  return lines;
}

}  // namespace mcast::testing
