// SPDX-License-Identifier: BSD-2-Clause
//
// The distribution's SMCRoute and our programs under its names, side by side on hosts of the same
// make: what a script sees has to be the same.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "tests/e2e/lab.hpp"
#include "tests/support/skip.hpp"

namespace mcast::testing {
namespace {

constexpr const char* kTheirDaemon = "/usr/sbin/smcrouted";
constexpr const char* kTheirClient = "/usr/sbin/smcroutectl";

const std::string kConfig = "phyint eth0 enable\n"
                            "phyint eth1 enable\n"
                            "phyint eth2 enable\n"
                            "mroute from eth0 source 10.1.0.2 group 239.1.1.1 to eth1 eth2\n"
                            "mroute from eth0 group 239.1.2.0/24 to eth1 eth2\n"
                            "mroute from eth0 source 10.1.0.0/24 group 239.1.3.1 to eth1\n"
                            "mroute from eth1 source 10.2.0.2 group 239.1.1.9\n"
                            "mroute from eth0 source fd00:1::2 group ff1e::101 to eth1\n"
                            "mgroup from eth0 group 239.1.1.1\n"
                            "mgroup from eth0 source 10.1.0.2 group 232.1.2.0/30\n"
                            "mgroup from eth0 group ff1e::101\n";

struct Side {
  Lab lab;
  Daemon daemon;
  std::string client;

  Side(const std::string& program, std::string its_client)
      : daemon(lab.router(), kConfig, {.program = program, .arguments = {"-N"}}),
        client(std::move(its_client)) {}
  [[nodiscard]] ProgramResult ctl(const std::vector<std::string>& words,
                                  std::string_view input = {}) const {
    return daemon.ctl_as(client, words, input);
  }
};

struct Pair {
  Side theirs{kTheirDaemon, kTheirClient};
  Side ours{"smcrouted", "smcroutectl"};
};

/// Another SMCRoute in its place, or ours installed for real, is nothing to compare with.
void need_smcroute() {
  const NetNamespace net;
  const auto version = run_program(net, {kTheirDaemon, "-v"});
  if (!version.out.starts_with("SMCRoute")) MCAST_SKIP("SMCRoute in /usr/sbin");
}

/// SMCRoute ends its lists with an empty line, and keeps the kernel's entries in another order.
std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  std::ranges::sort(lines);
  return lines;
}

std::string state_of(const Side& side) {
  const auto show = [&](const char* what) {
    return fmt::format("{}", fmt::join(sorted_lines(side.ctl({"-pt", "show", what}).out), "\n"));
  };
  return fmt::format("{}\n{}\n{}", show("routes"), show("groups"), show("interfaces"));
}

TEST_CASE("lists look the same, headings and columns") {
  need_smcroute();
  const Pair pair;
  const std::vector<std::string> shows[] = {
      {"-p"},
      {"-p", "show"},
      {"-p", "show", "routes"},
      {"-p", "-d", "show", "routes"},
      {"-pt", "show", "routes"},
      {"-tpd", "show"},
      {"-p", "show", "groups"},
      {"-p", "-t", "s", "g"},
      {"-p", "show", "interfaces"},
      {"-pt", "sh", "int"},
      {"show", "routes", "-p"},
  };
  for (const auto& words : shows) {
    const auto theirs = pair.theirs.ctl(words);
    const auto ours = pair.ours.ctl(words);
    CAPTURE(fmt::format("{}", fmt::join(words, " ")));
    CHECK(theirs.exit_code == 0);
    CHECK(ours.exit_code == 0);
    CHECK(fmt::format("{}", fmt::join(sorted_lines(ours.out), "\n")) ==
          fmt::format("{}", fmt::join(sorted_lines(theirs.out), "\n")));
  }
}

TEST_CASE("the same commands have the same effect and success") {
  need_smcroute();
  const Pair pair;
  struct Step {
    std::vector<std::string> words;
    std::string input;
  };
  const Step steps[] = {
      {{"add", "eth0", "10.1.0.3", "239.5.0.1", "eth1", "eth2"}, ""},
      {{"add", "eth0", "10.1.0.3", "239.5.0.1", "eth1"}, ""},
      {{"add", "eth0", "10.1.0.2", "239.1.1.1", "eth1"}, ""},
      {{"add", "eth0", "10.1.0.3", "239.5.0.2", "eth1"}, ""},
      {{"add", "eth0", "10.1.0.3", "239.5.0.2", "eth2"}, ""},
      {{"a", "eth0", "0.0.0.0", "239.5.0.3", "eth1"}, ""},
      {{"add", "eth0", "239.6.0.0/16", "eth1"}, ""},
      {{"add", "eth0", "239.6.0.0/16", "eth2"}, ""},
      {{"add", "eth0", "10.1.0.3", "239.5.0.4"}, ""},
      {{"add", "eth0", "fd00:1::3", "ff1e::5", "eth1"}, ""},
      {{"remove", "eth0", "10.1.0.3", "239.5.0.1", "eth1"}, ""},
      {{"rem", "eth0", "10.1.0.3", "239.5.0.1", "eth2"}, ""},
      {{"join", "eth1", "239.7.0.1"}, ""},
      {{"j", "eth1", "10.2.0.9", "232.7.0.1"}, ""},
      {{"join", "eth1", "239.7.1.0/30"}, ""},
      {{"leave", "eth1", "239.7.0.1"}, ""},
      {{"leave", "eth1", "239.7.0.1"}, ""},  // refused
      {{"l", "eth1", "239.7.1.0/30"}, ""},
      {{"join", "eth1"}, ""},  // refused
      {{"add", "eth0"}, ""},   // refused
      {{"-b"},
       "add eth0 10.1.0.4 239.8.0.1 eth1 eth2\njoin eth2 239.8.0.1\n"
       "add eth0 10.1.0.5 239.8.0.1 eth1\nleave eth0 239.1.1.1\n"},
      {{"flush"}, ""},
      {{"-x"}, ""},  // refused
      {{"r"}, ""},
  };
  for (const Step& step : steps) {
    CAPTURE(fmt::format("{}", fmt::join(step.words, " ")));
    const auto theirs = pair.theirs.ctl(step.words, step.input);
    const auto ours = pair.ours.ctl(step.words, step.input);
    INFO(theirs);
    INFO(ours);
    CHECK((ours.exit_code == 0) == (theirs.exit_code == 0));
    CHECK(ours.out.empty());
    if (ours.exit_code != 0) CHECK(ours.err.starts_with("smcroutectl: "));
    CHECK(state_of(pair.ours) == state_of(pair.theirs));
  }
}

TEST_CASE("the same files mean the same, after a reload too") {
  need_smcroute();
  const Pair pair;
  const TempDir dir;
  std::filesystem::create_directory(dir / "d");
  dir.write("d/a.conf", "mroute from eth0 group 239.9.0.1 to eth1\n");
  dir.write("d/b.conf", "mgroup from eth0 group 239.9.0.0/30\n");
  const std::string texts[] = {
      "ssmgroup from eth0 source 10.1.0.2 group 232.1.1.1\nssmgroup from eth1 group 232.1.1.2\n",
      "mgroup from eth+ group 239.1.1.1\n",
      "mroute from eth0 source 0.0.0.0 group 239.9.0.1 to eth1\n"
      "mroute from eth0 source :: group ff1e::1 to eth1\n",
      "mroute from eth0 source 10.1.0.2 group 239.9.0.1 to\n"
      "mroute from eth0 source 10.1.0.2 group 239.9.0.2\n",
      "mroute from eth0 group 239.9.0.1/32 to eth1\n"
      "mroute from eth0 source 10.1.0.2/32 group 239.9.0.1/32 to eth1\n",
      "mroute from eth0 source 10.1.0.2 group 239.9.0.1 to eth0 eth1\n",
      "mroute from eth0 source 10.1.0.2 group 239.9.0.5 to eth1\n"
      "mroute from eth0 source 10.1.0.2 group 239.9.0.5 to eth2\n",
      "mroute from eth0 source 10.1.0.2 group 224.0.0.9 to eth1\n",
      "mroute from eth0 source fd00:1::/64 group ff1e::/64 to eth1 eth2\n",
      "  mroute   from\teth0 group 239.9.0.1   to eth1 eth1 # twice\n\n# nothing\n",
      fmt::format("include {}/*.conf\n", (dir / "d").string()),
  };
  const std::string phyints = "phyint eth0 enable\nphyint eth1 enable ttl-threshold 1\n"
                              "phyint eth2 enable\n";
  for (const std::string& text : texts) {
    CAPTURE(text);
    for (const Side* side : {&pair.theirs, &pair.ours}) {
      side->daemon.write_config(phyints + text);
      CHECK(side->ctl({"reload"}).exit_code == 0);
    }
    CHECK(state_of(pair.ours) == state_of(pair.theirs));
  }
}

TEST_CASE("whole routes are removed alike, though not with its exit code") {
  need_smcroute();
  const Pair pair;
  for (const char* word : {"remove", "del", "d"}) {
    CAPTURE(std::string(word));
    for (const Side* side : {&pair.theirs, &pair.ours}) {
      REQUIRE(side->ctl({"add", "eth0", "10.1.0.3", "239.5.0.1", "eth1"}).exit_code == 0);
      static_cast<void>(side->ctl({word, "eth0", "10.1.0.3", "239.5.0.1"}));
    }
    CHECK(state_of(pair.ours) == state_of(pair.theirs));
  }
}

TEST_CASE("what a daemon without a caller writes") {
  need_smcroute();
  const Lab lab;
  const TempDir dir;
  dir.write("good.conf", "phyint lo disable\n");
  dir.write("bad.conf", "bogus\n");
  const std::string good = dir / "good.conf";
  const std::string bad = dir / "bad.conf";
  const std::vector<std::string> starts[] = {
      {"-h"}, {"-v"}, {"-x"}, {"-F", good}, {"-F", bad}, {"-F", dir / "missing.conf"},
  };
  for (const auto& words : starts) {
    CAPTURE(fmt::format("{}", fmt::join(words, " ")));
    const auto run = [&](const std::string& program) {
      std::vector<std::string> all{program};
      all.insert(all.end(), words.begin(), words.end());
      return run_program(lab.net.router(), all);
    };
    CHECK(run(built_program("smcrouted")).exit_code == run(kTheirDaemon).exit_code);
  }
  // In the foreground with -s, the log goes to syslog alone.
  for (const std::string& program : {std::string(kTheirDaemon), std::string("smcrouted")}) {
    CAPTURE(program);
    Lab other;
    Daemon daemon(other.router(), "", {.program = program, .arguments = {"-N", "-s"}});
    daemon.signal(SIGTERM);
    CHECK(daemon.wait() == ExitStatus{.code = 0});
    CHECK_FALSE(contains(daemon.log(), "ended by signal"));
    CHECK_FALSE(contains(daemon.log(), "Exiting"));
  }
}

}  // namespace
}  // namespace mcast::testing
