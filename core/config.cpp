// SPDX-License-Identifier: BSD-2-Clause
#include "core/config.hpp"

#include <algorithm>

#include "core/config_parser.hpp"

namespace mcast {

bool ParsedConfig::valid() const {
  return std::ranges::none_of(diagnostics, [](const Diagnostic& diagnostic) {
    return diagnostic.severity == Diagnostic::Severity::error;
  });
}

ParsedConfig parse_config(FileReader& reader, const std::string& path) {
  return ConfigParser(reader).run(path);
}

}  // namespace mcast
