// SPDX-License-Identifier: BSD-2-Clause
#include "core/link_table.hpp"

#include <algorithm>
#include <cstddef>

namespace mcast {

bool matches(const InterfacePattern& pattern, const Link& link) {
  if (!pattern.is_wildcard()) return link.has_name(pattern.stem());
  if (link.loopback) return false;
  if (pattern.matches(link.name)) return true;
  return std::ranges::any_of(link.altnames,
                             [&](const std::string& name) { return pattern.matches(name); });
}

bool LinkTable::put(const Link& link) {
  const auto [position, is_new] = links_.try_emplace(link.index, link);
  if (is_new) return true;
  if (position->second == link) return false;
  position->second = link;
  return true;
}

bool LinkTable::remove(IfIndex index) {
  return links_.erase(index) != 0;
}

const Link* LinkTable::find(IfIndex index) const {
  const auto position = links_.find(index);
  return position == links_.end() ? nullptr : &position->second;
}

const Link* LinkTable::find(std::string_view name) const {
  for (const auto& [index, link] : links_) {
    if (link.has_name(name)) return &link;
  }
  return nullptr;
}

namespace {

/// How specific a pattern is: an exact name beats every wildcard, a longer stem a shorter one.
std::size_t specificity(const InterfacePattern& pattern) {
  return pattern.is_wildcard() ? pattern.stem().size() : kMaxInterfaceName + 1;
}

/// The setting of the most specific rule that matches and has it, or `otherwise`.
template <class Value, class Get>
Value most_specific(const std::vector<InterfaceRule>& rules, const Link& link, Value otherwise,
                    Get get) {
  std::size_t best = 0;
  Value value = otherwise;
  for (const InterfaceRule& rule : rules) {
    const auto setting = get(rule);
    if (!setting || !matches(rule.interface, link)) continue;
    const std::size_t rank = specificity(rule.interface) + 1;
    if (rank > best) {
      best = rank;
      value = *setting;
    }
  }
  return value;
}

}  // namespace

bool LinkTable::is_enabled(const Link& link) const {
  return most_specific(rules_, link, true, [](const InterfaceRule& rule) { return rule.enable; });
}

bool LinkTable::is_announced(const Link& link) const {
  return std::ranges::any_of(rules_, [&](const InterfaceRule& rule) {
    return rule.mrdisc && matches(rule.interface, link);
  });
}

std::uint8_t LinkTable::ttl_threshold(const Link& link) const {
  return most_specific(rules_, link, std::uint8_t{1},
                       [](const InterfaceRule& rule) { return rule.ttl_threshold; });
}

}  // namespace mcast
