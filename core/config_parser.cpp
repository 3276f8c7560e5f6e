// SPDX-License-Identifier: BSD-2-Clause
#include "core/config_parser.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/config_words.hpp"

namespace mcast {
namespace {

std::string did_you_mean(std::string_view match) {
  return fmt::format("; did you mean \"{}\"?", match);
}

}  // namespace

void ConfigParser::parse_text(std::string_view text) {
  ConfigLexer lexer(text);
  std::vector<Word> words;
  while (!diagnostics_.full() && lexer.next(words)) parse_line(words);
}

void ConfigParser::parse_line(std::span<const Word> words) {
  if (words.size() >= ConfigLexer::kMaxWords) {
    return error(words[0], fmt::format("a line has at most {} words", ConfigLexer::kMaxWords - 1));
  }
  const std::string_view keyword = words[0].text;
  if (keyword == "mroute") return parse_mroute(words);
  if (keyword == "mgroup" || keyword == "ssmgroup") return parse_mgroup(words);
  if (keyword == "phyint") return parse_phyint(words);
  if (keyword == "include") return parse_include(words);
  if (keyword == "any-source") return parse_any_source(words);
  if (keyword == "table") return parse_table(words);
  if (keyword == "tables") return parse_tables(words);

  const auto match = closest_match(keyword, {"phyint", "mgroup", "ssmgroup", "mroute", "any-source",
                                             "table", "tables", "include"});
  error(words[0], fmt::format("{}: no such keyword{}", in_quotes(keyword),
                              match ? did_you_mean(*match)
                                    : "; a line begins with phyint, mgroup, mroute, any-source, "
                                      "table, tables or include"));
}

void ConfigParser::parse_mroute(std::span<const Word> words) {
  const auto clauses = read_clauses(words);
  if (!clauses) return;
  const auto flow = read_flow(*clauses, words[0]);
  const auto domain = flow ? read_domain(clauses->domain, flow->group.family()) : Domain();
  const auto path = read_path(*clauses, words[0], domain.value_or(Domain()));
  if (!flow || !domain || !path) return;
  if (is_never_forwarded(flow->group)) {
    warning(*clauses->group, never_forwarded(clauses->group->text));
  }
  const auto exceptions = read_exceptions(*clauses, *flow);
  if (!exceptions || !check_options(*clauses, *flow, *exceptions)) return;
  add_route(*clauses, *flow, *path, where(words[0]), *exceptions);
  if (clauses->join != nullptr) add_join(*clauses, *flow, *domain, words[0], true);
}

void ConfigParser::parse_mgroup(std::span<const Word> words) {
  const auto clauses = read_clauses(words);
  if (!clauses) return;
  const auto flow = read_flow(*clauses, words[0]);
  if (!require_from(*clauses, words[0])) return;
  if (const auto iif = interface_word(clauses->from->text); !iif) {
    return error(*clauses->from, iif.error().message);
  }
  if (!flow) return;
  if (const auto domain = read_domain(clauses->domain, flow->group.family())) {
    add_join(*clauses, *flow, *domain, words[0], false);
  }
}

/// The words have been checked; prefixes may still stand for more joins than anybody wants.
void ConfigParser::add_join(const Clauses& clauses, const Flow& flow, const Domain& domain,
                            const Word& statement, bool by_route) {
  const std::uint64_t count = join_count(flow.source, flow.group);
  if (count > kMaxJoinsPerRule) {
    return error(*clauses.group, too_many_joins(clauses.group->text));
  }
  joins_ += count;
  if (joins_ > kMaxJoins && joins_ - count <= kMaxJoins) {
    error(*clauses.group, fmt::format("{}: all lines together join more than {} groups and sources "
                                      "from here on; use longer prefixes",
                                      in_quotes(clauses.group->text), kMaxJoins));
  }
  result_.config.joins.push_back({.iif = interface_word(clauses.from->text).value(),
                                  .source = flow.source,
                                  .group = flow.group,
                                  .where = where(statement),
                                  .by_route = by_route,
                                  .domain = domain});
}

std::optional<ConfigParser::Flow> ConfigParser::read_flow(const Clauses& clauses,
                                                          const Word& statement) {
  std::optional<Prefix> source;
  std::optional<Prefix> group;
  std::string group_error;
  if (clauses.source != nullptr) {
    auto prefix = address_word(clauses.source->text);
    if (!prefix) error(*clauses.source, std::move(prefix.error().message));
    if (prefix) source = *prefix;
  }
  if (clauses.group == nullptr) {
    error(statement,
          fmt::format("{} needs a group: write \"group\" and its address", statement.text));
    return std::nullopt;
  }
  if (auto prefix = address_word(clauses.group->text)) {
    group = *prefix;
    group_error = group_problem(clauses.group->text, *group, source);
  } else {
    group_error = std::move(prefix.error().message);
  }
  if (!group_error.empty()) {
    error(*clauses.group, std::move(group_error));
    return std::nullopt;
  }
  if (clauses.source != nullptr && !source) return std::nullopt;
  if (!source) return Flow{std::nullopt, *group};
  if (auto problem = source_problem(clauses.source->text, *source, group); !problem.empty()) {
    error(*clauses.source, std::move(problem));
    return std::nullopt;
  }
  return Flow{means_any_source(*source) ? std::nullopt : source, *group};
}

bool ConfigParser::require_from(const Clauses& clauses, const Word& statement) {
  if (clauses.from != nullptr) return true;
  error(statement,
        fmt::format("{} needs an inbound interface: write \"from\" and its name", statement.text));
  return false;
}

std::optional<PathId> ConfigParser::read_path(const Clauses& clauses, const Word& statement,
                                              const Domain& domain) {
  if (!require_from(clauses, statement)) return std::nullopt;
  path_text_ = clauses.from->text;
  for (const Word& oif : clauses.oifs) {
    path_text_ += ' ';
    path_text_ += oif.text;
  }
  // No word holds a line feed.
  if (clauses.domain.table != nullptr) (path_text_ += "\nt") += clauses.domain.table->text;
  if (clauses.domain.vrf != nullptr) (path_text_ += "\nv") += clauses.domain.vrf->text;
  if (path_text_ == last_path_text_ && !last_path_.has_warnings) return last_path_.id;
  const auto known = known_paths_.find(std::string_view(path_text_));
  if (known != known_paths_.end() && !known->second.has_warnings) {
    last_path_ = known->second;
  } else {
    const auto built = build_path(clauses, domain);
    if (!built) return std::nullopt;
    last_path_ = *built;
    known_paths_.insert_or_assign(path_text_, last_path_);
  }
  std::swap(path_text_, last_path_text_);
  return last_path_.id;
}

std::optional<ConfigParser::KnownPath> ConfigParser::build_path(const Clauses& clauses,
                                                                const Domain& domain) {
  Path path{.iif = {}, .oifs = {}, .domain = domain};
  KnownPath known;
  const std::size_t errors = diagnostics_.errors();
  if (auto iif = interface_word(clauses.from->text)) {
    path.iif = std::move(*iif);
  } else {
    error(*clauses.from, std::move(iif.error().message));
  }
  std::set<InterfacePattern> seen;
  for (const Word& word : clauses.oifs) {
    auto oif = interface_word(word.text);
    if (!oif) {
      error(word, std::move(oif.error().message));
      continue;
    }
    if (!seen.insert(*oif).second) {
      known.has_warnings = true;
      warning(word, fmt::format("{}: named twice as outbound interface", in_quotes(word.text)));
      continue;
    }
    if (*oif == path.iif && !oif->is_wildcard()) {
      known.has_warnings = true;
      warning(word, sent_back(word.text));
    }
    path.oifs.push_back(std::move(*oif));
  }
  if (diagnostics_.errors() != errors || diagnostics_.full()) return std::nullopt;
  known.id = result_.config.paths.intern(std::move(path));
  return known;
}

void ConfigParser::parse_phyint(std::span<const Word> words) {
  static constexpr auto kOptions = {"enable", "disable", "mrdisc", "ttl-threshold"};
  const auto is_option = [&](std::size_t at) {
    return std::ranges::find(kOptions, words[at].text) != kOptions.end();
  };
  DomainWords domain_words;
  const auto is_domain = [&](std::size_t at) {
    return slot_of(domain_words, words[at].text) != nullptr;
  };
  // An interface may be called "vrf", but what follows it is then no name.
  if (words.size() < 2 || is_option(1) ||
      (is_domain(1) && words.size() > 2 && !is_option(2) && !is_domain(2))) {
    return error(words[0], "phyint needs an interface name after it");
  }
  auto pattern = interface_word(words[1].text);
  if (!pattern) return error(words[1], std::move(pattern.error().message));
  InterfaceRule rule;
  rule.interface = std::move(*pattern);
  rule.where = where(words[0]);
  for (std::size_t at = 2; at < words.size(); ++at) {
    if (!read_phyint_word(words, at, rule, domain_words)) return;
  }
  auto domain = read_domain(domain_words, std::nullopt);
  if (!domain) return;
  rule.domain = std::move(*domain);
  result_.config.interfaces.push_back(std::move(rule));
}

bool ConfigParser::read_phyint_word(std::span<const Word> words, std::size_t& at,
                                    InterfaceRule& rule, DomainWords& domain) {
  const Word& word = words[at];
  if (const Word** slot = slot_of(domain, word.text)) {
    return take_argument(words, at++, slot);
  }
  if (word.text == "enable" || word.text == "disable") {
    const bool enable = word.text == "enable";
    if (rule.enable && *rule.enable != enable) {
      error(word, "enable and disable contradict each other; keep one of them");
      return false;
    }
    rule.enable = enable;
    return true;
  }
  if (word.text == "mrdisc") {
    rule.mrdisc = true;
    return true;
  }
  if (word.text != "ttl-threshold") {
    const auto match =
        closest_match(word.text, {"enable", "disable", "mrdisc", "ttl-threshold", "table", "vrf"});
    error(word, fmt::format("{}: no such keyword{}", in_quotes(word.text),
                            match ? did_you_mean(*match)
                                  : "; enable, disable, mrdisc, ttl-threshold, table or vrf can "
                                    "stand here"));
    return false;
  }
  return read_threshold(words, at, rule);
}

bool ConfigParser::read_threshold(std::span<const Word> words, std::size_t& at,
                                  InterfaceRule& rule) {
  const Word& word = words[at];
  if (rule.ttl_threshold) {
    error(word, "\"ttl-threshold\" is given twice in one line");
    return false;
  }
  if (at + 1 == words.size()) {
    error(word, "\"ttl-threshold\" needs a number from 1 to 255 after it");
    return false;
  }
  const Word& number = words[++at];
  unsigned value = 0;
  const char* const end = number.text.data() + number.text.size();
  const auto [rest, status] = std::from_chars(number.text.data(), end, value);
  if (status != std::errc() || rest != end || value < 1 || value > 255) {
    error(number,
          fmt::format("{}: a TTL threshold is a number from 1 to 255", in_quotes(number.text)));
    return false;
  }
  rule.ttl_threshold = static_cast<std::uint8_t>(value);
  return true;
}

void ConfigParser::error(const Word& at, std::string message) {
  diagnostics_.error(result_.config.files[file_], at.line, at.column, std::move(message));
}

void ConfigParser::warning(const Word& at, std::string message) {
  diagnostics_.warning(result_.config.files[file_], at.line, at.column, std::move(message));
}

std::string ConfigParser::place(Location where) const {
  return fmt::format("{}:{}", printable(result_.config.files[where.file]), where.line);
}

}  // namespace mcast
