// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "cli/mcastctl_frontend.hpp"

using namespace mcast;
using namespace mcast::cli;

namespace {

using Words = std::vector<std::string>;

FrontEnd parse(const Words& arguments) {
  const auto parsed = parse_front_end(arguments);
  if (!parsed) FAIL(parsed.error().message);
  return *parsed;
}

}  // namespace

TEST_CASE("the old command line starts the daemon as it asks") {
  CHECK(daemon_arguments(parse({"-d"})) == Words{"smcrouted"});
  CHECK(daemon_arguments(parse({"-n", "-f", "a.conf"})) ==
        Words{"smcrouted", "-n", "-f", "a.conf"});
  CHECK(daemon_arguments(parse({"-dv"})) == Words{"smcrouted", "-l", "info"});
  CHECK(daemon_arguments(parse({"-d", "-D", "-fb.conf"})) ==
        Words{"smcrouted", "-f", "b.conf", "-l", "debug"});
  CHECK(parse({"-h"}).help);
}

TEST_CASE("after -d the daemon's own options are handed over, as the wrapper of SMCRoute 2 did") {
  const auto all =
      parse({"-d", "-N", "-c", "30", "-lerr", "-t5", "-e", "/bin/hook", "-l", "eth0", "225.1.2.3"});
  CHECK(daemon_arguments(all) ==
        Words{"smcrouted", "-N", "-c", "30", "-l", "err", "-t", "5", "-e", "/bin/hook"});
  REQUIRE(all.steps.size() == 1);
  CHECK(std::get<ipc::Command>(all.steps[0]) ==
        ipc::Command{ipc::Verb::leave, {"eth0", "225.1.2.3"}});
  CHECK(all.socket.empty());
  CHECK(parse({"-d", "-I", "lan"}).socket.ends_with("/lan.sock"));
  CHECK(parse({"-d", "-u", "/x.sock", "-i", "lan"}).socket == "/x.sock");
  CHECK_FALSE(parse_front_end({"-N", "-d"}));
  CHECK_FALSE(parse_front_end({"-d", "-c"}));
}

TEST_CASE("changes are kept in their order") {
  const auto all =
      parse({"-a",        "eth0", "10.0.0.9", "225.1.2.3", "eth1",      "eth2", "-j",   "eth0",
             "225.1.2.3", "-r",   "eth0",     "10.0.0.9",  "225.1.2.3", "-l",   "eth0", "225.1.2.3",
             "-k",        "-a",   "eth0",     "0.0.0.0",   "225.1.2.3", "eth1"});
  CHECK_FALSE(all.start);
  REQUIRE(all.steps.size() == 6);
  const auto command = [&](std::size_t i) { return std::get<ipc::Command>(all.steps[i]); };
  CHECK(command(0) ==
        ipc::Command{ipc::Verb::add, {"eth0", "10.0.0.9", "225.1.2.3", "eth1", "eth2"}});
  CHECK(command(1) == ipc::Command{ipc::Verb::join, {"eth0", "225.1.2.3"}});
  CHECK(command(2) == ipc::Command{ipc::Verb::remove, {"eth0", "10.0.0.9", "225.1.2.3"}});
  CHECK(command(3) == ipc::Command{ipc::Verb::leave, {"eth0", "225.1.2.3"}});
  CHECK(std::holds_alternative<Kill>(all.steps[4]));
  CHECK(command(5).words[1] == "0.0.0.0");
}

TEST_CASE("a malformed old command line is refused") {
  for (const Words& arguments :
       {Words{"-a", "eth0", "10.0.0.9", "225.1.2.3"}, Words{"-r", "eth0", "10.0.0.9"},
        Words{"-r", "eth0", "10.0.0.9", "225.1.2.3", "eth1"}, Words{"-j", "eth0"},
        Words{"-l", "eth0", "225.1.2.3", "more"}, Words{"-x"}, Words{"word"}, Words{"-f"},
        Words{"-"}, Words{""}}) {
    const auto parsed = parse_front_end(arguments);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::usage);
  }
}
