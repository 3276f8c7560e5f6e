// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "cli/identity.hpp"
#include "core/config.hpp"
#include "core/config_words.hpp"

namespace mcast::cli {

namespace {

using Words = std::vector<std::string>;

template <class Value>
struct Keyword {
  std::string_view word;
  std::string_view name;  ///< what the word is short for
  Value value;
};

struct CommandKind {
  Action action = Action::show;
  ipc::Verb verb = ipc::Verb::add;
};

constexpr std::array<Keyword<CommandKind>, 12> kCommands{{
    {"add", "add", {Action::change, ipc::Verb::add}},
    {"del", "remove", {Action::change, ipc::Verb::remove}},
    {"flush", "flush", {Action::flush, {}}},
    {"help", "help", {Action::help, {}}},
    {"join", "join", {Action::change, ipc::Verb::join}},
    {"kill", "kill", {Action::kill, {}}},
    {"leave", "leave", {Action::change, ipc::Verb::leave}},
    {"reload", "reload", {Action::reload, {}}},
    {"remove", "remove", {Action::change, ipc::Verb::remove}},
    {"restart", "reload", {Action::reload, {}}},
    {"show", "show", {Action::show, {}}},
    {"version", "version", {Action::version, {}}},
}};

constexpr std::array<Keyword<List>, 4> kLists{{
    {"groups", "groups", List::groups},
    {"interfaces", "interfaces", List::interfaces},
    {"pending", "pending", List::pending},
    {"routes", "routes", List::routes},
}};

using DomainKind = ipc::DomainWords::Kind;
constexpr std::array<Keyword<DomainKind>, 2> kDomains{{
    {"table", "table", DomainKind::table},
    {"vrf", "vrf", DomainKind::vrf},
}};

/// What may follow `show`.
struct Subject {
  std::optional<List> list;  ///< none: the words say of which table
};
constexpr std::array<Keyword<Subject>, kLists.size() + kDomains.size()> kSubjects = [] {
  std::array<Keyword<Subject>, kLists.size() + kDomains.size()> subjects{};
  std::size_t used = 0;
  for (const auto& list : kLists) subjects[used++] = {list.word, list.name, {list.value}};
  for (const auto& domain : kDomains) subjects[used++] = {domain.word, domain.name, {}};
  return subjects;
}();

/// The keyword that `word` is or abbreviates.
template <class Value>
Result<Keyword<Value>> look_up(std::string_view kind, std::string_view word,
                               std::span<const Keyword<Value>> keywords) {
  std::vector<Keyword<Value>> candidates;
  for (const auto& keyword : keywords) {
    if (keyword.word == word) return keyword;
    if (!word.empty() && keyword.word.starts_with(word)) candidates.push_back(keyword);
  }
  const auto other = [&](const auto& keyword) { return keyword.name != candidates.front().name; };
  if (candidates.empty()) {
    std::vector<std::string_view> words;
    for (const auto& keyword : keywords) words.push_back(keyword.word);
    const auto close = closest_match(word, words);
    return fail(ErrorCode::usage,
                fmt::format("\"{}\": no such {}; {}", word, kind,
                            close ? fmt::format("did you mean \"{}\"?", *close)
                                  : fmt::format("it is one of {}", fmt::join(words, ", "))));
  }
  if (std::ranges::any_of(candidates, other)) {
    std::vector<std::string_view> words;
    for (const auto& keyword : candidates) words.push_back(keyword.word);
    return fail(ErrorCode::usage,
                fmt::format("\"{}\" is ambiguous: it may mean {}", word, fmt::join(words, " or ")));
  }
  return candidates.front();
}

/// The words after [table T|vrf V] of add, remove, join or leave: IIF [SOURCE] GROUP [OIF...].
Result<void> check_count(std::string_view name, ipc::Verb verb, std::size_t count) {
  const bool joins = verb == ipc::Verb::join || verb == ipc::Verb::leave;
  const std::size_t most = joins ? 3 : std::numeric_limits<std::size_t>::max();
  if (count < 2) {
    return fail(ErrorCode::usage,
                fmt::format("{}: an inbound interface and a group are needed; see \"help {}\"",
                            name, name));
  }
  if (count > most) {
    return fail(
        ErrorCode::usage,
        fmt::format("{}: an interface, a source and a group are all it takes; see \"help {}\"",
                    name, name));
  }
  return {};
}

Result<ipc::Command> parse_change(const Keyword<CommandKind>& command, Words words) {
  const std::size_t count = words.size() - (chooses_table(words) ? 2 : 0);
  TRY(check_count(command.name, command.value.verb, count));
  return ipc::Command{command.value.verb, std::move(words)};
}

/// Takes options out of the arguments and leaves the other words.
class OptionParser {
 public:
  OptionParser(std::string_view program, const Words& arguments) : arguments_(arguments) {
    invocation_.socket = default_socket(default_identity(program));
  }

  Result<void> parse() {
    while (next_ < arguments_.size()) {
      const std::string& argument = arguments_[next_++];
      if (argument == "--") break;
      if (argument.size() > 1 && argument.front() == '-') {
        TRY(parse_cluster(argument));
      } else {
        words_.push_back(argument);
      }
    }
    for (; next_ < arguments_.size(); ++next_) words_.push_back(arguments_[next_]);
    return {};
  }

  [[nodiscard]] Invocation& invocation() { return invocation_; }
  [[nodiscard]] Words& words() { return words_; }
  /// What -b, -h or -v ask for instead of a command.
  [[nodiscard]] std::optional<Action> action() const { return action_; }

 private:
  Result<void> parse_cluster(std::string_view cluster) {
    for (std::size_t i = 1; i < cluster.size(); ++i) {
      switch (cluster[i]) {
        case 'b':
          action_ = Action::batch;
          break;
        case 'd':
          invocation_.detail = true;
          break;
        case 'h':
          action_ = Action::help;
          break;
        case 'j':
          invocation_.json = true;
          break;
        case 'p':
          invocation_.plain = true;
          break;
        case 't':
          invocation_.headings = false;
          break;
        case 'v':
          action_ = Action::version;
          break;
        case 'i':
        case 'I': {
          const std::string identity = TRY(value(cluster, i));
          TRY(check_identity(identity));
          if (!explicit_socket_) invocation_.socket = default_socket(identity);
          return {};
        }
        case 'u':
          invocation_.socket = TRY(value(cluster, i));
          explicit_socket_ = true;
          return {};
        default:
          return fail(ErrorCode::usage,
                      fmt::format("-{}: no such option; -h lists them", cluster[i]));
      }
    }
    return {};
  }

  /// The rest of the cluster, or the next argument.
  Result<std::string> value(std::string_view cluster, std::size_t at) {
    if (at + 1 < cluster.size()) return std::string(cluster.substr(at + 1));
    if (next_ < arguments_.size()) return arguments_[next_++];
    return fail(ErrorCode::usage, fmt::format("-{}: a value is missing", cluster[at]));
  }

  const Words& arguments_;
  std::size_t next_ = 0;
  Words words_;
  Invocation invocation_;
  std::optional<Action> action_;
  bool explicit_socket_ = false;
};

Result<void> no_more_words(std::string_view command, const Words& words) {
  if (words.empty()) return {};
  return fail(ErrorCode::usage, fmt::format("{}: \"{}\" is one word too many; see \"help {}\"",
                                            command, words.front(), command));
}

/// Takes [table T|vrf V] from the words of show or flush.
Result<ipc::Selection> parse_selection(std::string_view command, Words& words) {
  if (words.empty()) return std::nullopt;
  const auto is_meant = [&](const auto& domain) {
    return (!words[0].empty() && domain.word.starts_with(words[0])) ||
           closest_match(words[0], {domain.word});
  };
  if (std::ranges::none_of(kDomains, is_meant)) return std::nullopt;
  const auto domain = TRY(look_up<DomainKind>("word", words[0], std::span(kDomains)));
  if (words.size() < 2) {
    return fail(ErrorCode::usage,
                fmt::format("{}: after \"{}\" the {} is missing; see \"help {}\"", command,
                            domain.word,
                            domain.value == DomainKind::table ? "number or name of a routing table"
                                                              : "name of a VRF",
                            command));
  }
  ipc::DomainWords selection{domain.value, std::move(words[1])};
  words.erase(words.begin(), words.begin() + 2);
  return selection;
}

/// SMCRoute takes these for reload, though remove and restart begin so as well. With words after
/// them somebody meant remove.
bool is_old_reload(std::string_view program, const Words& words) {
  return has_old_name(program) && words.size() == 1 &&
         (words.front() == "r" || words.front() == "re");
}

Result<void> parse_command(std::string_view program, Invocation& invocation, Words words) {
  if (words.empty()) return {};
  if (is_old_reload(program, words)) words.front() = "reload";
  const auto command = TRY(look_up<CommandKind>("command", words.front(), std::span(kCommands)));
  words.erase(words.begin());
  invocation.action = command.value.action;
  switch (command.value.action) {
    case Action::change:
      invocation.change = TRY(parse_change(command, std::move(words)));
      return {};
    case Action::show:
      if (!words.empty()) {
        const auto subject = TRY(look_up<Subject>("list", words.front(), std::span(kSubjects)));
        if (subject.value.list) {
          invocation.list = *subject.value.list;
          words.erase(words.begin());
        }
      }
      [[fallthrough]];
    case Action::flush:
      invocation.only = TRY(parse_selection(command.name, words));
      break;
    case Action::help:
      if (!words.empty()) {
        invocation.topic =
            TRY(look_up<CommandKind>("command", words.front(), std::span(kCommands))).name;
        words.erase(words.begin());
      }
      break;
    default:
      break;
  }
  return no_more_words(command.name, words);
}

Words split(std::string_view line) {
  Words words;
  constexpr std::string_view kBlanks = " \t\r\v\f";
  for (std::size_t begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    words.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

Result<ipc::Command> parse_batch_command(Words words) {
  const auto command = TRY(look_up<CommandKind>("command", words.front(), std::span(kCommands)));
  if (command.value.action != Action::change) {
    return fail(ErrorCode::usage,
                fmt::format("{}: a batch takes add, remove, join and leave only", command.name));
  }
  words.erase(words.begin());
  return parse_change(command, std::move(words));
}

}  // namespace

Result<Invocation> parse_arguments(std::string_view program, const Words& arguments) {
  OptionParser options(program, arguments);
  TRY(options.parse());
  Invocation invocation = std::move(options.invocation());
  if (!options.action()) {
    TRY(parse_command(program, invocation, std::move(options.words())));
    return invocation;
  }
  invocation.action = *options.action();
  if (invocation.action == Action::batch && !options.words().empty()) {
    return fail(ErrorCode::usage,
                fmt::format("-b reads commands from standard input; \"{}\" does not belong there",
                            options.words().front()));
  }
  return invocation;
}

Result<Batch> parse_batch(std::istream& input) {
  Batch batch;
  std::string line;
  for (std::size_t number = 1; std::getline(input, line); ++number) {
    Words words = split(std::string_view(line).substr(0, line.find('#')));
    if (words.empty()) continue;
    auto command = parse_batch_command(std::move(words));
    if (!command) {
      return fail(command.error().code,
                  fmt::format("line {}: {}", number, command.error().message));
    }
    batch.commands.push_back(std::move(*command));
    batch.lines.push_back(number);
  }
  if (input.bad()) return fail(ErrorCode::os, "standard input cannot be read");
  return batch;
}

}  // namespace mcast::cli
