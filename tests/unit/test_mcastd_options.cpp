// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/identity.hpp"
#include "cli/mcastd_options.hpp"

using namespace mcast;
using namespace mcast::cli;
using std::chrono::seconds;

namespace {

using Words = std::vector<std::string>;

DaemonOptions parse(Words words, const std::string& program = "/usr/sbin/mcastd") {
  words.insert(words.begin(), program);
  const auto options = parse_daemon_options(words);
  INFO((options ? std::string() : options.error().message));
  REQUIRE(options);
  return *options;
}

std::string refusal(Words words) {
  words.insert(words.begin(), "mcastd");
  const auto options = parse_daemon_options(words);
  REQUIRE_FALSE(options);
  CHECK(exit_code(options.error().code) == 64);
  CHECK_FALSE(options.error().message.contains('\n'));
  return options.error().message;
}

/// Every option of COMPAT.md with a value it takes; "" for those without.
struct Known {
  char letter;
  std::string value;
};
const Known kKnown[] = {{'c', "0"},
                        {'d', "5"},
                        {'e', "/bin/true"},
                        {'f', "/a.conf"},
                        {'F', "/b"},
                        {'h', ""},
                        {'i', "name"},
                        {'I', "name"},
                        {'l', "info"},
                        {'m', "4"},
                        {'n', ""},
                        {'N', ""},
                        {'p', "nobody:nogroup"},
                        {'P', "/a.pid"},
                        {'s', ""},
                        {'t', "77"},
                        {'u', "/a.sock"},
                        {'v', ""}};

}  // namespace

TEST_CASE("without options the files are those of the name it was started as") {
  const DaemonOptions ours = parse({});
  CHECK(ours.program == "mcastd");
  CHECK(ours.identity == "mcastd");
  CHECK(ours.config_file == MCASTD_CONFIG_DIRECTORY "/mcastd.conf");
  CHECK(ours.socket_path == MCASTD_RUN_DIRECTORY "/mcastd.sock");
  CHECK(ours.pid_file == MCASTD_RUN_DIRECTORY "/mcastd.pid");

  const DaemonOptions old = parse({}, "smcrouted");
  CHECK(old.program == "smcrouted");
  CHECK(old.identity == "smcroute");
  CHECK(old.config_file == MCASTD_CONFIG_DIRECTORY "/smcroute.conf");
  CHECK(old.socket_path == MCASTD_RUN_DIRECTORY "/smcroute.sock");
  CHECK(old.pid_file == MCASTD_RUN_DIRECTORY "/smcroute.pid");
}

TEST_CASE("defaults are SMCRoute's") {
  const DaemonOptions options = parse({});
  CHECK(options.action == DaemonOptions::Action::run);
  CHECK_FALSE(options.config_file_given);
  CHECK_FALSE(options.foreground);
  CHECK_FALSE(options.syslog);
  CHECK(options.log_level == LogLevel::notice);
  CHECK(options.startup_delay == seconds(0));
  CHECK(options.idle_timeout == seconds(60));
  CHECK(options.mrdisc_interval == seconds(20));
  CHECK(options.hook.empty());
  CHECK(options.user.empty());
  CHECK_FALSE(options.table);
}

TEST_CASE("an identity names all files, and what is given by itself wins, in any order") {
  for (const char* option : {"-i", "-I"}) {
    const DaemonOptions options = parse({"-u", "/s", option, "lab"}, "smcrouted");
    CHECK(options.identity == "lab");
    CHECK(options.config_file == MCASTD_CONFIG_DIRECTORY "/lab.conf");
    CHECK(options.pid_file == MCASTD_RUN_DIRECTORY "/lab.pid");
    CHECK(options.socket_path == "/s");
    CHECK(options.program == "smcrouted");
  }
}

TEST_CASE("every option sets what it is about") {
  CHECK(parse({"-c", "0"}).idle_timeout == seconds(0));
  CHECK(parse({"-d", "7"}).startup_delay == seconds(7));
  CHECK(parse({"-e", "hook"}).hook == "hook");
  const DaemonOptions file = parse({"-f", "/x.conf"});
  CHECK(file.config_file == "/x.conf");
  CHECK(file.config_file_given);
  const DaemonOptions check = parse({"-F", "/x.conf"});
  CHECK(check.config_file == "/x.conf");
  CHECK(check.action == DaemonOptions::Action::check);
  CHECK(parse({"-m", "180"}).mrdisc_interval == seconds(180));
  CHECK(parse({"-n"}).foreground);
  CHECK(parse({"-p", "nobody:users"}).user == "nobody:users");
  CHECK(parse({"-P", "/x.pid"}).pid_file == "/x.pid");
  CHECK(parse({"-s"}).syslog);
  CHECK(parse({"-t", "100"}).table == TableId{100});
  CHECK(parse({"-t", "0"}).table == std::nullopt);
  for (const char* help : {"-h", "--help"}) {
    CHECK(parse({help}).action == DaemonOptions::Action::help);
  }
  for (const char* version : {"-v", "--version"}) {
    CHECK(parse({version}).action == DaemonOptions::Action::version);
  }
}

TEST_CASE("log levels") {
  CHECK(parse({"-l", "none"}).log_level == LogLevel::none);
  CHECK(parse({"-l", "err"}).log_level == LogLevel::error);
  CHECK(parse({"-l", "error"}).log_level == LogLevel::error);
  CHECK(parse({"-l", "notice"}).log_level == LogLevel::notice);
  CHECK(parse({"-l", "warning"}).log_level == LogLevel::notice);
  CHECK(parse({"-l", "info"}).log_level == LogLevel::info);
  CHECK(parse({"-l", "debug"}).log_level == LogLevel::debug);
}

TEST_CASE("letters combine, and a value may be attached to its letter") {
  const DaemonOptions options = parse({"-nN", "-sc30", "-f/x.conf", "-nlinfo", "-t", "5"});
  CHECK(options.foreground);
  CHECK(options.syslog);
  CHECK(options.idle_timeout == seconds(30));
  CHECK(options.config_file == "/x.conf");
  CHECK(options.log_level == LogLevel::info);
  CHECK(options.table == TableId{5});
  for (const auto& [letter, value] : kKnown) {
    if (value.empty()) continue;
    CAPTURE(letter);
    parse({fmt::format("-{}{}", letter, value)});
    parse({fmt::format("-N{}", letter), value});
  }
}

TEST_CASE("a value is taken as it stands, even with a hyphen") {
  CHECK(parse({"-f", "-odd", "-n"}).config_file == "-odd");
}

TEST_CASE("-N changes nothing") {
  const DaemonOptions with = parse({"-N"});
  const DaemonOptions without = parse({});
  CHECK(daemon_usage(with) == daemon_usage(without));
  CHECK(with.foreground == without.foreground);
}

TEST_CASE("a daemon that detaches has absolute paths, for it leaves its directory") {
  const auto here = std::filesystem::current_path();
  const DaemonOptions options =
      parse({"-f", "a.conf", "-P", "a.pid", "-u", "./a.sock", "-e", "./hook"});
  CHECK(options.config_file == here / "a.conf");
  CHECK(options.pid_file == here / "a.pid");
  CHECK(std::filesystem::path(options.socket_path) == here / "./a.sock");
  CHECK(std::filesystem::path(options.hook) == here / "./hook");
  CHECK(parse({"-e", "hook"}).hook == "hook");
  CHECK(parse({"-n", "-f", "a.conf"}).config_file == "a.conf");
}

TEST_CASE("mistakes name the word and what would be right") {
  struct Mistake {
    Words words;
    std::string names;
    std::string remedy;
  };
  for (const Mistake& mistake : std::vector<Mistake>{
           {{"-Q"}, "-Q", "-h"},
           {{"-nQ"}, "-Q", "-h"},
           {{"--foreground"}, "--foreground", "-h"},
           {{"file"}, "\"file\"", "-h"},
           {{"-n", "--"}, "\"--\"", "-h"},
           {{"-"}, "\"-\"", "-h"},
           {{""}, "\"\"", "-h"},
           {{"-c", "often"}, "-c \"often\"", "0 to 43200"},
           {{"-c", "-1"}, "-c \"-1\"", "0 to 43200"},
           {{"-c", "43201"}, "-c \"43201\"", "0 to 43200"},
           {{"-c", "99999999999"}, "-c \"99999999999\"", "0 to 43200"},
           {{"-d", "1s"}, "-d \"1s\"", "0 to 43200"},
           {{"-m", "3"}, "-m \"3\"", "4 to 180"},
           {{"-m", "181"}, "-m \"181\"", "4 to 180"},
           {{"-t", "4294967295"}, "-t \"4294967295\"", "0 to 4294967294"},
           {{"-l", "loud"}, "-l \"loud\"", "none, err, notice, info, debug"},
           {{"-i", "a/b"}, "-i \"a/b\"", "slash"},
           {{"-i", ".."}, "-i \"..\"", "dot"},
       }) {
    const std::string text = refusal(mistake.words);
    CAPTURE(text);
    CHECK(text.contains(mistake.names));
    CHECK(text.contains(mistake.remedy));
  }
}

TEST_CASE("an option that needs a value says so when it is missing or empty") {
  for (const auto& [letter, value] : kKnown) {
    if (value.empty()) continue;
    const std::string option = fmt::format("-{}", letter);
    CAPTURE(option);
    CHECK(refusal({option}).starts_with(option + ": needs a value"));
    CHECK(refusal({option, ""}).starts_with(option + ": needs a value"));
  }
}

TEST_CASE("a mistake counts even after -h") {
  CHECK(refusal({"-h", "-Q"}).contains("-Q"));
}

TEST_CASE("the summary shows every option, and nothing that is none") {
  const std::string usage = daemon_usage(parse({"-i", "lab"}));
  std::string known;
  for (const auto& [letter, value] : kKnown) {
    CAPTURE(letter);
    known += letter;
    const char* before = letter == 'I' ? "also " : "\n  ";
    CHECK(usage.contains(fmt::format("{}-{} ", before, letter)));
  }
  for (char letter = 'A'; letter <= 'z'; ++letter) {
    if (known.contains(letter)) continue;
    CAPTURE(letter);
    CHECK_FALSE(usage.contains(fmt::format("\n  -{} ", letter)));
  }
  for (const char* file : {MCASTD_CONFIG_DIRECTORY "/lab.conf", MCASTD_RUN_DIRECTORY "/lab.pid",
                           MCASTD_RUN_DIRECTORY "/lab.sock"}) {
    CHECK(usage.contains(file));
  }
}

TEST_CASE("an identity never leaves its directory") {
  for (const char* good : {"mcastd", "a", "lab-2", "vrf.red"}) CHECK(check_identity(good));
  for (const char* bad : {"", ".", "..", ".hidden", "a/b", "/"}) CHECK_FALSE(check_identity(bad));
}

TEST_CASE("the program's name is the last part of how it was called") {
  CHECK(program_name("/usr/sbin/smcrouted") == "smcrouted");
  CHECK(program_name("./mcastd") == "mcastd");
  CHECK(program_name("") == "mcastd");
  CHECK(program_name("/") == "mcastd");
}
