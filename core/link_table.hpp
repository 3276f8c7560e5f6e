// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/interface_pattern.hpp"
#include "core/link.hpp"

namespace mcast {

/// Whether a pattern means this interface. Alternative names count like the name itself; the
/// loopback is never meant by a wildcard.
[[nodiscard]] bool matches(const InterfacePattern& pattern, const Link& link);

/// The interfaces that exist, and what `phyint` lines say about them.
class LinkTable {
 public:
  /// Returns whether anything differs from what was known.
  bool put(const Link& link);
  bool remove(IfIndex index);
  [[nodiscard]] const Link* find(IfIndex index) const;
  [[nodiscard]] const Link* find(std::string_view name) const;
  /// By index.
  [[nodiscard]] const std::map<IfIndex, Link>& all() const { return links_; }

  void set_rules(std::vector<InterfaceRule> rules) { rules_ = std::move(rules); }
  [[nodiscard]] const std::vector<InterfaceRule>& rules() const { return rules_; }

  /// What `phyint` says, the most specific pattern deciding each setting.
  [[nodiscard]] bool is_enabled(const Link& link) const;
  [[nodiscard]] std::uint8_t ttl_threshold(const Link& link) const;
  /// Some `phyint` line wants this host announced there as a multicast router.
  [[nodiscard]] bool is_announced(const Link& link) const;
  /// Exists, is multicast capable and is not disabled.
  [[nodiscard]] bool counts(const Link& link) const { return link.usable() && is_enabled(link); }

 private:
  std::map<IfIndex, Link> links_;
  std::vector<InterfaceRule> rules_;
};

}  // namespace mcast
