// SPDX-License-Identifier: BSD-2-Clause
//
// The Debian package, on machines with systemd that are copies of this host: real packets, the real
// dpkg, and SMCRoute from the distribution where there is something to replace.
#include <doctest/doctest.h>

#include "tests/e2e/lab.hpp"
#include "tests/package/machine.hpp"

namespace mcast::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInstall = "DEBIAN_FRONTEND=noninteractive dpkg --install /mnt/mcastd.deb";
const std::string kConfig = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1") +
                            "mroute from eth0 group 239.1.2.0/24 to eth+\n"
                            "mgroup from eth0 group 239.1.1.1\n";

/// Made once, from the programs of this build.
const fs::path& package() {
  static const TempDir folder;
  static const fs::path made = [] {
    const NetNamespace net;
    const auto result = run_program(net,
                                    {MCAST_SOURCE_DIR "/packaging/debian/build", "--build-dir",
                                     MCAST_BUILD_DIR, "--output", folder.path()},
                                    {}, 20 * kPatience);
    INFO(result);
    REQUIRE(result.exit_code == 0);
    return fs::path(result.out.substr(0, result.out.find('\n')));
  }();
  return made;
}

/// A router with the package at hand.
struct Site {
  Lab lab;
  Machine machine{lab.router()};
  Flow exact{lab.sender, lab.first, "239.1.1.1"};
  Flow any{lab.sender, lab.second, "239.1.2.3"};

  Site() { fs::copy_file(package(), machine.shared() / "mcastd.deb"); }

  void must(const std::string& line) const {
    const auto result = machine.sh(line);
    INFO(line);
    INFO(result);
    REQUIRE(result.exit_code == 0);
  }
  void check_forwarding() {
    CHECK(exact.passes());
    CHECK(any.passes());
  }
  [[nodiscard]] bool active(const std::string& unit) const {
    return machine.property(unit, "ActiveState") == "active";
  }
  [[nodiscard]] std::string enabled(const std::string& unit) const {
    const std::string state = machine.run({"systemctl", "is-enabled", unit}).out;
    return state.substr(0, state.find('\n'));
  }
  /// Where SMCRoute has never been.
  void without_smcroute() const {
    must("dpkg --purge smcroute && rm -f /etc/systemd/system/multi-user.target.wants/smcroute*");
  }
};

/// The names of all files that have to do with us.
std::string our_files(const Machine& machine) {
  return machine
      .sh("find /etc /usr /var /lib/systemd -xdev \\( -name '*mcast*' -o -name '*smcroute*' \\) "
          "! -path '/usr/share/doc-base/*' ! -path '*/sources/*' | sort -u")
      .out;
}

TEST_CASE("the package replaces a running SMCRoute without any file of the host being touched") {
  Site site;
  Machine& machine = site.machine;
  // As SMCRoute's package leaves a host that uses it, with an option and a drop-in of its own.
  machine.write("/etc/smcroute.conf", "phyint eth0 enable\nphyint eth1 enable\n"
                                      "phyint eth2 enable\n" +
                                          kConfig);
  machine.write("/etc/default/smcroute", "SMCROUTED_OPTS=\"-N -c 30 -p nobody\"\n");
  machine.write(
      "/etc/systemd/system/smcroute.service.d/local.conf",
      "[Service]\nEnvironment=LOCAL=1\nExecStartPost=/usr/bin/touch /run/local-was-here\n");
  site.must("systemctl enable smcroute && systemctl daemon-reload && "
            "systemctl start smcroute && rm /run/local-was-here");
  REQUIRE(site.exact.passes());
  const std::string before = machine.sh("cat /etc/smcroute.conf /etc/default/smcroute").out;

  site.must(kInstall);
  CHECK(site.active("smcroute"));
  CHECK(contains(machine.property("smcroute", "ExecStart"), "-n -s"));
  CHECK(machine.exists("/run/local-was-here"));
  CHECK(site.enabled("smcroute") == "enabled");
  CHECK(machine.run({"readlink", "/usr/sbin/smcrouted"}).out == "mcastd\n");
  site.check_forwarding();
  CHECK(contains(site.lab.router().read_proc_net("igmp"), "010101EF"));
  CHECK(machine.sh("cat /etc/smcroute.conf /etc/default/smcroute").out == before);
  const std::string pid = machine.property("smcroute", "MainPID");
  CHECK(contains(machine.sh(fmt::format("tr '\\0' ' ' </proc/{}/cmdline", pid)).out,
                 "smcrouted -n -s -N -c 30 -p nobody"));
  CHECK(machine.run({"cat", fmt::format("/proc/{}/comm", pid)}).out == "smcrouted\n");

  // Scripts: the client, a reload through the unit, an interface that returns.
  site.must("smcroutectl add eth0 10.1.0.2 239.1.1.2 eth2 && smcroutectl -p show routes |"
            " grep -F '(10.1.0.2, 239.1.1.2)'");
  Flow added(site.lab.sender, site.lab.second, "239.1.1.2");
  CHECK(added.passes());
  site.must("systemctl reload smcroute");
  CHECK(added.blocked(site.exact));
  site.lab.net.pull("eth1");
  site.lab.net.plug("eth1", site.lab.first);
  site.check_forwarding();

  // An upgrade restarts what runs.
  site.must(kInstall);
  CHECK(site.active("smcroute"));
  CHECK(machine.property("smcroute", "MainPID") != pid);
  site.check_forwarding();

  // The old package's remains may go.
  site.must("dpkg --purge smcroute");
  CHECK(site.enabled("smcroute") == "enabled");
  CHECK(machine.run({"test", "-x", "/etc/init.d/smcroute"}).exit_code == 0);
  site.must("systemctl restart smcroute");
  site.check_forwarding();
}

TEST_CASE("where policy forbids starting, installing starts nothing, and all works by hand") {
  Site site;
  Machine& machine = site.machine;
  site.without_smcroute();
  machine.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
  site.must("chmod 755 /usr/sbin/policy-rc.d");
  machine.write("/etc/smcroute.conf", kConfig);
  machine.write("/etc/mcastd.conf", kConfig);
  site.must(kInstall);
  CHECK_FALSE(site.active("smcroute"));
  CHECK_FALSE(site.active("mcastd"));
  CHECK_FALSE(machine.exists("/run/smcroute.sock"));
  // There is a configuration under the old name.
  CHECK(site.enabled("smcroute") == "enabled");

  site.must("smcrouted -N -f /etc/smcroute.conf");
  site.check_forwarding();
  site.must("smcroutectl -t -p show routes | grep -F '(*, 239.1.2.0/24)'");
  site.must("smcroute -j eth0 239.1.1.7 && smcroute -k");
  CHECK_FALSE(machine.exists("/run/smcroute.pid"));

  // The same by the script for hosts without systemd.
  const std::string script = "SYSTEMCTL_SKIP_REDIRECT=1 /etc/init.d/smcroute ";
  site.must(script + "start");
  site.check_forwarding();
  site.must(script + "status && " + script + "reload && " + script + "restart");
  site.check_forwarding();
  site.must(script + "stop");
  CHECK(machine.sh(script + "status").exit_code != 0);
}

TEST_CASE("the new unit waits for its configuration, and its sandbox allows all that is needed") {
  Site site;
  Machine& machine = site.machine;
  site.without_smcroute();
  site.must(kInstall);
  CHECK(site.enabled("mcastd") == "enabled");
  CHECK(site.enabled("smcroute") == "disabled");
  CHECK_FALSE(site.active("mcastd"));
  CHECK(machine.property("mcastd", "ConditionResult") == "no");

  machine.write("/etc/mcastd.conf", kConfig);
  site.must("systemctl start mcastd");
  site.check_forwarding();
  CHECK(contains(site.lab.router().read_proc_net("igmp"), "010101EF"));
  site.lab.net.pull("eth0");
  site.lab.net.pull("eth1");
  site.lab.net.plug("eth1", site.lab.first);
  site.lab.net.plug("eth0", site.lab.sender);
  site.check_forwarding();
  site.must("mcastctl join eth2 239.1.1.8 && mcastctl add eth0 10.1.0.2 239.1.1.2 eth2");
  Flow added(site.lab.sender, site.lab.second, "239.1.1.2");
  CHECK(added.passes());
  site.must("systemctl reload mcastd");
  CHECK(added.blocked(site.exact));

  // Is the sandbox there at all?
  const std::string status =
      machine.sh("cat /proc/$(systemctl show --value -p MainPID mcastd)/status").out;
  CHECK(contains(status, "CapBnd:\t0000000000003000\n"));
  CHECK(contains(status, "NoNewPrivs:\t1\n"));
  CHECK(contains(status, "Seccomp:\t2\n"));

  machine.write("/etc/mcastd.conf", "mruote\n");
  const auto refused = machine.run({"systemctl", "reload", "mcastd"});
  CHECK(refused.exit_code != 0);
  site.check_forwarding();
  // Started with a mistake it says so and is not tried again and again.
  CHECK(machine.run({"systemctl", "restart", "mcastd"}).exit_code != 0);
  CHECK(machine.property("mcastd", "ExecMainStatus") == "78");
  CHECK(machine.property("mcastd", "ActiveState") == "failed");

  machine.write("/etc/mcastd.conf", kConfig);
  site.must("systemctl start mcastd");
  site.check_forwarding();
  const std::string pid = machine.property("mcastd", "MainPID");
  site.must("kill -KILL " + pid);
  CHECK(site.any.passes());  // restarted
  CHECK(machine.property("mcastd", "MainPID") != pid);

  // A command for -e is confined as well, unless a drop-in allows more.
  machine.write("/usr/local/bin/hook", "#!/bin/sh\ntouch /mnt/hook-$1 || touch /run/hook-denied\n");
  machine.write("/etc/default/mcastd", "MCASTD_OPTS=\"-e /usr/local/bin/hook\"\n");
  site.must("chmod 755 /usr/local/bin/hook && systemctl restart mcastd");
  machine.write("/etc/systemd/system/mcastd.service.d/hook.conf",
                "[Service]\nReadWritePaths=/mnt\n");
  site.must("systemctl daemon-reload && systemctl restart mcastd");
  CHECK(machine.await_shared("hook-reload"));
  CHECK(machine.exists("/run/hook-denied"));
}

TEST_CASE("removed and purged, it leaves nothing but the administrator's files") {
  Site site;
  Machine& machine = site.machine;
  site.without_smcroute();
  const std::string before = our_files(machine);
  // SMCRoute ignores the last word.
  machine.write("/etc/smcroute.conf", "phyint eth0 enable always\n" + kConfig);
  const auto installed = machine.sh(kInstall);
  INFO(installed);
  REQUIRE(installed.exit_code == 0);
  CHECK(contains(installed.err, "/etc/smcroute.conf:1:20: \"always\""));
  CHECK(contains(installed.err, "smcroute.service does not start"));
  machine.write("/etc/smcroute.conf", kConfig);
  site.must("systemctl start smcroute");
  machine.write("/etc/mcastd.conf", kConfig);
  REQUIRE(site.exact.passes());
  CHECK(machine.exists("/etc/init.d/smcroute"));

  site.must("dpkg --remove mcastd");
  CHECK_FALSE(machine.exists("/run/smcroute.sock"));
  CHECK_FALSE(machine.exists("/usr/sbin/mcastd"));
  CHECK_FALSE(machine.exists("/usr/sbin/smcrouted"));
  CHECK(machine.exists("/etc/mcastd.conf"));
  site.must("dpkg --purge mcastd");
  site.must("rm /etc/mcastd.conf /etc/smcroute.conf");
  CHECK(our_files(machine) == before);
}

TEST_CASE("the version of the package is the version of the programs") {
  const NetNamespace net;
  const auto version = run_program(net, {"dpkg-deb", "--field", package().string(), "Version"});
  CHECK(version.out.starts_with(MCASTD_VERSION "-"));
}

}  // namespace
}  // namespace mcast::testing
