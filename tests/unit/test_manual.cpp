// SPDX-License-Identifier: BSD-2-Clause
//
// The manual pages, what -h prints and what is understood speak of the same options and commands.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/identity.hpp"
#include "cli/mcastctl_arguments.hpp"
#include "cli/mcastctl_frontend.hpp"
#include "cli/mcastctl_help.hpp"
#include "cli/mcastd_options.hpp"

using namespace mcast;
using namespace mcast::cli;

namespace {

using Letters = std::set<char>;

/// The lines of a page from one heading to the next.
std::vector<std::string> section(const std::string& page, const std::string& heading) {
  std::ifstream file(MCASTD_MANUAL "/" + page);
  REQUIRE(file);
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(".Sh ")) {
      inside = line == ".Sh " + heading;
    } else if (inside) {
      lines.push_back(line);
    }
  }
  REQUIRE_FALSE(lines.empty());
  return lines;
}

/// A page or another file as this build installs it.
std::string installed(const std::string& file) {
  std::ifstream stream(MCASTD_INSTALLED "/" + file);
  REQUIRE(stream);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The letters after "Fl" in lines that begin with one of `starts`.
Letters flags(const std::vector<std::string>& lines, const std::vector<std::string>& starts) {
  Letters letters;
  for (const auto& line : lines) {
    if (std::ranges::none_of(starts, [&](const auto& start) { return line.starts_with(start); }))
      continue;
    std::istringstream words(line.substr(1));
    std::string before;
    bool flag_before = false;
    for (std::string word; words >> word; before = word) {
      // "Fl a , b" are two.
      const bool flag = before == "Fl" || (flag_before && (before == "," || before == "|"));
      if (flag && word != "Fl" && word.front() != '-') letters.insert(word.begin(), word.end());
      flag_before = flag || (flag_before && (word == "," || word == "|"));
    }
  }
  return letters;
}

/// The letters of options that a help text explains: at the start of a line, or "also -X".
Letters explained(const std::string& help) {
  static const std::regex option("(^|\n)  -([A-Za-z])|also -([A-Za-z])");
  Letters letters;
  for (std::sregex_iterator it(help.begin(), help.end(), option), end; it != end; ++it) {
    letters.insert((*it)[2].matched ? (*it)[2].str().front() : (*it)[3].str().front());
  }
  return letters;
}

/// Those that a parser knows: `refusal` gives its message about an option.
template <class Refusal>
Letters understood(Refusal refusal) {
  Letters letters;
  for (char letter = 'A'; letter <= 'z'; ++letter) {
    const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (is_letter && refusal(letter).find("no such option") == std::string::npos)
      letters.insert(letter);
  }
  return letters;
}

template <class Parsed>
std::string message(const Parsed& parsed) {
  return parsed ? std::string() : parsed.error().message;
}

std::string text(const Letters& letters) {
  return {letters.begin(), letters.end()};
}

}  // namespace

TEST_CASE("mcastd(8) and mcastd -h explain the options that the daemon understands") {
  const Letters known = understood(
      [](char letter) { return message(parse_daemon_options({"mcastd", {'-', letter}, "1"})); });
  CHECK(known.size() == 18);
  const DaemonOptions options = parse_daemon_options({"mcastd"}).value();
  CHECK(text(explained(daemon_usage(options))) == text(known));
  CHECK(text(flags(section("mcastd.8", "DESCRIPTION"), {".It Fl"})) == text(known));
  std::ifstream file(MCASTD_MANUAL "/../completions/mcastctl");
  const std::string completion{std::istreambuf_iterator<char>(file), {}};
  for (const char letter : known)
    CHECK(completion.find(std::string(" -") + letter) != std::string::npos);
  Letters synopsis = flags(section("mcastd.8", "SYNOPSIS"), {".Op Fl", ".Fl"});
  synopsis.insert('I');  // another name of -i
  CHECK(text(synopsis) == text(known));
}

TEST_CASE("mcastctl(8) and mcastctl -h explain the options that the client understands") {
  const Letters known = understood(
      [](char letter) { return message(parse_arguments("mcastctl", {{'-', letter}, "show"})); });
  CHECK(known.size() == 10);
  CHECK(text(explained(help_text("mcastctl", ""))) == text(known));
  CHECK(text(flags(section("mcastctl.8", "DESCRIPTION"), {".It Fl"})) == text(known));
}

TEST_CASE("mcastctl(8) and smcroute -h explain the options of the old front end") {
  const Letters known = understood(
      [](char letter) { return message(parse_front_end({{'-', letter}, "a", "b", "c", "d"})); });
  CHECK(known.size() == 11);
  CHECK(text(explained(front_end_help("smcroute"))) == text(known));
  CHECK(text(flags(section("mcastctl.8", "THE OLD FRONT END"), {".It Fl"})) == text(known));
}

TEST_CASE("mcastctl(8), its help and its completion know the same commands") {
  static const std::regex item(R"(^\.It Cm ([a-z]+).*)");
  std::set<std::string> commands;
  for (const auto& line : section("mcastctl.8", "COMMANDS")) {
    std::smatch match;
    if (std::regex_match(line, match, item)) commands.insert(match[1]);
  }
  CHECK(commands.size() == 10);
  std::ifstream file(MCASTD_MANUAL "/../completions/mcastctl");
  const std::string completion{std::istreambuf_iterator<char>(file), {}};
  const std::string help = help_text("mcastctl", "");
  for (const auto& command : commands) {
    CAPTURE(command);
    CHECK(help.find("\n  " + command + " ") != std::string::npos);
    CHECK(parse_arguments("mcastctl", {"help", command}));
    CHECK(help_text("mcastctl", command).starts_with("Usage: mcastctl " + command));
    CHECK(completion.find(command) != std::string::npos);
  }
}

TEST_CASE("pages and completion name the files that the programs use") {
  const DaemonOptions options = parse_daemon_options({"mcastd"}).value();
  const DaemonOptions old = parse_daemon_options({"smcrouted"}).value();
  const std::string config(MCASTD_CONFIG_DIRECTORY);
  const std::string run(MCASTD_RUN_DIRECTORY);
  for (const auto& [page, file] : std::vector<std::pair<std::string, std::string>>{
           {"man/mcastd.8", options.config_file},
           {"man/mcastd.8", config + "/ Ns Ar name Ns Pa .conf"},
           {"man/mcastd.8", run + "/ Ns Ar name Ns Pa .sock"},
           {"man/mcastd.8", run + "/ Ns Ar name Ns Pa .pid"},
           {"man/mcastctl.8", run + "/ Ns Ar name Ns Pa .sock"},
           {"man/mcastctl.8", options.socket_path},
           {"man/mcastctl.8", old.socket_path},
           {"man/mcastctl.8", old.config_file},
           {"man/mcastd.conf.5", options.config_file},
           {"man/mcastd.conf.5", old.config_file},
           {"completions/mcastctl", run + "/*.sock"}}) {
    CAPTURE(page);
    CAPTURE(file);
    CHECK(installed(page).find(" " + file) != std::string::npos);
  }
  CHECK(front_end_help("smcroute").find(" " + old.config_file + "\n") != std::string::npos);
}
