// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "platform/posix/file_reader.hpp"
#include "tests/unit/memory_files.hpp"

using namespace mcast;
using mcast::testing::lines_of;

namespace {

/// Every file below etc/ that is a configuration.
std::vector<std::string> samples() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(MCASTD_SAMPLES)) {
    if (entry.path().extension() == ".conf") paths.push_back(entry.path().string());
  }
  return paths;
}

/// The example lines of a sample are those where no blank follows the "#", and what continues them.
std::string without_comment_marks(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  bool continued = false;
  for (std::string line; std::getline(file, line);) {
    const bool marked = line.size() > 1 && line[0] == '#' && line[1] != '#';
    const bool example = marked && (continued || line[1] != ' ');
    continued = example && line.ends_with('\\');
    text += (example ? line.substr(1) : line) + '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("every sample is valid and draws no warning") {
  platform::PosixFileReader reader;
  const auto paths = samples();
  CHECK(paths.size() >= 11);
  for (const auto& path : paths) {
    CAPTURE(path);
    CHECK(lines_of(parse_config(reader, path)) == std::vector<std::string>{});
  }
}

TEST_CASE("every recipe has rules") {
  platform::PosixFileReader reader;
  for (const auto& path : samples()) {
    if (path.find("/recipes/") == std::string::npos) continue;
    CAPTURE(path);
    const Config config = parse_config(reader, path).config;
    CHECK_FALSE(config.routes.empty());
    CHECK(config.joins.size() + config.interfaces.size() != 0);
  }
}

TEST_CASE("the examples of the sample configuration are valid") {
  const ParsedConfig parsed =
      mcast::testing::parse_text(without_comment_marks(MCASTD_SAMPLES "/mcastd.conf"));
  CHECK(lines_of(parsed) == std::vector<std::string>{});
  REQUIRE(parsed.config.routes.size() == 10);
  const Path& continued = parsed.config.paths[parsed.config.routes[3].path];
  CHECK(continued.oifs.size() == 4);
  CHECK(parsed.config.joins.size() == 4);
  CHECK(parsed.config.interfaces.size() == 3);
  CHECK(parsed.config.tables.size() == 1);
  CHECK(parsed.config.auto_tables);
}
