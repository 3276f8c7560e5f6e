// SPDX-License-Identifier: BSD-2-Clause
#include "core/link_table.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace mcast {

bool matches(const InterfacePattern& pattern, const Link& link) {
  if (!pattern.is_wildcard()) return link.has_name(pattern.stem());
  if (link.loopback) return false;
  if (pattern.matches(link.name)) return true;
  return std::ranges::any_of(link.altnames,
                             [&](const std::string& name) { return pattern.matches(name); });
}

std::size_t specificity(const InterfacePattern& pattern) {
  return pattern.is_wildcard() ? pattern.stem().size() : kMaxInterfaceName + 1;
}

bool in_same_vrf(const Link& a, const Link& b) {
  const auto vrf = [](const Link& link) { return link.master_is_vrf ? link.master : IfIndex(); };
  return vrf(a) == vrf(b);
}

bool LinkTable::put(const Link& link) {
  const auto [position, is_new] = links_.try_emplace(link.index, link);
  if (!is_new) {
    if (position->second == link) return false;
    forget_addresses(position->second);
    position->second = link;
  }
  for (const Address& address : link.addresses) holders_.emplace(address, link.index);
  return true;
}

bool LinkTable::remove(IfIndex index) {
  const auto position = links_.find(index);
  if (position == links_.end()) return false;
  forget_addresses(position->second);
  links_.erase(position);
  return true;
}

void LinkTable::forget_addresses(const Link& link) {
  for (const Address& address : link.addresses) {
    auto [at, end] = holders_.equal_range(address);
    while (at != end) at = at->second == link.index ? holders_.erase(at) : std::next(at);
  }
}

const Link* LinkTable::other_holder(const Address& address, IfIndex link) const {
  const auto [first, end] = holders_.equal_range(address);
  for (auto at = first; at != end; ++at) {
    if (at->second != link) return find(at->second);
  }
  return nullptr;
}

std::optional<Address> LinkTable::own_address(const Link& link, Family family) const {
  for (const Address& address : link.addresses) {
    if (address.family() == family && other_holder(address, link.index) == nullptr) return address;
  }
  return std::nullopt;
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

/// The setting of the most specific rule that `applies` and has it, or `otherwise`. Of equal
/// patterns one for a table or VRF is the more specific.
template <class Value, class Applies, class Get>
Value most_specific(const std::vector<InterfaceRule>& rules, const Applies& applies,
                    Value otherwise, Get get) {
  std::size_t best = 0;
  Value value = otherwise;
  for (const InterfaceRule& rule : rules) {
    const auto setting = get(rule);
    if (!setting || !applies(rule)) continue;
    const bool has_domain = rule.domain.kind != Domain::Kind::automatic;
    const std::size_t rank = 2 * specificity(rule.interface) + (has_domain ? 2 : 1);
    if (rank > best) {
      best = rank;
      value = *setting;
    }
  }
  return value;
}

/// Which lines concern an interface, in a table if one is given.
auto concerning(const LinkTable& links, const Link& link, std::optional<TableId> table) {
  return [&links, &link, table](const InterfaceRule& rule) {
    if (table && rule.domain.kind == Domain::Kind::table) {
      return rule.domain.table == *table && matches(rule.interface, link);
    }
    return links.means(rule.domain, rule.interface, link);
  };
}

}  // namespace

bool LinkTable::is_enabled(const Link& link, std::optional<TableId> table) const {
  return most_specific(rules_, concerning(*this, link, table), true,
                       [](const InterfaceRule& rule) { return rule.enable; });
}

bool LinkTable::is_announced(const Link& link) const {
  return std::ranges::any_of(rules_, [&](const InterfaceRule& rule) {
    return rule.mrdisc && means(rule.domain, rule.interface, link);
  });
}

std::uint8_t LinkTable::ttl_threshold(const Link& link, std::optional<TableId> table) const {
  return most_specific(rules_, concerning(*this, link, table), std::uint8_t{1},
                       [](const InterfaceRule& rule) { return rule.ttl_threshold; });
}

}  // namespace mcast
