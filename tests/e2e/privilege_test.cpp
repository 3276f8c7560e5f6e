// SPDX-License-Identifier: BSD-2-Clause
//
// What the daemon may do, and that it needs no more.
#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/e2e/lab.hpp"
#include "tests/support/skip.hpp"

namespace mcast::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kNobody = 65'534;

/// Somebody without root may run the tests in a user namespace, which has no other user then.
bool other_users_exist() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (map >> first >> outside >> count) {
    if (first <= kNobody && kNobody < first + count) return true;
  }
  return false;
}

std::string status_of(const Daemon& daemon) {
  std::ifstream file(fmt::format("/proc/{}/status", daemon.pid()));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A program that becomes the daemon, as nobody if there is one, with two capabilities and no way
/// to get more. The daemon's folder becomes its own; it runs from a copy that everybody may read.
fs::path confined_daemon(const TempDir& dir) {
  fs::copy_file(built_program("mcastd"), dir / "mcastd");
  fs::permissions(dir.path(), fs::perms(0755));
  const std::string user = other_users_exist()
                               ? fmt::format("--reuid={0} --regid={0} --clear-groups", kNobody)
                               : "--securebits=+noroot,+noroot_locked";
  dir.write("confined", fmt::format("#!/bin/sh\n"
                                    "for word; do\n"
                                    "  case $word in *.sock) {} \"${{word%/*}}\" ;; esac\n"
                                    "done\n"
                                    "exec setpriv {} --inh-caps=-all,+net_admin,+net_raw "
                                    "--ambient-caps=-all,+net_admin,+net_raw "
                                    "--bounding-set=-all,+net_admin,+net_raw "
                                    "--no-new-privs {} \"$@\"\n",
                                    other_users_exist() ? fmt::format("chown {}", kNobody) : "true",
                                    user, (dir / "mcastd").string()));
  fs::permissions(dir / "confined", fs::perms(0755));
  return dir / "confined";
}

TEST_CASE("defect 15: with the two capabilities it runs without root and does everything") {
  const TempDir dir;
  const fs::path program = confined_daemon(dir);
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const std::string config = mroute("eth0", family.source, family.group, "eth1") +
                               fmt::format("mroute from eth0 group {} to eth+\n"
                                           "mgroup from eth0 group {}\n",
                                           family.other_group, family.group);
    Daemon daemon(lab.router(), config, {.program = program});
    const std::string status = status_of(daemon);
    for (const char* set : {"CapPrm", "CapEff", "CapBnd", "CapAmb"})
      CHECK(contains(status, fmt::format("{}:\t0000000000003000\n", set)));
    CHECK(contains(status, "NoNewPrivs:\t1\n"));
    if (other_users_exist()) CHECK(contains(status, fmt::format("Uid:\t{0}\t{0}\t", kNobody)));

    Flow exact(lab.sender, lab.first, family.group);
    Flow learned(lab.sender, lab.second, family.other_group);
    CHECK(exact.passes());
    CHECK(learned.passes());
    lab.net.pull("eth0");
    lab.net.pull("eth1");
    lab.net.plug("eth1", lab.first);
    lab.net.plug("eth0", lab.sender);
    CHECK(exact.passes());
    CHECK(learned.passes());
    CHECK(daemon.ctl({"join", "eth1", family.control_group}).exit_code == 0);
    CHECK(daemon.ctl({"add", "eth0", family.source, family.control_group, "eth2"}).exit_code == 0);
    Flow added(lab.sender, lab.second, family.control_group);
    CHECK(added.passes());
    CHECK(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(added.blocked(exact));
    CHECK(daemon.ctl({"kill"}).exit_code == 0);
    CHECK(daemon.wait() == ExitStatus{.code = 0});
    CHECK_FALSE(fs::exists(daemon.pid_file()));
    CHECK_FALSE(fs::exists(daemon.socket_file()));
  }
}

TEST_CASE("after -p it tells what it cannot remove at its end, and starts over it again") {
  if (!other_users_exist()) MCAST_SKIP("another user to run as");
  Lab lab;
  const std::string route = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1");
  Daemon daemon(lab.router(), route,
                {.arguments = {"-p", std::to_string(kNobody)}, .log_level = "info"});
  for (const fs::path& file : {daemon.pid_file(), daemon.socket_file()}) {
    CHECK(daemon.eventually(
        [&] { return contains(daemon.log(), file.string() + ": stays behind"); }));
  }
  CHECK(daemon.ctl({"kill"}).exit_code == 0);
  CHECK(daemon.wait() == ExitStatus{.code = 0});
  REQUIRE(fs::exists(daemon.pid_file()));
  CHECK(fs::is_empty(daemon.pid_file()));
  CHECK(daemon.ctl({"show"}).exit_code == 69);

  Process next(lab.router(), {built_program("mcastd"), "-n", "-f", daemon.config_file(), "-u",
                              daemon.socket_file(), "-P", daemon.pid_file()});
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(daemon.ctl({"show"}).exit_code == 0);
  next.signal(SIGTERM);
  CHECK(next.wait() == ExitStatus{.code = 0});
  CHECK_FALSE(fs::exists(daemon.pid_file()));
}

}  // namespace
}  // namespace mcast::testing
