// SPDX-License-Identifier: BSD-2-Clause
//
// The part of the parser that takes mroute and mgroup lines apart by their keywords.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/config_parser.hpp"
#include "core/config_words.hpp"

namespace mcast {
namespace {

constexpr std::string_view kFrom = "from";
constexpr std::string_view kSource = "source";
constexpr std::string_view kGroup = "group";
constexpr std::string_view kTo = "to";
constexpr std::string_view kExcept = "except";
constexpr std::string_view kScope = "scope";
constexpr std::string_view kTable = "table";
constexpr std::string_view kVrf = "vrf";
/// Words of a route that take no argument.
constexpr std::string_view kJoin = "join";
constexpr std::string_view kNative = "native";
constexpr std::string_view kLearned = "learned";

bool is_domain_keyword(std::string_view word) {
  return word == kTable || word == kVrf;
}

bool is_clause_keyword(std::string_view word) {
  return word == kFrom || word == kSource || word == kGroup || word == kTo ||
         is_domain_keyword(word);
}

bool is_option(std::string_view word) {
  return word == kJoin || word == kNative || word == kLearned;
}

bool is_keyword(std::string_view word) {
  return is_clause_keyword(word) || is_option(word) || word == kExcept || word == kScope;
}

bool looks_like_comparison(std::string_view word) {
  return !word.empty() && (word[0] == '<' || word[0] == '>' || word[0] == '=');
}

}  // namespace

/// Null for a word that is no keyword with one argument.
const Word** ConfigParser::slot_of(Clauses& clauses, std::string_view keyword) {
  if (keyword == kFrom) return &clauses.from;
  if (keyword == kSource) return &clauses.source;
  if (keyword == kGroup) return &clauses.group;
  return slot_of(clauses.domain, keyword);
}

std::optional<ConfigParser::Clauses> ConfigParser::read_clauses(std::span<const Word> words) {
  Clauses clauses;
  for (std::size_t at = 1; at < words.size();) {
    const Word& word = words[at];
    std::size_t used = 0;
    if (const Word** slot = slot_of(clauses, word.text)) {
      used = take_argument(words, at, slot) ? 2 : 0;
    } else if (words[0].text == "mroute" && is_keyword(word.text)) {
      used = read_route_clause(clauses, words, at);
    } else {
      unexpected_word(clauses, words[0], word);
    }
    if (used == 0) return std::nullopt;
    at += used;
  }
  return clauses;
}

/// How many words were used, 0 after an error.
std::size_t ConfigParser::read_route_clause(Clauses& clauses, std::span<const Word> words,
                                            std::size_t at) {
  const Word& word = words[at];
  if (word.text == kTo) return read_outputs(clauses, words.subspan(at)) ? words.size() - at : 0;
  if (word.text == kExcept) return read_except(clauses, words, at);
  if (word.text == kScope) return read_scope(clauses, words, at);
  return read_option(clauses, word) ? 1 : 0;
}

bool ConfigParser::read_option(Clauses& clauses, const Word& word) {
  const Word*& slot = word.text == kJoin     ? clauses.join
                      : word.text == kNative ? clauses.native
                                             : clauses.learned;
  if (slot != nullptr) {
    error(word, fmt::format("\"{}\" is given twice in one line", word.text));
    return false;
  }
  slot = &word;
  return true;
}

/// A comma at the end of a word, or at the begin of the next one, continues the list.
std::size_t ConfigParser::read_except(Clauses& clauses, std::span<const Word> words,
                                      std::size_t at) {
  const Word& keyword = words[at];
  if (clauses.except != nullptr) {
    error(keyword, "\"except\" is given twice in one line; part its addresses by commas");
    return 0;
  }
  std::size_t end = at + 1;
  const auto goes_on = [&] {
    if (end == words.size() || is_keyword(words[end].text)) return false;
    return end == at + 1 || words[end - 1].text.ends_with(',') || words[end].text.starts_with(',');
  };
  while (goes_on()) ++end;
  if (end == at + 1) {
    const bool last = end == words.size();
    error(last ? keyword : words[end], fmt::format("\"except\" needs addresses after it, {}",
                                                   last ? std::string("parted by commas")
                                                        : "not " + in_quotes(words[end].text)));
    return 0;
  }
  if (end < words.size() && looks_like_address(words[end].text)) {
    error(words[end], fmt::format("{}: part the addresses after \"except\" by commas",
                                  in_quotes(words[end].text)));
    return 0;
  }
  clauses.except = &keyword;
  clauses.excepted = words.subspan(at + 1, end - at - 1);
  return end - at;
}

std::size_t ConfigParser::read_scope(Clauses& clauses, std::span<const Word> words,
                                     std::size_t at) {
  const Word& keyword = words[at];
  if (clauses.scope != nullptr) {
    error(keyword, "\"scope\" is given twice in one line");
    return 0;
  }
  if (at + 2 >= words.size()) {
    error(keyword, "\"scope\" needs a comparison and a scope after it, as in \"scope >= admin\"");
    return 0;
  }
  clauses.scope = &keyword;
  return 3;
}

/// Takes the word after the keyword at `at`.
bool ConfigParser::take_argument(std::span<const Word> words, std::size_t at, const Word** slot) {
  const Word& keyword = words[at];
  if (*slot != nullptr) {
    error(keyword, fmt::format("\"{}\" is given twice in one line", keyword.text));
    return false;
  }
  const std::string_view what = keyword.text == kFrom    ? "an interface name"
                                : keyword.text == kTable ? "the number or name of a table"
                                : keyword.text == kVrf   ? "the name of a VRF"
                                                         : "an address";
  if (at + 1 == words.size()) {
    error(keyword, fmt::format("\"{}\" needs {} after it", keyword.text, what));
    return false;
  }
  const Word& argument = words[at + 1];
  // An interface may be called like a keyword; then another keyword follows it.
  const bool could_be_name = (keyword.text == kFrom || keyword.text == kVrf) &&
                             (!is_clause_keyword(argument.text) ||
                              (at + 2 < words.size() && is_keyword(words[at + 2].text)));
  if (is_keyword(argument.text) && !could_be_name) {
    error(argument,
          fmt::format("\"{}\" needs {} after it, not \"{}\"", keyword.text, what, argument.text));
    return false;
  }
  *slot = &argument;
  return true;
}

/// `words` begin with "to", which takes the rest of the line: interfaces, and options at its end.
bool ConfigParser::read_outputs(Clauses& clauses, std::span<const Word> words) {
  while (words.size() > 1 && is_option(words.back().text)) {
    if (!read_option(clauses, words.back())) return false;
    words = words.first(words.size() - 1);
  }
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!check_misplaced(clauses, words, i)) return false;
  }
  clauses.oifs = words.subspan(1);
  return true;
}

/// A keyword among the outbound interfaces is taken for an interface's name unless it can only be
/// meant as a keyword.
bool ConfigParser::check_misplaced(const Clauses& clauses, std::span<const Word> words,
                                   std::size_t at) {
  const Word& word = words[at];
  if (!is_keyword(word.text) || word.text == kTo) return true;
  if (is_option(word.text)) {
    warning(word, fmt::format("\"{}\" is taken for the name of an interface; to mean the option, "
                              "write it last or before \"to\"",
                              word.text));
    return true;
  }
  const std::string_view next = at + 1 < words.size() ? words[at + 1].text : std::string_view();
  bool meant = looks_like_address(next);
  if (word.text == kScope) meant = looks_like_comparison(next);
  if (word.text == kFrom) meant = meant || (clauses.from == nullptr && !next.empty());
  if (is_domain_keyword(word.text)) meant = !next.empty();
  if (!meant) return true;
  error(word, fmt::format("\"{}\" comes too late: \"to\" takes the rest of the line as interfaces; "
                          "move it before \"to\"",
                          word.text));
  return false;
}

void ConfigParser::unexpected_word(const Clauses& clauses, const Word& statement,
                                   const Word& word) {
  const bool routes = statement.text == "mroute";
  const auto prefix = Prefix::parse(word.text);
  const bool group = prefix && prefix->address().is_multicast();
  std::vector<std::string_view> keywords = {kFrom, kSource, kGroup, kTable, kVrf};
  if (routes) keywords.insert(keywords.end(), {kTo, kExcept, kScope, kJoin, kNative, kLearned});
  const auto match = closest_match(word.text, keywords);
  const bool name = !looks_like_address(word.text);
  std::string reason;
  if (!routes && word.text == kTo) {
    reason = fmt::format("{} only joins, it has no outbound interfaces; use mroute to forward",
                         statement.text);
  } else if (!routes && is_keyword(word.text)) {
    reason = fmt::format("belongs to mroute, {} has no such part", statement.text);
  } else if (group && clauses.group == nullptr) {
    reason = "unexpected; write \"group\" before it";
  } else if (prefix && !group && clauses.source == nullptr) {
    reason = "unexpected; write \"source\" before it";
  } else if (!name && !prefix) {
    reason = prefix.error().message;
  } else if (match) {
    reason = fmt::format("no such keyword; did you mean \"{}\"?", *match);
  } else if (name && clauses.from == nullptr) {
    reason = "unexpected; write \"from\" before the inbound interface";
  } else if (name && routes && clauses.group != nullptr) {
    reason = "unexpected; write \"to\" before the outbound interfaces";
  } else {
    reason = routes ? "unexpected; source, except, group, scope, table, vrf or to can stand here"
                    : "unexpected; source, group, table or vrf can stand here";
  }
  error(word, fmt::format("{}: {}", in_quotes(word.text), reason));
}

}  // namespace mcast
