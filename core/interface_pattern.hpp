// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace mcast {

/// Longest interface name a kernel takes: IFNAMSIZ - 1 (net/if.h), on Linux and FreeBSD alike.
inline constexpr std::size_t kMaxInterfaceName = 15;

/// What a rule says where an interface belongs: a name, or a prefix followed by "+" that matches
/// every name beginning with it ("eth+" matches eth0 and eth15, and "+" matches all).
class InterfacePattern {
 public:
  InterfacePattern() = default;
  /// Linux alias names ("eth0:1") mean their base interface. Fails on an empty name, one longer
  /// than the kernel allows, and on characters no kernel allows in a name ('/', white space).
  [[nodiscard]] static Result<InterfacePattern> parse(std::string_view text);
  /// Exactly this name.
  [[nodiscard]] static InterfacePattern exact(std::string_view name);
  /// Every name that begins so.
  [[nodiscard]] static InterfacePattern wildcard(std::string_view stem);

  [[nodiscard]] bool is_wildcard() const { return wildcard_; }
  /// The name, or for a wildcard the part before "+".
  [[nodiscard]] const std::string& stem() const { return stem_; }
  [[nodiscard]] bool matches(std::string_view name) const {
    return wildcard_ ? name.starts_with(stem_) : name == stem_;
  }
  /// As it is written in a file.
  [[nodiscard]] std::string to_string() const { return wildcard_ ? stem_ + '+' : stem_; }

  auto operator<=>(const InterfacePattern&) const = default;

 private:
  std::string stem_;
  bool wildcard_ = false;
};

}  // namespace mcast
