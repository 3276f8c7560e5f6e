// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/options.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace mcast::testing {
namespace {

constexpr std::string_view kUsage = R"(usage: bsd_tests [OPTION]...

Runs multicast routing cases against this system's kernel, each in a process of
its own, and ends in the line "N passed, N failed, N skipped". Needs root, VNET
jails (options VIMAGE) and the modules ip_mroute, ip6_mroute and if_epair; no
other program.

  --list             print the names of the cases and end
  -tc=NAME[,NAME]    only cases with this name; * stands for anything, a comma
                     of a name is written as \,
  -tce=NAME[,NAME]   all but these
  -ts=NAME, -tse=NAME, -sf=FILE, -sfe=FILE
                     the same by test suite and by source file
  -s                 print the checks that hold too
  --jail             run each case in a VNET jail of its own
  --allow-panics     run the suite "panic-class" too: known to bring kernels down
  --timeout SECONDS  for each case (120)
  --poweroff         power the machine off when done

As process 1 it takes its options from the kernel environment variable
mcastd.tests and powers the machine off when done.
)";

/// doctest's options that are of use with one process for each case.
bool is_for_doctest(std::string_view argument) {
  constexpr std::array prefixes{"tc=", "tce=", "ts=", "tse=", "sf=", "sfe="};
  if (argument == "-s" || argument == "--success") return true;
  for (const std::string_view prefix : prefixes) {
    if (argument.starts_with("-" + std::string(prefix))) return true;
    if (argument.starts_with("--" + std::string(prefix))) return true;
  }
  return false;
}

std::optional<std::chrono::seconds> parse_seconds(std::string_view text) {
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds == 0) return {};
  return std::chrono::seconds(seconds);
}

}  // namespace

std::string usage() {
  return std::string(kUsage);
}

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      options.help = true;
    } else if (argument == "--list") {
      options.list = true;
    } else if (argument == "--allow-panics") {
      options.allow_panics = true;
    } else if (argument == "--jail") {
      options.jail = true;
    } else if (argument == "--poweroff") {
      options.poweroff = true;
    } else if (argument == "--timeout") {
      const auto patience = i + 1 < arguments.size() ? parse_seconds(arguments[++i]) : std::nullopt;
      if (!patience) return fail(ErrorCode::usage, "--timeout needs a number of seconds");
      options.patience = *patience;
    } else if (is_for_doctest(argument)) {
      options.doctest.push_back(argument);
    } else {
      return fail(ErrorCode::usage, fmt::format("\"{}\": no such option; see --help", argument));
    }
  }
  return options;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!quoted && (c == ' ' || c == '\t' || c == '\n')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == '\\' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else {
      words.back() += c;
    }
  }
  return words;
}

}  // namespace mcast::testing
