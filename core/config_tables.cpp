// SPDX-License-Identifier: BSD-2-Clause
//
// The part of the parser that deals with routing tables and VRFs.
#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/config_parser.hpp"
#include "core/config_words.hpp"

namespace mcast {
namespace {

/// Names that are not declared yet have numbers from here on. No kernel's table has.
constexpr std::uint32_t kFirstEarly = 0xf0000000U;
/// Each table costs time for every packet.
constexpr std::uint32_t kMaxAutoTables = 256;
/// linux/rtnetlink.h: RT_TABLE_DEFAULT, RT_TABLE_MAIN and RT_TABLE_LOCAL.
constexpr std::uint32_t kFirstOfKernel = 253;
constexpr std::uint32_t kLastOfKernel = 255;

constexpr std::string_view kAutoExample = "as in \"tables auto 100-131\"";

}  // namespace

// --- on other lines ------------------------------------------------------------------------------

const Word** ConfigParser::slot_of(DomainWords& words, std::string_view keyword) {
  if (keyword == "table") return &words.table;
  if (keyword == "vrf") return &words.vrf;
  return nullptr;
}

std::optional<Domain> ConfigParser::read_domain(const DomainWords& words,
                                                std::optional<Family> family) {
  if (words.table != nullptr && words.vrf != nullptr) {
    // The keyword stands before the word.
    error(*(std::max(words.table, words.vrf) - 1), table_and_vrf());
    return std::nullopt;
  }
  Domain domain;
  if (words.table != nullptr) {
    const auto table = read_table(*words.table, family);
    if (!table) return std::nullopt;
    domain.kind = Domain::Kind::table;
    domain.table = *table;
  }
  if (words.vrf != nullptr) {
    auto name = vrf_word(words.vrf->text);
    if (!name) {
      error(*words.vrf, std::move(name.error().message));
      return std::nullopt;
    }
    domain.kind = Domain::Kind::vrf;
    domain.vrf = std::move(*name);
  }
  return domain;
}

std::optional<TableId> ConfigParser::read_table(const Word& word, std::optional<Family> family) {
  if (is_number(word.text)) {
    auto number = table_number_word(word.text, family);
    if (!number) {
      error(word, std::move(number.error().message));
      return std::nullopt;
    }
    written_.try_emplace(*number, where(word));
    return *number;
  }
  if (const auto named = table_names_.find(word.text); named != table_names_.end()) {
    return named->second;
  }
  if (const auto early = early_numbers_.find(word.text); early != early_numbers_.end()) {
    return early->second;
  }
  const TableId number(kFirstEarly + static_cast<std::uint32_t>(early_names_.size()));
  early_names_.push_back(
      {std::string(word.text), file_, Word{.text = {}, .line = word.line, .column = word.column}});
  early_numbers_.emplace(word.text, number);
  return number;
}

// --- table ---------------------------------------------------------------------------------------

void ConfigParser::parse_table(std::span<const Word> words) {
  if (words.size() < 2) return error(words[0], "table needs its number after it");
  const Word& number = words[1];
  if (number.text == "auto") {
    return error(number, fmt::format("\"auto\": belongs to tables, {}", kAutoExample));
  }
  if (!is_number(number.text)) {
    return error(number, fmt::format("{}: a table is declared by its number; write \"table NUMBER "
                                     "name {}\"",
                                     in_quotes(number.text),
                                     table_name_word(number.text).value_or("NAME")));
  }
  auto id = table_number_word(number.text, std::nullopt);
  if (!id) return error(number, std::move(id.error().message));
  TableRule rule{.id = *id, .name = {}, .iifs = {}, .where = where(words[0])};
  for (std::size_t at = 2; at < words.size(); ++at) {
    if (!read_table_clause(words, at, rule)) return;
  }
  add_table(words, std::move(rule));
}

bool ConfigParser::read_table_clause(std::span<const Word> words, std::size_t& at,
                                     TableRule& rule) {
  const Word& word = words[at];
  if (word.text == "name") return read_table_name(words, at, rule);
  if (word.text == "iif") {
    const auto patterns = words.subspan(std::exchange(at, words.size()) + 1);
    if (!patterns.empty()) return read_claims(patterns, rule);
    error(word, "\"iif\" needs interface names after it");
    return false;
  }
  const auto match = closest_match(word.text, {"name", "iif"});
  error(word, fmt::format("{}: {}", in_quotes(word.text),
                          match ? fmt::format("no such keyword; did you mean \"{}\"?", *match)
                                : std::string("unexpected; write \"iif\" before the interfaces "
                                              "whose traffic the table takes")));
  return false;
}

bool ConfigParser::read_table_name(std::span<const Word> words, std::size_t& at, TableRule& rule) {
  const Word& keyword = words[at];
  if (!rule.name.empty()) {
    error(keyword, "\"name\" is given twice in one line");
    return false;
  }
  if (++at == words.size()) {
    error(keyword, "\"name\" needs the name of the table after it");
    return false;
  }
  auto name = table_name_word(words[at].text);
  if (!name) {
    error(words[at], std::move(name.error().message));
    return false;
  }
  rule.name = std::move(*name);
  return true;
}

/// The rest of a line after `iif`.
bool ConfigParser::read_claims(std::span<const Word> words, TableRule& rule) {
  const std::size_t errors = diagnostics_.errors();
  std::set<InterfacePattern> own;
  for (const Word& word : words) {
    // As the last word it is an interface of that name.
    const bool last = &word == &words.back();
    if (!last && (word.text == "name" || word.text == "iif")) {
      error(word, fmt::format("\"{}\" comes too late: \"iif\" takes the rest of the line as "
                              "interfaces",
                              word.text));
      return false;
    }
    auto pattern = interface_word(word.text);
    if (!pattern) {
      error(word, std::move(pattern.error().message));
    } else if (!own.insert(*pattern).second) {
      warning(word, fmt::format("{}: named twice", in_quotes(word.text)));
    } else if (const auto other = claimed_.find(*pattern); other != claimed_.end()) {
      error(word, fmt::format("{}: its traffic goes to another table already, at {}; an interface "
                              "has one table",
                              in_quotes(word.text), place(other->second)));
    } else {
      rule.iifs.push_back(std::move(*pattern));
    }
  }
  return diagnostics_.errors() == errors;
}

void ConfigParser::add_table(std::span<const Word> words, TableRule rule) {
  const auto [first, is_new] = declared_.try_emplace(rule.id, rule.where);
  if (!is_new) {
    return error(words[1], fmt::format("{}: the table is declared already at {}; keep one line for "
                                       "it, with all of its interfaces",
                                       in_quotes(words[1].text), place(first->second)));
  }
  if (!rule.name.empty()) {
    const auto [named, is_free] = table_names_.try_emplace(rule.name, rule.id);
    if (!is_free) {
      return error(words[0],
                   fmt::format("\"{}\": table {} at {} has this name already; choose another one",
                               rule.name, named->second.value, place(declared_[named->second])));
    }
  }
  for (const InterfacePattern& pattern : rule.iifs) claimed_.emplace(pattern, rule.where);
  result_.config.tables.push_back(std::move(rule));
}

// --- tables auto ---------------------------------------------------------------------------------

void ConfigParser::parse_tables(std::span<const Word> words) {
  if (words.size() < 2) {
    return error(words[0],
                 fmt::format("tables needs \"auto\" and a range after it, {}", kAutoExample));
  }
  const Word& choice = words[1];
  if (choice.text != "auto") {
    if (is_number(choice.text)) {
      return error(words[0],
                   "\"tables\": no such keyword before a number; did you mean \"table\"?");
    }
    const auto match = closest_match(choice.text, {"auto"});
    return error(choice,
                 fmt::format("{}: {}", in_quotes(choice.text),
                             match ? "did you mean \"auto\"?"
                                   : fmt::format("only auto can stand here, {}", kAutoExample)));
  }
  if (words.size() < 3) {
    return error(choice, fmt::format("\"auto\" needs a range after it, {}", kAutoExample));
  }
  if (words.size() > 3) {
    return error(words[3], fmt::format("{}: nothing follows here", in_quotes(words[3].text)));
  }
  auto range = read_range(words[2]);
  if (!range) return;
  auto& known = result_.config.auto_tables;
  if (known) {
    return error(words[0], fmt::format("tables auto is given already at {}; keep one of the lines",
                                       place(known->where)));
  }
  known = range;
  auto_range_ = {.text = {}, .line = words[2].line, .column = words[2].column};
}

std::optional<AutoTables> ConfigParser::read_range(const Word& word) {
  const std::size_t dash = word.text.find('-');
  const std::string_view first_text = word.text.substr(0, dash);
  const std::string_view last_text =
      dash == std::string_view::npos ? std::string_view() : word.text.substr(dash + 1);
  std::string problem;
  if (!is_number(first_text) || !is_number(last_text)) {
    problem = fmt::format("{}: a range is FIRST-LAST, {}", in_quotes(word.text), kAutoExample);
  }
  TableId first;
  TableId last;
  for (const auto& [text, id] : {std::pair{first_text, &first}, std::pair{last_text, &last}}) {
    if (!problem.empty()) break;
    if (auto number = table_number_word(text, std::nullopt)) {
      *id = *number;
    } else {
      problem = std::move(number.error().message);
    }
  }
  const auto because = [&](std::string_view reason) {
    problem = fmt::format("{}: {}", in_quotes(word.text), reason);
  };
  if (problem.empty() && last < first) {
    because("ends before it begins; the lower number comes first");
  } else if (problem.empty() && last.value - first.value >= kMaxAutoTables) {
    because(fmt::format("{} tables; each costs time for every packet, so at most {} are allowed",
                        last.value - first.value + 1, kMaxAutoTables));
  } else if (problem.empty() && first.value <= kLastOfKernel && last.value >= kFirstOfKernel) {
    because("253 to 255 are the kernel's default, main and local tables; leave them out");
  }
  if (problem.empty()) return AutoTables{.first = first, .last = last, .where = where(word)};
  error(word, std::move(problem));
  return std::nullopt;
}

// --- what has to wait for the last line ----------------------------------------------------------

void ConfigParser::settle_tables() {
  if (diagnostics_.full()) return;
  check_auto_tables();
  if (early_names_.empty()) return;
  const std::vector<TableId> numbers = early_numbers();
  const auto settle = [&](Domain& domain) {
    if (domain.kind == Domain::Kind::table && domain.table.value >= kFirstEarly) {
      domain.table = numbers[domain.table.value - kFirstEarly];
    }
  };
  Config& config = result_.config;
  for (JoinRule& rule : config.joins) settle(rule.domain);
  for (InterfaceRule& rule : config.interfaces) settle(rule.domain);
  // Paths that differ by how they name their table may be the same.
  PathPool paths;
  std::vector<PathId> settled;
  for (std::uint32_t id = 0; id < config.paths.size(); ++id) {
    Path path = config.paths[PathId(id)];
    settle(path.domain);
    settled.push_back(paths.intern(std::move(path)));
  }
  config.paths = std::move(paths);
  for (RouteRule& rule : config.routes) rule.path = settled[rule.path.value];
}

/// The numbers of the names used before they were declared.
std::vector<TableId> ConfigParser::early_numbers() {
  std::vector<TableId> numbers;
  for (const EarlyName& name : early_names_) {
    const auto named = table_names_.find(name.text);
    numbers.push_back(named == table_names_.end() ? TableId() : named->second);
    if (named != table_names_.end()) continue;
    diagnostics_.error(result_.config.files[name.file], name.at.line, name.at.column,
                       no_such_table(name.text, result_.config.tables));
  }
  return numbers;
}

void ConfigParser::check_auto_tables() {
  const auto& range = result_.config.auto_tables;
  if (!range) return;
  const auto within = [&](const std::map<TableId, Location>& tables) {
    const auto found = tables.lower_bound(range->first);
    return found != tables.end() && found->first <= range->last ? &*found : nullptr;
  };
  const auto* other = within(declared_);
  if (other == nullptr) other = within(written_);
  if (other == nullptr) return;
  diagnostics_.error(
      result_.config.files[range->where.file], auto_range_.line, auto_range_.column,
      fmt::format("\"{}-{}\": holds table {} of {}; choose a range that holds no other table",
                  range->first.value, range->last.value, other->first.value, place(other->second)));
}

}  // namespace mcast
