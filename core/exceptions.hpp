// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.hpp"
#include "core/result.hpp"

/// What `except` and `scope` leave out of a route, as prefixes.
namespace mcast {

/// Consecutive scopes of IPv6 groups: the low four bits of the second byte (RFC 4291, 2.7).
struct ScopeRange {
  std::uint8_t first = 0;
  std::uint8_t last = 15;
  [[nodiscard]] bool contains(unsigned scope) const { return first <= scope && scope <= last; }
};

/// `comparison` is >=, <= or =; `scope` a number from 1 to 14 or a name. Messages begin with the
/// word they are about, in quotes; error codes tell which: usage for the comparison,
/// invalid_argument for the scope.
[[nodiscard]] Result<ScopeRange> parse_scope(std::string_view comparison, std::string_view scope);

/// The fewest prefixes that hold the groups of `group` whose scope is not in the range.
[[nodiscard]] std::vector<Prefix> groups_outside(const ScopeRange& range, const Prefix& group);

/// Whether the parts, all within `whole`, leave no address of it.
[[nodiscard]] bool cover(const Prefix& whole, std::vector<Prefix> parts);

}  // namespace mcast
