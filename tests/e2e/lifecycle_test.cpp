// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string kRoute = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1");

/// Runs a daemon that is not expected to stay.
ProgramResult start(const NetNamespace& net, const TempDir& dir,
                    const std::vector<std::string>& arguments,
                    Privilege privilege = Privilege::kept) {
  std::vector<std::string> all{built_program("mcastd"), "-u", dir / "a.sock", "-P", dir / "a.pid"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(net, all, "", kPatience, privilege);
}

TEST_CASE("the pid file holds the process id, exists while the daemon is ready, and goes with it") {
  Lab lab;
  Daemon daemon(lab.router(), kRoute);
  CHECK(read_text(daemon.pid_file()) == fmt::format("{}\n", daemon.pid()));
  CHECK(daemon.ctl({"show", "interfaces"}).exit_code == 0);
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == ExitStatus{.code = 0});
  CHECK_FALSE(std::filesystem::exists(daemon.pid_file()));
  CHECK_FALSE(std::filesystem::exists(daemon.socket_file()));
}

TEST_CASE("routes are installed by the time the pid file appears") {
  Lab lab;
  Daemon daemon(lab.router(), kRoute);
  CHECK(contains(lab.router().read_proc_net("ip_mr_cache"), "010101EF"));
}

TEST_CASE("SIGTERM, SIGINT and the kill command end it with code 0, and forwarding with it") {
  for (const int number : {SIGTERM, SIGINT, 0}) {
    CAPTURE(number);
    Lab lab;
    Daemon daemon(lab.router(), kRoute + "mgroup from eth0 group 239.1.1.1\n");
    Flow flow(lab.sender, lab.first, "239.1.1.1");
    REQUIRE(flow.passes());
    if (number == 0)
      CHECK(daemon.ctl({"kill"}).exit_code == 0);
    else
      daemon.signal(number);
    CHECK(daemon.wait() == ExitStatus{.code = 0});
    CHECK_FALSE(contains(lab.router().read_proc_net("ip_mr_cache"), "010101EF"));
    CHECK_FALSE(contains(lab.router().read_proc_net("igmp"), "010101EF"));
    CHECK_FALSE(flow.passes(Duration{50}));
  }
}

TEST_CASE("after a crash the next daemon starts over the remains") {
  Lab lab;
  Daemon crashed(lab.router(), kRoute);
  const TempDir& dir = crashed.dir();
  crashed.signal(SIGKILL);
  REQUIRE(crashed.wait() == ExitStatus{.code = -1, .signal = SIGKILL});
  REQUIRE(std::filesystem::exists(dir / "mcastd.pid"));
  Process next(lab.router(), {built_program("mcastd"), "-n", "-f", crashed.config_file(), "-u",
                              crashed.socket_file(), "-P", crashed.pid_file()});
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(crashed.ctl({"show", "interfaces"}).exit_code == 0);
  next.signal(SIGTERM);
  CHECK(next.wait() == ExitStatus{.code = 0});
}

TEST_CASE("without -n it detaches when it is ready, and leaves its terminal and directory") {
  Lab lab;
  Daemon daemon(lab.router(), kRoute, {.detach = true});
  CHECK(daemon.ctl({"show", "interfaces"}).exit_code == 0);
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  const auto proc = std::filesystem::path("/proc") / std::to_string(daemon.pid());
  CHECK(std::filesystem::read_symlink(proc / "cwd") == "/");
  for (const char* fd : {"0", "1", "2"})
    CHECK(std::filesystem::read_symlink(proc / "fd" / fd) == "/dev/null");
  daemon.signal(SIGHUP);
  CHECK(daemon.ctl({"kill"}).exit_code == 0);
  CHECK(daemon.wait() == ExitStatus{.code = 0});
}

TEST_CASE("a detaching start that fails says so to its caller, with the same exit code") {
  Lab lab;
  const TempDir dir;
  dir.write("bad.conf", "bogus\n");
  const auto result = start(lab.router(), dir, {"-f", dir / "bad.conf"});
  INFO(result);
  CHECK(result.exit_code == 78);
  CHECK(contains(result.err, "bad.conf:1:1: "));
  CHECK_FALSE(std::filesystem::exists(dir / "a.pid"));
}

TEST_CASE("a second daemon on the same tables ends with code 69 and harms nothing") {
  Lab lab;
  Daemon daemon(lab.router(), kRoute);
  Bystander live(lab.sender, lab.first, "239.1.1.1");
  const TempDir dir;
  dir.write("b.conf", "");
  const auto result = start(lab.router(), dir, {"-n", "-f", dir / "b.conf"});
  INFO(result);
  CHECK(result.exit_code == 69);
  CHECK(live.undisturbed());
}

TEST_CASE("a second daemon on the same control socket is refused and harms nothing") {
  Lab lab;
  Daemon daemon(lab.router(), kRoute);
  const NetNamespace elsewhere;
  const TempDir dir;
  dir.write("b.conf", "");
  const auto result = run_program(elsewhere, {built_program("mcastd"), "-n", "-f", dir / "b.conf",
                                              "-u", daemon.socket_file(), "-P", dir / "b.pid"});
  INFO(result);
  CHECK(result.exit_code != 0);
  CHECK(contains(result.err, daemon.socket_file().string()));
  CHECK(daemon.ctl({"show", "interfaces"}).exit_code == 0);
}

TEST_CASE("mistakes in the command line end with code 64 and name the mistake") {
  const NetNamespace net;
  const TempDir dir;
  struct Mistake {
    std::vector<std::string> arguments;
    std::string named;
  };
  for (const Mistake& mistake :
       {Mistake{{"-n", "-Q"}, "Q"}, Mistake{{"-n", "-f"}, "f"},
        Mistake{{"-n", "-l", "loud"}, "loud"}, Mistake{{"-n", "-c", "often"}, "often"},
        Mistake{{"-n", "-t", "-5"}, "-5"}, Mistake{{"-n", "-t", "100000000"}, "99999999 for IPv6"},
        Mistake{{"-n", "surplus"}, "surplus"}}) {
    const auto result = start(net, dir, mistake.arguments);
    INFO(fmt::format("{}", fmt::join(mistake.arguments, " ")));
    INFO(result);
    CHECK(result.exit_code == 64);
    CHECK(contains(result.err, mistake.named));
  }
}

TEST_CASE("table 0 is the default table, as for SMCRoute") {
  Lab lab;
  Daemon daemon(lab.router(), kRoute, {.arguments = {"-t", "0"}});
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(contains(daemon.ctl({"-d", "show", "interfaces"}).out, "IPv4 table 253"));
}

TEST_CASE("without the privilege it ends with code 77 and says what it needs") {
  const NetNamespace net;
  const TempDir dir;
  dir.write("a.conf", "");
  const auto result = start(net, dir, {"-n", "-f", dir / "a.conf"}, Privilege::none);
  INFO(result);
  CHECK(result.exit_code == 77);
  CHECK(contains(result.err, "CAP_NET_"));
}

TEST_CASE("a configuration with mistakes ends the start with code 78") {
  const NetNamespace net;
  const TempDir dir;
  dir.write("a.conf", "phyint eth0 enable\nmroute from eth0 group 10.0.0.1 to eth1\n");
  const auto result = start(net, dir, {"-n", "-f", dir / "a.conf"});
  INFO(result);
  CHECK(result.exit_code == 78);
  CHECK(contains(result.err, "a.conf:2:24: "));
}

TEST_CASE("a pid file or socket that cannot be made ends the start with a reason") {
  const NetNamespace net;
  const TempDir dir;
  dir.write("a.conf", "");
  for (const char* option : {"-P", "-u"}) {
    CAPTURE(std::string(option));
    const auto result = start(net, dir, {"-n", "-f", dir / "a.conf", option, dir / "missing/file"});
    INFO(result);
    CHECK(result.exit_code == 71);
    CHECK(contains(result.err, "missing/file"));
  }
}

TEST_CASE("help and version go to standard output and need nothing") {
  const NetNamespace net;
  for (const char* program : {"mcastd", "mcastctl", "smcrouted", "smcroutectl", "smcroute"}) {
    CAPTURE(std::string(program));
    const auto help =
        run_program(net, {built_program(program), "-h"}, "", kPatience, Privilege::none);
    CHECK(help.exit_code == 0);
    CHECK(contains(help.out, program));
    CHECK(help.err.empty());
  }
  for (const char* program : {"mcastd", "mcastctl", "smcrouted", "smcroutectl"}) {
    CAPTURE(std::string(program));
    const auto version =
        run_program(net, {built_program(program), "-v"}, "", kPatience, Privilege::none);
    CHECK(version.exit_code == 0);
    CHECK(contains(version.out, MCASTD_VERSION));
  }
}

TEST_CASE(
    "defect 7: the syntax check needs no privilege and no interfaces, and looks into includes") {
  const NetNamespace net;
  const TempDir dir;
  const auto check = [&](std::string_view text) {
    dir.write("a.conf", text);
    return run_program(net, {built_program("mcastd"), "-F", dir / "a.conf"}, "", kPatience,
                       Privilege::none);
  };
  CHECK(check("mroute from nosuch0 source 10.1.0.2 group 239.1.1.1 to nosuch1\n").exit_code == 0);
  dir.write("sub.conf", "\nphyint\n");
  const auto included = check(fmt::format("include {}\n", (dir / "sub.conf").string()));
  INFO(included);
  CHECK(included.exit_code == 78);
  CHECK(contains(included.err + included.out, (dir / "sub.conf").string() + ":2:1: "));
}

TEST_CASE("the syntax check does not disturb a running daemon") {
  Lab lab;
  Daemon daemon(lab.router(), kRoute);
  Bystander live(lab.sender, lab.first, "239.1.1.1");
  CHECK(
      run_program(lab.router(), {built_program("mcastd"), "-F", daemon.config_file()}).exit_code ==
      0);
  CHECK(live.undisturbed());
}

TEST_CASE("under the old names both programs work, and are named so") {
  for (const bool detach : {false, true}) {
    CAPTURE(detach);
    Lab lab;
    Daemon daemon(lab.router(), kRoute,
                  {.program = "smcrouted", .arguments = {"-N"}, .detach = detach});
    CHECK(read_text(fmt::format("/proc/{}/comm", daemon.pid())) == "smcrouted\n");
    CHECK(
        daemon.ctl_as("smcroutectl", {"add", "eth0", "10.1.0.2", "239.1.1.2", "eth1"}).exit_code ==
        0);
    Flow flow(lab.sender, lab.first, "239.1.1.2");
    CHECK(flow.passes());
    const auto refused = daemon.ctl_as("smcroutectl", {"remove", "eth0", "10.1.0.2", "239.7.7.7"});
    CHECK(refused.exit_code != 0);
    CHECK(refused.err.starts_with("smcroutectl: "));
  }
}

TEST_CASE("a client without a daemon says which socket it tried") {
  const NetNamespace net;
  const auto by_identity =
      run_program(net, {built_program("mcastctl"), "-i", "mcast-e2e-absent", "show"});
  INFO(by_identity);
  CHECK(by_identity.exit_code == 69);
  CHECK(by_identity.err.starts_with("mcastctl: "));
  CHECK(contains(by_identity.err, "/run/mcast-e2e-absent.sock"));
}

TEST_CASE("a start delay postpones the start") {
  Lab lab;
  const auto begin = Clock::now();
  Daemon daemon(lab.router(), kRoute, {.arguments = {"-d", "1"}});
  CHECK(Clock::now() - begin >= std::chrono::seconds(1));
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
}

}  // namespace
}  // namespace mcast::testing
