// SPDX-License-Identifier: BSD-2-Clause
#include "core/exceptions.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "core/config.hpp"
#include "core/diagnostics.hpp"

namespace mcast {
namespace {

struct ScopeName {
  std::string_view name;
  std::uint8_t number;
};
/// RFC 7346.
constexpr std::array<ScopeName, 7> kScopes{{{"interface", 1},
                                            {"link", 2},
                                            {"realm", 3},
                                            {"admin", 4},
                                            {"site", 5},
                                            {"organization", 8},
                                            {"global", 14}}};
constexpr std::uint8_t kHighestScope = 15;
/// A group's scope ends with this bit.
constexpr unsigned kScopeBits = 16;

std::optional<std::uint8_t> scope_number(std::string_view word) {
  const auto named = std::ranges::find(kScopes, word, &ScopeName::name);
  if (named != kScopes.end()) return named->number;
  std::uint8_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, status] = std::from_chars(word.data(), end, number);
  if (status != std::errc() || rest != end || number < 1 || number > 14) return std::nullopt;
  return number;
}

std::string unknown_scope(std::string_view word) {
  std::vector<std::string_view> names;
  for (const ScopeName& scope : kScopes) names.push_back(scope.name);
  if (const auto match = closest_match(word, names)) {
    return fmt::format("{}: no such scope; did you mean \"{}\"?", in_quotes(word), *match);
  }
  return fmt::format("{}: a scope is interface, link, realm, admin, site, organization, global or "
                     "a number from 1 to 14",
                     in_quotes(word));
}

/// The prefix one bit longer; `upper` chooses whether that bit is set.
Prefix half(const Prefix& whole, bool upper) {
  const unsigned length = whole.length() + 1;
  if (!upper) return {whole.address(), length};
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(whole.address().mapped(), bytes.begin());
  const unsigned bit = whole.length() + 128 - whole.address().bits();
  bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | 0x80U >> bit % 8);
  return {Address::from_v6(bytes), length};
}

void collect_outside(const ScopeRange& range, const Prefix& group, std::vector<Prefix>& found) {
  // The scopes that the prefix leaves open follow each other. Flags come before the scope, so that
  // each combination of them has prefixes of its own.
  const unsigned open =
      group.length() >= kScopeBits ? 0 : std::min(kScopeBits - group.length(), 4U);
  const unsigned lowest = group.address().octets()[1] & 15U;
  const unsigned highest = lowest + (1U << open) - 1;
  if (range.contains(lowest) && range.contains(highest)) return;
  if (highest < range.first || lowest > range.last) {
    found.push_back(group);
    return;
  }
  collect_outside(range, half(group, false), found);
  collect_outside(range, half(group, true), found);
}

}  // namespace

Result<ScopeRange> parse_scope(std::string_view comparison, std::string_view scope) {
  if (comparison != ">=" && comparison != "<=" && comparison != "=") {
    return fail(ErrorCode::usage,
                fmt::format("{}: scopes are compared by >=, <= or =", in_quotes(comparison)));
  }
  const auto number = scope_number(scope);
  if (!number) return fail(ErrorCode::invalid_argument, unknown_scope(scope));
  if (comparison == ">=") return ScopeRange{*number, kHighestScope};
  if (comparison == "<=") return ScopeRange{0, *number};
  return ScopeRange{*number, *number};
}

std::vector<Prefix> groups_outside(const ScopeRange& range, const Prefix& group) {
  std::vector<Prefix> found;
  collect_outside(range, group, found);
  return found;
}

bool cover(const Prefix& whole, std::vector<Prefix> parts) {
  std::ranges::sort(parts);
  // A prefix that is within the one before it adds nothing; two halves are their whole.
  std::vector<Prefix> merged;
  for (const Prefix& part : parts) {
    if (!merged.empty() && merged.back().contains(part)) continue;
    merged.push_back(part);
    while (merged.size() >= 2) {
      const Prefix& last = merged.back();
      if (last.length() == 0) break;
      const Prefix parent(last.address(), last.length() - 1);
      const Prefix& other = merged[merged.size() - 2];
      if (other.length() != last.length() || !parent.contains(other)) break;
      merged.pop_back();
      merged.back() = parent;
    }
  }
  return merged.size() == 1 && merged.front().contains(whole);
}

}  // namespace mcast
