// SPDX-License-Identifier: BSD-2-Clause
#include "core/config_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/diagnostics.hpp"
#include "core/traits.hpp"

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

// --- tables and VRFs -----------------------------------------------------------------------------

bool is_number(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

Result<TableId> table_number_word(std::string_view word, std::optional<Family> family) {
  // Linux has the narrowest limits; a file has to be valid everywhere or nowhere.
  const KernelTraits traits = linux_traits();
  const std::uint32_t ipv4 = traits.ipv4.max_table;
  const std::uint32_t ipv6 = traits.ipv6.max_table;
  const std::uint32_t most = family == Family::ipv4 ? ipv4 : family ? ipv6 : std::min(ipv4, ipv6);
  std::uint32_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, status] = std::from_chars(word.data(), end, number);
  if (status == std::errc() && rest == end && number >= 1 && number <= most) return TableId(number);
  std::string range = fmt::format("the number of an IPv4 table is from 1 to {}", ipv4);
  if (family == Family::ipv6) {
    range = fmt::format("the number of an IPv6 table is from 1 to {} (IPv4: {})", ipv6, ipv4);
  }
  if (!family) {
    range = fmt::format("a table of both families has a number from 1 to {} (IPv4 alone: {})", most,
                        std::max(ipv4, ipv6));
  }
  return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", in_quotes(word), range));
}

Result<std::string> table_name_word(std::string_view word) {
  static constexpr auto kWords = std::to_array<std::string_view>(
      {"from", "source", "except", "group", "scope", "to", "join", "native", "learned", "table",
       "vrf", "name", "iif", "auto", "enable", "disable", "mrdisc"});
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_good = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  };
  std::string_view problem;
  if (is_number(word)) {
    problem = "a number cannot be the name of a table";
  } else if (word.empty() || !is_letter(word[0]) || !std::ranges::all_of(word, is_good)) {
    problem =
        "the name of a table is made of letters, digits, \"_\", \"-\" and \".\", a letter first";
  } else if (std::ranges::find(kWords, word) != kWords.end()) {
    problem = "a keyword cannot be the name of a table";
  } else if (word.size() <= kMaxTableName) {
    return std::string(word);
  } else {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: the name of a table has at most {} characters", in_quotes(word),
                            kMaxTableName));
  }
  return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", in_quotes(word), problem));
}

std::string no_such_table(std::string_view word, std::span<const TableRule> tables) {
  std::vector<std::string_view> names;
  for (const TableRule& table : tables) names.emplace_back(table.name);
  const auto match = closest_match(word, names);
  return fmt::format("{}: no table is declared by this name; {}", in_quotes(word),
                     match ? fmt::format("did you mean \"{}\"?", *match)
                           : std::string("write its number, or a line \"table NUMBER name NAME\""));
}

Result<std::string> vrf_word(std::string_view word) {
  if (looks_like_address(word)) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{}: an address stands where the name of a VRF belongs", in_quotes(word)));
  }
  const InterfacePattern device = TRY(interface_word(word));
  if (device.is_wildcard()) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{}: a line is about one VRF; write its name in full", in_quotes(word)));
  }
  if (device.stem() != word) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: a VRF has no alias name", in_quotes(word)));
  }
  return device.stem();
}

std::string table_and_vrf() {
  return "table and vrf on one line: a VRF's table is its own; keep one of them";
}

bool chooses_table(std::span<const std::string> words) {
  return words.size() > 1 && (words[0] == "table" || words[0] == "vrf") &&
         !looks_like_address(words[1]);
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
  Domain domain;
  std::size_t used = 0;  ///< words
};

/// IIF [SOURCE] GROUP: the second word is a source if another address follows it.
Result<Target> parse_target(std::span<const std::string> words) {
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

Result<Domain> domain_of(std::span<const std::string> words, Family family,
                         std::span<const TableRule> tables) {
  const std::string& word = words[1];
  if (words[0] == "vrf") return Domain{Domain::Kind::vrf, {}, TRY(vrf_word(word))};
  if (is_number(word)) {
    return Domain{Domain::Kind::table, TRY(table_number_word(word, family)), {}};
  }
  const auto named = std::ranges::find(tables, word, &TableRule::name);
  if (named != tables.end() && !word.empty()) return Domain{Domain::Kind::table, named->id, {}};
  return fail(ErrorCode::invalid_argument, no_such_table(word, tables));
}

/// [table T|vrf V] IIF [SOURCE] GROUP.
Result<Target> parse_target(const std::vector<std::string>& words,
                            std::span<const TableRule> tables) {
  const std::span all(words);
  if (!chooses_table(all)) return parse_target(all);
  const std::span rest = all.subspan(2);
  if (chooses_table(rest)) {
    return fail(ErrorCode::usage, words[0] == rest[0]
                                      ? fmt::format("\"{}\" is given twice", words[0])
                                      : table_and_vrf());
  }
  Target target = TRY(parse_target(rest));
  target.domain = TRY(domain_of(all, target.group.family(), tables));
  target.used += 2;
  return target;
}

}  // namespace

Result<RouteWords> parse_route_words(const std::vector<std::string>& words,
                                     std::span<const TableRule> tables) {
  Target target = TRY(parse_target(words, tables));
  RouteWords route;
  route.source = target.source.value_or(Prefix::any(target.group.family()));
  route.group = target.group;
  route.path.iif = std::move(target.iif);
  route.path.domain = std::move(target.domain);
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
                                   std::span<const TableRule> tables) {
  Target target = TRY(parse_target(words, tables));
  if (words.size() > target.used) {
    return fail(ErrorCode::usage,
                fmt::format("{}: a group is joined on one interface; nothing follows the group",
                            in_quotes(words[target.used])));
  }
  if (join_count(target.source, target.group) > kMaxJoinsPerRule) {
    return fail(ErrorCode::limit_reached, too_many_joins(words[target.used - 1]));
  }
  return JoinWords{std::move(target.iif), target.source, target.group, std::move(target.domain)};
}

}  // namespace mcast
