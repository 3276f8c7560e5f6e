// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <csignal>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

timespec modified(const std::filesystem::path& path) {
  struct stat status{};
  check_call(::stat(path.c_str(), &status), path);
  return status.st_mtim;
}

bool later(const timespec& left, const timespec& right) {
  return left.tv_sec != right.tv_sec ? left.tv_sec > right.tv_sec : left.tv_nsec > right.tv_nsec;
}

TEST_CASE("a reload applies the difference and leaves the rest alone") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const std::string kept = mroute("eth0", family.source, family.control_group, "eth1 eth2");
    Daemon daemon(lab.router(), kept + mroute("eth0", family.source, family.group, "eth1"));
    Flow removed(lab.sender, lab.first, family.group);
    Flow added(lab.sender, lab.first, family.other_group);
    Flow control(lab.sender, lab.first, family.control_group);
    REQUIRE(removed.passes());
    REQUIRE(control.passes());
    Bystander bystander(lab.sender, lab.second, family.control_group);
    daemon.write_config(mroute("eth0", family.source, family.other_group, "eth1") + kept);
    const auto result = daemon.ctl({"reload"});
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
    CHECK(added.passes());
    CHECK(removed.blocked(control));
    CHECK(bystander.undisturbed());
  }
}

TEST_CASE("a reload without a change disturbs no packet, however often") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1") +
                                  mroute("eth0", "fd00:1::2", "ff1e::101", "eth1"));
  Bystander v4(lab.sender, lab.first, "239.1.1.1");
  Bystander v6(lab.sender, lab.first, "ff1e::101");
  for (int i = 0; i < 20; ++i) CHECK(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(v4.undisturbed());
  CHECK(v6.undisturbed());
}

TEST_CASE("a flow may change its inbound interface by a reload") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    lab.net.plug("alt0", lab.sender);
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1"));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    lab.router().set_down("eth0");
    daemon.write_config(mroute("alt0", family.source, family.group, "eth1"));
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(flow.passes());
  }
}

TEST_CASE("changes made at run time are forgotten by a reload") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.9", "eth1"));
  CHECK(daemon.ctl({"add", "eth0", "10.1.0.2", "239.1.1.1", "eth1"}).exit_code == 0);
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  Flow control(lab.sender, lab.first, "239.1.1.9");
  REQUIRE(flow.passes());
  REQUIRE(control.passes());
  CHECK(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(flow.blocked(control));
}

TEST_CASE("SIGHUP reloads and touches the pid file") {
  Lab lab;
  Daemon daemon(lab.router(), "");
  const timespec before = modified(daemon.pid_file());
  daemon.write_config(mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"));
  daemon.signal(SIGHUP);
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(daemon.eventually([&] { return later(modified(daemon.pid_file()), before); }));
}

TEST_CASE("SIGHUP with a mistake in the file logs it and changes nothing") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"));
  Bystander live(lab.sender, lab.first, "239.1.1.1");
  daemon.write_config("bogus\n");
  daemon.signal(SIGHUP);
  CHECK(daemon.eventually(
      [&] { return contains(daemon.log(), daemon.config_file().string() + ":1:1: "); }));
  CHECK(live.undisturbed());
  CHECK(daemon.running());
}

TEST_CASE("the client's reload touches the pid file, a failed one does not") {
  Lab lab;
  Daemon daemon(lab.router(), "");
  const timespec start = modified(daemon.pid_file());
  // File times are as coarse as the kernel's tick.
  CHECK(daemon.eventually([&] {
    return daemon.ctl({"restart"}).exit_code == 0 && later(modified(daemon.pid_file()), start);
  }));
  const timespec reloaded = modified(daemon.pid_file());
  daemon.write_config("bogus\n");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 78);
  CHECK_FALSE(later(modified(daemon.pid_file()), reloaded));
}

}  // namespace
}  // namespace mcast::testing
