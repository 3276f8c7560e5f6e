// SPDX-License-Identifier: BSD-2-Clause
#include "core/interface_pattern.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace mcast {
namespace {

/// dev_valid_name() of Linux refuses '/', ':' and white space; control characters would be accepted
/// there, but are a damaged file rather than a name.
bool is_name_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && c != '/' && c != ':';
}

}  // namespace

Result<InterfacePattern> InterfacePattern::parse(std::string_view text) {
  InterfacePattern pattern;
  std::string_view stem = text;
  if (stem.ends_with('+')) {
    pattern.wildcard_ = true;
    stem.remove_suffix(1);
  } else if (const std::size_t colon = stem.find(':'); colon != std::string_view::npos) {
    stem = stem.substr(0, colon);
    // Otherwise the base of "eth+:1" would print as the wildcard that it is not.
    if (stem.ends_with('+')) {
      return fail(ErrorCode::invalid_argument, "a wildcard has no alias number");
    }
  }
  if (stem.empty() && !pattern.wildcard_) {
    return fail(ErrorCode::invalid_argument, "an interface name is missing");
  }
  if (!std::ranges::all_of(stem, is_name_character)) {
    return fail(ErrorCode::invalid_argument,
                "an interface name has no \"/\", \":\", white space or control characters");
  }
  if (stem == "." || stem == "..") {
    return fail(ErrorCode::invalid_argument, "no interface can have this name");
  }
  if (stem.size() > kMaxInterfaceName) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("an interface name has at most {} characters, this one has {}",
                            kMaxInterfaceName, stem.size()));
  }
  pattern.stem_ = stem;
  return pattern;
}

InterfacePattern InterfacePattern::exact(std::string_view name) {
  InterfacePattern pattern;
  pattern.stem_ = name;
  return pattern;
}

InterfacePattern InterfacePattern::wildcard(std::string_view stem) {
  InterfacePattern pattern = exact(stem);
  pattern.wildcard_ = true;
  return pattern;
}

}  // namespace mcast
