// SPDX-License-Identifier: BSD-2-Clause
//
// The part of the parser that deals with what a route leaves out and with its options.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "core/config_parser.hpp"
#include "core/config_words.hpp"
#include "core/exceptions.hpp"

namespace mcast {

// --- except --------------------------------------------------------------------------------------

namespace {

/// The parts of a list between its commas; empty where one is missing.
std::vector<Word> split_list(std::span<const Word> words) {
  std::vector<Word> items;
  bool wanted = true;
  for (const Word& word : words) {
    for (std::size_t begin = 0; begin <= word.text.size();) {
      const std::size_t end = std::min(word.text.find(',', begin), word.text.size());
      const Word item{word.text.substr(begin, end - begin), word.line,
                      word.column + static_cast<std::uint32_t>(begin)};
      const bool comma_before = begin != 0;
      if (comma_before && std::exchange(wanted, true))
        items.push_back({{}, item.line, item.column - 1});
      if (!item.text.empty()) {
        items.push_back(item);
        wanted = false;
      }
      begin = end + 1;
    }
  }
  if (wanted) items.push_back({{}, words.back().line, words.back().column});
  return items;
}

}  // namespace

std::optional<ConfigParser::Exceptions> ConfigParser::read_exceptions(const Clauses& clauses,
                                                                      const Flow& flow) {
  Exceptions exceptions;
  if (clauses.except == nullptr && clauses.scope == nullptr) return exceptions;
  const Word& keyword = clauses.except != nullptr ? *clauses.except : *clauses.scope;
  if (clauses.oifs.empty()) {
    error(keyword,
          fmt::format("\"{}\": what it leaves out is blocked, and this route blocks all; write "
                      "outbound interfaces after \"to\", or a route without \"to\" for each "
                      "source or range to block",
                      keyword.text));
    return std::nullopt;
  }
  if (clauses.except != nullptr && !read_excepted(clauses, flow, exceptions.sources)) {
    return std::nullopt;
  }
  if (clauses.scope != nullptr && !read_scope_filter(clauses, flow, exceptions.groups)) {
    return std::nullopt;
  }
  exceptions_ += exceptions.sources.size() + exceptions.groups.size();
  if (exceptions_ > kMaxExceptionRules) {
    error(keyword, fmt::format("\"{}\": all exceptions together stand for more than {} stop "
                               "filters; use shorter prefixes",
                               keyword.text, kMaxExceptionRules));
    return std::nullopt;
  }
  return exceptions;
}

bool ConfigParser::read_excepted(const Clauses& clauses, const Flow& flow,
                                 std::vector<Prefix>& sources) {
  const std::vector<Word> items = split_list(clauses.excepted);
  if (items.size() > kMaxExceptions) {
    error(*clauses.except, fmt::format("\"except\" lists {} sources, at most {} are allowed; use "
                                       "shorter prefixes",
                                       items.size(), kMaxExceptions));
    return false;
  }
  const Prefix whole = flow.source_prefix();
  bool good = true;
  for (const Word& item : items) {
    if (const auto prefix = read_excepted_source(item, whole, flow.group)) {
      sources.push_back(*prefix);
    } else {
      good = false;
    }
  }
  if (!good) return false;
  if (cover(whole, sources)) {
    error(*clauses.except, "the exceptions leave no source that the route applies to; remove the "
                           "route, or remove its \"to\" to block the group");
    return false;
  }
  drop_repeated(items, sources);
  return true;
}

std::optional<Prefix> ConfigParser::read_excepted_source(const Word& item, const Prefix& source,
                                                         const Prefix& group) {
  std::string problem;
  if (item.text.empty()) {
    problem = "\"except\": an address is missing beside a comma";
  } else if (const auto prefix = address_word(item.text); !prefix) {
    problem = prefix.error().message;
  } else {
    problem = source_problem(item.text, *prefix, group);
    if (problem.empty() && !means_any_source(*prefix) && !source.contains(*prefix)) {
      problem = fmt::format("{}: not within the source {} of the route, so there is nothing to "
                            "except",
                            in_quotes(item.text), source.to_string());
    }
    if (problem.empty()) return means_any_source(*prefix) ? source : *prefix;
  }
  error(item, std::move(problem));
  return std::nullopt;
}

/// Warns of sources that others of the list hold, and takes them out.
void ConfigParser::drop_repeated(const std::vector<Word>& items, std::vector<Prefix>& sources) {
  // In this order what holds a prefix comes right before all that it holds.
  std::vector<std::pair<Prefix, std::size_t>> sorted;
  for (std::size_t i = 0; i < sources.size(); ++i) sorted.emplace_back(sources[i], i);
  std::ranges::sort(sorted);
  std::vector<bool> repeated(sources.size());
  const std::pair<Prefix, std::size_t>* holder = nullptr;
  for (const auto& entry : sorted) {
    if (holder == nullptr || !holder->first.contains(entry.first)) {
      holder = &entry;
      continue;
    }
    const auto& [prefix, number] = entry;
    repeated[number] = true;
    warning(items[number],
            holder->first == prefix
                ? fmt::format("{}: excepted twice", in_quotes(items[number].text))
                : fmt::format("{}: excepted already by {}", in_quotes(items[number].text),
                              holder->first.to_string()));
  }
  std::size_t next = 0;
  std::erase_if(sources, [&](const Prefix&) { return repeated[next++]; });
}

// --- scope ---------------------------------------------------------------------------------------

bool ConfigParser::read_scope_filter(const Clauses& clauses, const Flow& flow,
                                     std::vector<Prefix>& groups) {
  const Word* const comparison = clauses.scope + 1;
  const Word* const scope = clauses.scope + 2;
  const auto range = parse_scope(comparison->text, scope->text);
  if (!range) {
    const bool at_comparison = range.error().code == ErrorCode::usage;
    error(at_comparison ? *comparison : *scope, range.error().message);
    return false;
  }
  const std::string group = flow.group.to_string();
  if (flow.group.family() == Family::ipv4) {
    error(*clauses.scope,
          fmt::format("\"scope\": only IPv6 groups have one, {} is IPv4; write the range of groups "
                      "after \"group\"",
                      group));
    return false;
  }
  groups = groups_outside(*range, flow.group);
  if (groups.empty()) {
    warning(*clauses.scope, fmt::format("\"scope {} {}\" leaves out nothing of {}",
                                        comparison->text, scope->text, group));
  } else if (groups.front() == flow.group) {
    error(*clauses.scope, fmt::format("\"scope {} {}\" leaves out all of {}; the fourth digit of "
                                      "a group is its scope",
                                      comparison->text, scope->text, group));
    return false;
  } else if (range->last <= 2) {
    warning(*scope,
            fmt::format("{}: no kernel forwards groups of this scope", in_quotes(scope->text)));
  }
  return true;
}

// --- join, native, learned -----------------------------------------------------------------------

bool ConfigParser::check_options(const Clauses& clauses, const Flow& flow,
                                 const Exceptions& exceptions) {
  if (clauses.native != nullptr && clauses.learned != nullptr) {
    error(*std::max(clauses.native, clauses.learned),
          "native and learned contradict each other; keep one of them");
    return false;
  }
  if (clauses.native != nullptr && !check_native(*clauses.native, flow, exceptions)) return false;
  if (clauses.learned != nullptr && flow.source && flow.source->is_host() && flow.group.is_host()) {
    warning(*clauses.learned, "\"learned\" has no effect: one source and one group is installed "
                              "without waiting for a packet");
  }
  if (clauses.join != nullptr && clauses.oifs.empty()) {
    warning(*clauses.join, "\"join\": asks for what the route then blocks");
  }
  return true;
}

/// The kernel's own entries for any source know one group only, and it does not ask about a source
/// that such an entry lets through (mr_mfc_find_any in net/ipv4/ipmr_base.c).
bool ConfigParser::check_native(const Word& native, const Flow& flow,
                                const Exceptions& exceptions) {
  std::string reason;
  const auto range = std::ranges::find_if(exceptions.sources,
                                          [](const Prefix& source) { return !source.is_host(); });
  if (flow.source) {
    reason =
        fmt::format("only for routes of any source; this one is for {}", flow.source->to_string());
  } else if (!flow.group.is_host()) {
    reason = fmt::format("only for a single group, the kernel has no entries for ranges as {}",
                         flow.group.to_string());
  } else if (range != exceptions.sources.end()) {
    reason = fmt::format("the kernel can except single sources only, not {}", range->to_string());
  } else {
    return true;
  }
  error(native, fmt::format("\"native\": {}; remove the word", reason));
  return false;
}

void ConfigParser::add_route(const Clauses& clauses, const Flow& flow, PathId path, Location where,
                             const Exceptions& exceptions) {
  auto& routes = result_.config.routes;
  const Prefix source = flow.source_prefix();
  if (clauses.native != nullptr || clauses.learned != nullptr) {
    chosen_.push_back(static_cast<std::uint32_t>(routes.size()));
  }
  routes.push_back({.source = source,
                    .group = flow.group,
                    .native = clauses.native != nullptr,
                    .exception = false,
                    .path = path,
                    .where = where});
  if (exceptions.sources.empty() && exceptions.groups.empty()) return;
  const Path& forwarding = result_.config.paths[path];
  const PathId stop = result_.config.paths.intern({forwarding.iif, {}, forwarding.domain});
  const auto leave_out = [&](const Prefix& from, const Prefix& to) {
    routes.push_back({.source = from,
                      .group = to,
                      .native = false,
                      .exception = true,
                      .path = stop,
                      .where = where});
  };
  for (const Prefix& excepted : exceptions.sources) leave_out(excepted, flow.group);
  for (const Prefix& excepted : exceptions.groups) leave_out(source, excepted);
}

// --- any-source ----------------------------------------------------------------------------------

void ConfigParser::parse_any_source(std::span<const Word> words) {
  if (words.size() < 2) return error(words[0], "any-source needs native or learned after it");
  const Word& choice = words[1];
  if (choice.text != "native" && choice.text != "learned") {
    const auto match = closest_match(choice.text, {"native", "learned"});
    return error(choice, fmt::format("{}: {}", in_quotes(choice.text),
                                     match ? fmt::format("did you mean \"{}\"?", *match)
                                           : "any-source is native or learned"));
  }
  if (words.size() > 2) {
    return error(words[2], fmt::format("{}: nothing follows here", in_quotes(words[2].text)));
  }
  const AnySource now{choice.text == "native", where(words[0])};
  if (!any_source_) {
    any_source_ = now;
  } else if (any_source_->native == now.native) {
    warning(words[0],
            fmt::format("the same as {}; one of the lines can go", place(any_source_->where)));
  } else {
    error(choice,
          fmt::format("any-source is {} here, but {} at {}; keep one of them", choice.text,
                      any_source_->native ? "native" : "learned", place(any_source_->where)));
  }
}

/// Decides for the routes that do not say it themselves. Statements that add up their interfaces
/// are one route, so they share what one of them says.
void ConfigParser::settle_any_source() {
  Config& config = result_.config;
  config.native_by_default = any_source_ && any_source_->native;
  const bool some_native = std::ranges::any_of(
      chosen_, [&](std::uint32_t number) { return config.routes[number].native; });
  if (!config.native_by_default && !some_native) return;

  using Route = std::tuple<Address, InterfacePattern, Domain>;
  const auto route_of = [&](const RouteRule& rule) {
    const Path& path = config.paths[rule.path];
    return Route{rule.group.address(), path.iif, path.domain};
  };
  std::map<Route, const RouteRule*> said;
  std::set<Route> with_ranges;  // sources that the kernel would have to ask about
  for (const std::uint32_t number : chosen_) {
    const RouteRule& rule = config.routes[number];
    if (!rule.source.is_any() || !rule.group.is_host()) continue;
    const auto [first, is_new] = said.try_emplace(route_of(rule), &rule);
    if (is_new || first->second->native == rule.native) continue;
    diagnostics_.error(config.files[rule.where.file], rule.where.line, 0,
                       fmt::format("{} here, but {} at {}, which is a part of the same route; keep "
                                   "one of them",
                                   rule.native ? "native" : "learned",
                                   first->second->native ? "native" : "learned",
                                   place(first->second->where)));
  }
  for (const RouteRule& rule : config.routes) {
    if (rule.group.is_host() && !rule.source.is_any() && !rule.source.is_host()) {
      with_ranges.insert(route_of(rule));
    }
  }
  for (RouteRule& rule : config.routes) {
    if (!rule.source.is_any() || !rule.group.is_host() || rule.exception) continue;
    const Route route = route_of(rule);
    const auto choice = said.find(route);
    rule.native = choice != said.end() ? choice->second->native
                                       : config.native_by_default && !with_ranges.contains(route);
  }
}

}  // namespace mcast
