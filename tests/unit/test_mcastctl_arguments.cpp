// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <sstream>

#include "cli/identity.hpp"
#include "cli/mcastctl_arguments.hpp"

using namespace mcast;
using namespace mcast::cli;

namespace {

Invocation parse(const std::vector<std::string>& arguments, std::string_view program = "mcastctl") {
  const auto parsed = parse_arguments(program, arguments);
  if (!parsed) FAIL(parsed.error().message);
  return *parsed;
}

std::string refusal(const std::vector<std::string>& arguments) {
  const auto parsed = parse_arguments("mcastctl", arguments);
  REQUIRE_FALSE(parsed);
  CHECK(exit_code(parsed.error().code) == 64);
  CHECK(parsed.error().message.find('\n') == std::string::npos);
  return parsed.error().message;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("without a command the routes are shown") {
  const auto nothing = parse({});
  CHECK(nothing.action == Action::show);
  CHECK(nothing.list == List::routes);
  CHECK(nothing.headings);
  CHECK(parse({"show"}).list == List::routes);
}

TEST_CASE("the name decides which daemon is meant, and options decide otherwise") {
  CHECK(parse({}, "mcastctl").socket == MCASTD_RUN_DIRECTORY "/mcastd.sock");
  CHECK(parse({}, "smcroutectl").socket == MCASTD_RUN_DIRECTORY "/smcroute.sock");
  CHECK(parse({"-i", "blue"}).socket == MCASTD_RUN_DIRECTORY "/blue.sock");
  CHECK(parse({"-Iblue"}, "smcroutectl").socket == MCASTD_RUN_DIRECTORY "/blue.sock");
  CHECK(parse({"-u", "/tmp/x", "-i", "blue"}).socket == "/tmp/x");
  CHECK(parse({"-i", "blue", "-u/tmp/x"}).socket == "/tmp/x");
  CHECK(contains(refusal({"-i", "../x"}), "../x"));
  CHECK(contains(refusal({"-i", ""}), "-i"));
  CHECK(contains(refusal({"-u"}), "-u"));
}

TEST_CASE("options may stand anywhere and together") {
  const auto all = parse({"-pd", "show", "-t", "groups", "-j"});
  CHECK(all.plain);
  CHECK(all.detail);
  CHECK(all.json);
  CHECK_FALSE(all.headings);
  CHECK(all.list == List::groups);
  CHECK(contains(refusal({"-x"}), "-x"));
  CHECK(parse({"add", "--", "-odd", "225.1.1.1"}).change.words.front() == "-odd");
}

TEST_CASE("commands may be abbreviated as long as they are unambiguous") {
  CHECK(parse({"s", "g"}).list == List::groups);
  CHECK(parse({"sho", "inter"}).list == List::interfaces);
  CHECK(parse({"show", "p"}).list == List::pending);
  CHECK(parse({"a", "eth0", "225.1.1.1"}).change.verb == ipc::Verb::add);
  CHECK(parse({"d", "eth0", "225.1.1.1"}).change.verb == ipc::Verb::remove);
  CHECK(parse({"del", "eth0", "225.1.1.1"}).change.verb == ipc::Verb::remove);
  CHECK(parse({"rem", "eth0", "225.1.1.1"}).change.verb == ipc::Verb::remove);
  CHECK(parse({"j", "eth0", "225.1.1.1"}).change.verb == ipc::Verb::join);
  CHECK(parse({"l", "eth0", "225.1.1.1"}).change.verb == ipc::Verb::leave);
  CHECK(parse({"f"}).action == Action::flush);
  CHECK(parse({"k"}).action == Action::kill);
  CHECK(parse({"rel"}).action == Action::reload);
  CHECK(parse({"res"}).action == Action::reload);
  CHECK(parse({"restart"}).action == Action::reload);
  CHECK(parse({"v"}).action == Action::version);
  const auto ambiguous = refusal({"re"});
  for (const auto* word : {"remove", "reload", "restart"}) CHECK(contains(ambiguous, word));
  CHECK(contains(refusal({"frobnicate"}), "frobnicate"));
  CHECK(contains(refusal({"sohw"}), "did you mean \"show\""));
  CHECK(contains(refusal({"show", "nonsense"}), "nonsense"));
  CHECK(contains(refusal({""}), "\"\""));
}

TEST_CASE("under the old name, r and re alone mean reload, and never anything with words") {
  for (const auto* word : {"r", "re"}) {
    CHECK(parse({word}, "smcroutectl").action == Action::reload);
    CHECK(parse({"-i", "lan", word}, "smcroutectl").action == Action::reload);
    CHECK_FALSE(parse_arguments("smcroutectl", {word, "eth0", "225.1.1.1"}));
    CHECK_FALSE(parse_arguments("mcastctl", {word}));
  }
}

TEST_CASE("words keep their order and number") {
  std::vector<std::string> words{"add", "eth0", "10.0.0.9", "225.1.2.3"};
  for (int i = 0; i < 12; ++i) words.push_back("out" + std::to_string(i));
  const auto added = parse(words);
  CHECK(added.action == Action::change);
  CHECK(added.change.words == std::vector<std::string>(words.begin() + 1, words.end()));
  CHECK(contains(refusal({"add", "eth0"}), "help add"));
  CHECK(contains(refusal({"del", "eth0"}), "help remove"));
  CHECK(contains(refusal({"join", "eth0", "1.1.1.1", "225.1.1.1", "eth1"}), "join"));
  CHECK(contains(refusal({"flush", "now"}), "now"));
  CHECK(contains(refusal({"show", "routes", "eth0"}), "eth0"));
}

TEST_CASE("changes may name a table or a VRF first, and interfaces may be called so") {
  const std::vector<std::string> words{"table", "10", "eth0", "10.0.0.9", "225.1.2.3"};
  for (const auto* command : {"add", "remove", "join", "leave"}) {
    auto line = words;
    line.insert(line.begin(), command);
    CHECK(parse(line).change.words == words);
    line[1] = "vrf";
    CHECK(parse(line, "smcroutectl").change.words[0] == "vrf");
  }
  CHECK(parse({"add", "table", "225.1.1.1"}).change.words.size() == 2);
  CHECK(parse({"join", "vrf", "10.0.0.9", "225.1.1.1"}).change.words.size() == 3);
  for (const auto* word : {"table", "vrf"}) {
    CHECK(contains(refusal({"add", word}), "help add"));
    CHECK(contains(refusal({"add", word, "red"}), "help add"));
    CHECK(contains(refusal({"add", word, "red", "eth0"}), "help add"));
    CHECK(
        contains(refusal({"join", word, "red", "eth0", "10.0.0.9", "225.1.1.1", "eth1"}), "join"));
  }
}

TEST_CASE("show and flush may be of one table") {
  using Kind = ipc::DomainWords::Kind;
  const ipc::Selection video = ipc::DomainWords{Kind::table, "video"};
  const ipc::Selection red = ipc::DomainWords{Kind::vrf, "red"};
  CHECK_FALSE(parse({"show"}).only);
  for (const auto* program : {"mcastctl", "smcroutectl"}) {
    CHECK(parse({"show", "table", "video"}, program).only == video);
    CHECK(parse({"show", "table", "video"}, program).list == List::routes);
    CHECK(parse({"show", "groups", "vrf", "red"}, program).only == red);
    CHECK(parse({"s", "i", "t", "video"}, program).only == video);
    CHECK(parse({"s", "i", "v", "red"}, program).list == List::interfaces);
    CHECK(parse({"flush", "vrf", "red"}, program).only == red);
    CHECK_FALSE(parse({"flush"}, program).only);
  }
  CHECK(contains(refusal({"show", "table"}), "number or name"));
  CHECK(contains(refusal({"show", "pending", "vrf"}), "name of a VRF"));
  CHECK(contains(refusal({"flush", "table"}), "help flush"));
  CHECK(contains(refusal({"show", "tabel", "10"}), "did you mean \"table\""));
  CHECK(contains(refusal({"show", "routes", "tabel", "10"}), "did you mean \"table\""));
  CHECK(contains(refusal({"flush", "tabel", "10"}), "did you mean \"table\""));
  CHECK(contains(refusal({"show", "table", "10", "routes"}), "routes"));
  CHECK(contains(refusal({"show", "routes", ""}), "\"\""));
  CHECK(contains(refusal({"reload", "table", "10"}), "table"));
}

TEST_CASE("help names the command in full") {
  CHECK(parse({"-h"}).action == Action::help);
  CHECK(parse({"help"}).topic.empty());
  CHECK(parse({"help", "a"}).topic == "add");
  CHECK(parse({"help", "del"}).topic == "remove");
  CHECK(parse({"-v"}).action == Action::version);
  CHECK(contains(refusal({"help", "nonsense"}), "nonsense"));
}

TEST_CASE("a batch is a list of changes with comments and blank lines") {
  std::istringstream input("# first\n\nadd eth0 225.1.1.1 eth1 # why\r\n\t del  eth0\t225.1.1.2\n"
                           "j eth0 225.1.1.3\na vrf red eth0 225.1.1.4");
  const auto batch = parse_batch(input);
  REQUIRE(batch);
  REQUIRE(batch->commands.size() == 4);
  CHECK(batch->commands[0] == ipc::Command{ipc::Verb::add, {"eth0", "225.1.1.1", "eth1"}});
  CHECK(batch->commands[1] == ipc::Command{ipc::Verb::remove, {"eth0", "225.1.1.2"}});
  CHECK(batch->commands[2] == ipc::Command{ipc::Verb::join, {"eth0", "225.1.1.3"}});
  CHECK(batch->commands[3] == ipc::Command{ipc::Verb::add, {"vrf", "red", "eth0", "225.1.1.4"}});
  CHECK(batch->lines == std::vector<std::size_t>{3, 4, 5, 6});
  CHECK(contains(refusal({"-b", "add"}), "add"));
}

TEST_CASE("a mistake in a batch is named with its line") {
  for (const auto* text :
       {"\n\nshow\n", "\n\nadd eth0\n", "\n\nadd table 10 eth0\n", "\n\nfrobnicate\n"}) {
    std::istringstream input(text);
    const auto batch = parse_batch(input);
    REQUIRE_FALSE(batch);
    CHECK(batch.error().message.starts_with("line 3: "));
    CHECK(exit_code(batch.error().code) == 64);
  }
}
