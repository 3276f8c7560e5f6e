// SPDX-License-Identifier: BSD-2-Clause
#include "core/config_words.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/config.hpp"
#include "core/diagnostics.hpp"

namespace mcast {
namespace {

std::unexpected<Error> about(std::string_view word, const Error& error) {
  return fail(error.code, fmt::format("{}: {}", in_quotes(word), error.message));
}

/// The shortest prefix that holds multicast addresses only: 224.0.0.0/4 and ff00::/8.
unsigned shortest_group_length(Family family) {
  return family == Family::ipv4 ? 4 : 8;
}

}  // namespace

Result<InterfacePattern> interface_word(std::string_view word) {
  if (looks_like_address(word)) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{}: an address stands where an interface name belongs", in_quotes(word)));
  }
  if (word == "\\") {
    return fail(ErrorCode::invalid_argument,
                "\"\\\": joins two lines only as the last character of the first");
  }
  auto pattern = InterfacePattern::parse(word);
  if (!pattern) return about(word, pattern.error());
  return pattern;
}

Result<Prefix> address_word(std::string_view word) {
  auto prefix = Prefix::parse(word);
  if (!prefix) return about(word, prefix.error());
  return prefix;
}

bool looks_like_address(std::string_view word) {
  if (word.empty()) return false;
  const std::string_view address = word.substr(0, word.find('/'));
  if (std::ranges::count(address, ':') >= 2) return true;
  const bool digits_and_dots =
      std::ranges::all_of(address, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return digits_and_dots && std::ranges::count(address, '.') >= 2;
}

std::string group_problem(std::string_view word, const Prefix& group,
                          const std::optional<Prefix>& source) {
  if (!group.address().is_multicast()) {
    // A multicast address with a length too short has lost the bits that made it one.
    const auto written = Address::parse(word.substr(0, word.find('/')));
    if (written && written->is_multicast()) {
      return fmt::format("{}: covers more than multicast; the shortest length is /{}",
                         in_quotes(word), shortest_group_length(group.family()));
    }
    const bool swapped = source && source->address().is_multicast();
    return fmt::format("{}: not a multicast group; {}", in_quotes(word),
                       swapped                          ? "are source and group swapped?"
                       : group.family() == Family::ipv4 ? "groups are 224.0.0.0 to 239.255.255.255"
                                                        : "groups begin with ff");
  }
  if (group.length() < shortest_group_length(group.family())) {
    return fmt::format("{}: covers more than multicast; the shortest length is /{}",
                       in_quotes(word), shortest_group_length(group.family()));
  }
  return {};
}

bool is_never_forwarded(const Prefix& group) {
  const unsigned link_scope_length = group.family() == Family::ipv4 ? 24 : 16;
  return group.length() >= link_scope_length && group.address().is_link_scoped_group();
}

std::string never_forwarded(std::string_view word) {
  return fmt::format("{}: no kernel forwards groups of this scope", in_quotes(word));
}

std::string sent_back(std::string_view word) {
  return fmt::format("{}: inbound and outbound, traffic is sent back where it came from",
                     in_quotes(word));
}

std::string source_problem(std::string_view word, const Prefix& source,
                           const std::optional<Prefix>& group) {
  if (source.address().is_multicast()) {
    return fmt::format("{}: a multicast address cannot be a source", in_quotes(word));
  }
  if (group && group->family() != source.family()) {
    return fmt::format("{}: an {} source cannot send to the {} group {}", in_quotes(word),
                       to_string(source.family()), to_string(group->family()), group->to_string());
  }
  return {};
}

bool means_any_source(const Prefix& source) {
  return source.is_any() || (source.is_host() && source.address().is_unspecified());
}

std::uint64_t join_count(const std::optional<Prefix>& source, const Prefix& group) {
  const std::uint64_t groups = group.size();
  const std::uint64_t sources = source ? source->size() : 1;
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  return groups > most / sources ? most : groups * sources;
}

std::string too_many_joins(std::string_view group) {
  return fmt::format(
      "{}: to join it stands for more than {} groups and sources; use longer prefixes",
      in_quotes(group), kMaxJoinsPerRule);
}

namespace {

struct Target {
  InterfacePattern iif;
  std::optional<Prefix> source;  ///< none: any source
  Prefix group;
  std::size_t used = 0;  ///< words
};

/// IIF [SOURCE] GROUP: the second word is a source if another address follows it.
Result<Target> parse_target(const std::vector<std::string>& words) {
  if (words.empty())
    return fail(ErrorCode::usage, "the inbound interface and the group are missing");
  if (words.size() < 2) return fail(ErrorCode::usage, "the group is missing");
  Target target;
  target.iif = TRY(interface_word(words[0]));
  const bool has_source = words.size() > 2 && looks_like_address(words[2]);
  const std::string& group_text = words[has_source ? 2 : 1];
  target.used = has_source ? 3 : 2;

  std::optional<Prefix> source;
  if (has_source) source = TRY(address_word(words[1]));
  target.group = TRY(address_word(group_text));
  if (auto problem = group_problem(group_text, target.group, source); !problem.empty()) {
    return fail(ErrorCode::invalid_argument, std::move(problem));
  }
  if (!source) return target;
  if (auto problem = source_problem(words[1], *source, target.group); !problem.empty()) {
    return fail(ErrorCode::invalid_argument, std::move(problem));
  }
  if (!means_any_source(*source)) target.source = source;
  return target;
}

}  // namespace

Result<RouteWords> parse_route_words(const std::vector<std::string>& words,
                                     std::span<const TableRule> /*tables*/) {
  Target target = TRY(parse_target(words));
  RouteWords route;
  route.source = target.source.value_or(Prefix::any(target.group.family()));
  route.group = target.group;
  route.path.iif = std::move(target.iif);
  std::set<InterfacePattern> seen;
  for (std::size_t i = target.used; i < words.size(); ++i) {
    auto oif = TRY(interface_word(words[i]));
    if (seen.insert(oif).second) route.path.oifs.push_back(std::move(oif));
  }
  return route;
}

std::vector<std::string> warnings_about(const RouteWords& route) {
  std::vector<std::string> warnings;
  if (is_never_forwarded(route.group)) warnings.push_back(never_forwarded(route.group.to_string()));
  for (const InterfacePattern& oif : route.path.oifs) {
    if (oif == route.path.iif && !oif.is_wildcard()) warnings.push_back(sent_back(oif.to_string()));
  }
  return warnings;
}

Result<JoinWords> parse_join_words(const std::vector<std::string>& words,
                                   std::span<const TableRule> /*tables*/) {
  Target target = TRY(parse_target(words));
  if (words.size() > target.used) {
    return fail(ErrorCode::usage,
                fmt::format("{}: a group is joined on one interface; nothing follows the group",
                            in_quotes(words[target.used])));
  }
  if (join_count(target.source, target.group) > kMaxJoinsPerRule) {
    return fail(ErrorCode::limit_reached, too_many_joins(words[target.used - 1]));
  }
  return JoinWords{std::move(target.iif), target.source, target.group};
}

}  // namespace mcast
