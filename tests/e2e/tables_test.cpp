// SPDX-License-Identifier: BSD-2-Clause
//
// Routing tables that are declared with the interfaces whose traffic they take.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>

#include "tests/e2e/lab.hpp"
#include "tests/support/multicast_rules.hpp"

namespace mcast::testing {
namespace {

using Lines = std::vector<std::string>;

const std::string kDeclared = "table 10 name lan iif eth0\n";
const std::string kRoutes = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1") +
                            mroute("eth0", "fd00:1::2", "ff1e::101", "eth1");

/// The rules that are there for an interface.
Lines rules_for(const std::string& interface, unsigned table) {
  Lines lines;
  for (const char* family : {"ipv4", "ipv6"}) {
    lines.push_back(fmt::format("{} iif {} table {} pref 800 proto 77", family, interface, table));
    lines.push_back(fmt::format("{} oif {} table {} pref 801 proto 77", family, interface, table));
  }
  return lines;
}
Lines sorted(Lines lines) {
  std::ranges::sort(lines);
  return lines;
}
Lines operator+(Lines lines, const Lines& more) {
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}
/// All but the kernel's own, in no order.
Lines rules_in(const NetNamespace& net) {
  Lines lines = list_multicast_rules(net);
  std::erase_if(lines, [](const std::string& line) { return line.ends_with("proto 2"); });
  return sorted(std::move(lines));
}

/// Another daemon, with files of its own, that is not waited for.
struct Attempt {
  TempDir dir;
  ProgramResult run(const NetNamespace& net, std::string_view config) {
    dir.write("other.conf", config);
    return run_program(net, {built_program("mcastd"), "-n", "-f", dir / "other.conf", "-u",
                             dir / "other.sock", "-P", dir / "other.pid"});
  }
};

TEST_CASE("a declared table forwards what arrives on its interfaces") {
  for (const auto& family : kFamilies) {
    INFO(family.name);
    Lab lab;
    Daemon daemon(lab.router(), kDeclared + kRoutes);
    Flow flow(lab.sender, lab.first, family.group);
    CHECK(flow.passes());
    CHECK(rules_in(lab.router()) == sorted(rules_for("eth0", 10)));
    CHECK(lab.router().read_proc_net("ip_mr_cache").find("EF") == std::string::npos);
  }
}

TEST_CASE("what the router itself sends goes to the declared table too") {
  struct Own {
    std::string source;
    std::string group;
  };
  for (const Own& own : {Own{"10.1.0.1", "239.1.1.1"}, Own{"fd00:1::1", "ff1e::101"}}) {
    INFO(own.group);
    Lab lab;
    Daemon daemon(lab.router(), kDeclared + mroute("eth0", own.source, own.group, "eth1"));
    MulticastSender sender(lab.router(), "eth0", own.group, {.source = own.source});
    MulticastReceiver receiver = lab.first.receiver(own.group);
    CHECK(expect_flow(sender, receiver));
  }
}

TEST_CASE("wildcards follow interfaces, and names are there before them") {
  Lab lab;
  Daemon daemon(lab.router(),
                "table 10 iif eth+ late0\n" + mroute("late0", "10.1.0.2", "239.1.1.1", "eth1"));
  const auto has = [&](const Lines& lines) {
    return [&lab, expected = sorted(lines)] { return rules_in(lab.router()) == expected; };
  };
  const Lines three = rules_for("eth0", 10) + rules_for("eth1", 10) + rules_for("eth2", 10);
  CHECK(has(three + rules_for("late0", 10))());
  lab.net.plug("eth7", lab.second);
  CHECK(daemon.eventually(has(three + rules_for("late0", 10) + rules_for("eth7", 10))));
  lab.net.pull("eth7");
  CHECK(daemon.eventually(has(three + rules_for("late0", 10))));
  lab.router().rename_link("eth0", "late0");
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(daemon.eventually(
      has(rules_for("eth1", 10) + rules_for("eth2", 10) + rules_for("late0", 10))));
}

TEST_CASE("an interface that changes tables loses no packet") {
  Lab lab;
  Daemon daemon(lab.router(), kDeclared + kRoutes);
  Bystander live(lab.sender, lab.first, "239.1.1.1");
  for (int i = 0; i < 5; ++i) {
    daemon.write_config("table 11 iif eth0\n" + kRoutes);
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(rules_in(lab.router()) == sorted(rules_for("eth0", 11)));
    daemon.write_config(kDeclared + kRoutes);
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  }
  CHECK(rules_in(lab.router()) == sorted(rules_for("eth0", 10)));
  CHECK(live.undisturbed());
}

TEST_CASE("none of our rules is left when it ends, those of others are") {
  const ForeignRule other{.iif = "eth2", .table = 77, .priority = 5};
  for (const int number : {SIGTERM, SIGINT}) {
    Lab lab;
    change_multicast_rule(lab.router(), other, true);
    Daemon daemon(lab.router(), kDeclared + kRoutes);
    CHECK(rules_in(lab.router()).size() == 5);
    daemon.signal(number);
    CHECK(daemon.wait() == ExitStatus{.code = 0});
    CHECK(rules_in(lab.router()) == Lines{"ipv4 iif eth2 table 77 pref 5 proto 4"});
  }
}

TEST_CASE("a start that fails late leaves no rule") {
  Lab lab;
  const TempDir dir;
  dir.write("a.conf", kDeclared + kRoutes);
  const auto result =
      run_program(lab.router(), {built_program("mcastd"), "-n", "-f", dir / "a.conf", "-u",
                                 dir / "a.sock", "-P", dir / "missing/a.pid"});
  INFO(result);
  CHECK(result.exit_code == 71);
  CHECK(rules_in(lab.router()).empty());
}

TEST_CASE("rules that somebody removes come back at once") {
  Lab lab;
  Daemon daemon(lab.router(), kDeclared + kRoutes);
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  REQUIRE(flow.passes());
  flush_multicast_rules(lab.router());
  CHECK(daemon.eventually([&] { return rules_in(lab.router()) == sorted(rules_for("eth0", 10)); }));
  CHECK(flow.passes());
  // The kernel's own are not ours to mend.
  CHECK(list_multicast_rules(lab.router()).size() == 4);
  CHECK(daemon.eventually([&] {
    return contains(daemon.log(), "the kernel's last IPv4 multicast rule") &&
           contains(daemon.log(), "the kernel's last IPv6 multicast rule") &&
           contains(daemon.log(), "missing from the kernel");
  }));
}

TEST_CASE("after a crash the next daemon takes over what fits and drops the rest") {
  Lab lab;
  const ForeignRule other{.iif = "eth2", .table = 77, .priority = 5};
  change_multicast_rule(lab.router(), other, true);
  Daemon crashed(lab.router(), "table 10 iif eth0 eth1\ntable 12 iif gone0\n" + kRoutes);
  REQUIRE(rules_in(lab.router()).size() == 13);
  crashed.signal(SIGKILL);
  REQUIRE(crashed.wait() == ExitStatus{.code = -1, .signal = SIGKILL});
  REQUIRE(rules_in(lab.router()).size() == 13);
  Daemon next(lab.router(), kDeclared + kRoutes);
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(rules_in(lab.router()) ==
        sorted(rules_for("eth0", 10) + Lines{"ipv4 iif eth2 table 77 pref 5 proto 4"}));
}

TEST_CASE("a rule of somebody else that comes first ends the start with code 69") {
  Lab lab;
  const ForeignRule other{.iif = "eth0", .table = 77, .priority = 5};
  change_multicast_rule(lab.router(), other, true);
  const auto result = Attempt().run(lab.router(), kDeclared + kRoutes);
  INFO(result);
  CHECK(result.exit_code == 69);
  CHECK(contains(result.err, "eth0: IPv4 packets that arrive on it are to go to table 10, but a "
                             "rule of priority 5 (protocol static) takes them to table 77; remove "
                             "it with ip mrule del iif eth0 table 77 pref 5"));
  CHECK(rules_in(lab.router()) == Lines{"ipv4 iif eth0 table 77 pref 5 proto 4"});
}

TEST_CASE("a reload that would collide changes nothing") {
  Lab lab;
  Daemon daemon(lab.router(), kDeclared + kRoutes);
  const ForeignRule other{.iif = "eth2", .table = 77, .priority = 5};
  change_multicast_rule(lab.router(), other, true);
  Bystander live(lab.sender, lab.first, "239.1.1.1");
  const Lines before = rules_in(lab.router());
  daemon.write_config("table 10 iif eth2\n");
  const auto refused = daemon.ctl({"reload"});
  INFO(refused);
  CHECK(refused.exit_code == 78);
  CHECK(contains(daemon.log(), "nothing has changed"));
  CHECK(contains(refused.err, "ip mrule del iif eth2 table 77 pref 5"));
  CHECK(rules_in(lab.router()) == before);
  change_multicast_rule(lab.router(), other, false);
  daemon.write_config("table 10 iif eth0 eth2\n" + kRoutes);
  CHECK(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(live.undisturbed());
}

TEST_CASE("a collision that comes later is told and shown") {
  Lab lab;
  Daemon daemon(lab.router(), kDeclared + kRoutes);
  const ForeignRule other{.iif = "eth0", .table = 77, .priority = 5};
  change_multicast_rule(lab.router(), other, true);
  const std::string remedy = "ip mrule del iif eth0 table 77 pref 5";
  CHECK(daemon.eventually([&] { return contains(daemon.log(), remedy); }));
  const auto pending = daemon.ctl({"-d", "show", "pending"});
  INFO(pending);
  CHECK(contains(pending.out, remedy));
  change_multicast_rule(lab.router(), other, false);
  CHECK(daemon.eventually(
      [&] { return !contains(daemon.ctl({"-d", "show", "pending"}).out, remedy); }));
}

TEST_CASE("instances with tables of their own do not disturb each other") {
  Lab lab;
  Daemon first(lab.router(), kDeclared + kRoutes);
  Bystander live(lab.sender, lab.first, "239.1.1.1");
  {
    Daemon second(lab.router(),
                  "table 20 iif eth1\n" + mroute("eth1", "10.2.0.2", "239.1.1.1", "eth2"));
    Flow flow(lab.first, lab.second, "239.1.1.1");
    CHECK(flow.passes());
    CHECK(rules_in(lab.router()) == sorted(rules_for("eth0", 10) + rules_for("eth1", 20)));
    CHECK(first.ctl({"reload"}).exit_code == 0);
    CHECK(rules_in(lab.router()) == sorted(rules_for("eth0", 10) + rules_for("eth1", 20)));
    second.signal(SIGKILL);
    REQUIRE(second.wait());
  }
  CHECK(rules_in(lab.router()).size() == 8);
  Daemon third(lab.router(), "table 30 iif eth2\n");
  CHECK(rules_in(lab.router()) == sorted(rules_for("eth0", 10) + rules_for("eth2", 30)));
  CHECK(live.undisturbed());
}

TEST_CASE("a declared table or an interface of another instance is named at start") {
  Lab lab;
  Daemon first(lab.router(), kDeclared + kRoutes);
  Bystander live(lab.sender, lab.first, "239.1.1.1");
  const auto same_table = Attempt().run(lab.router(), "table 10 iif eth1\n");
  INFO(same_table);
  CHECK(same_table.exit_code == 69);
  CHECK(contains(same_table.err, "table 10"));
  CHECK(contains(same_table.err, fmt::format("mcastd (pid {})", first.pid())));
  const auto same_interface = Attempt().run(lab.router(), "table 20 iif eth0\n");
  INFO(same_interface);
  CHECK(same_interface.exit_code == 69);
  CHECK(contains(same_interface.err, "another instance of mcastd takes them to table 10"));
  CHECK(rules_in(lab.router()) == sorted(rules_for("eth0", 10)));
  CHECK(live.undisturbed());
}

TEST_CASE("a table that another instance has is waited for after a reload") {
  Lab lab;
  auto holder = std::make_unique<Daemon>(lab.router(), "table 10\n");
  Daemon daemon(lab.router(), "table 20\n");
  daemon.write_config(kDeclared + kRoutes);
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  const auto pending = daemon.ctl({"-d", "show", "pending"}).out;
  INFO(pending);
  CHECK(contains(pending, fmt::format("mcastd (pid {})", holder->pid())));
  CHECK(rules_in(lab.router()).empty());
  holder.reset();
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(daemon.eventually([&] { return rules_in(lab.router()) == sorted(rules_for("eth0", 10)); }));
}

TEST_CASE("a table that cannot be had does not keep its interfaces' traffic in the old one") {
  Lab lab;
  auto holder = std::make_unique<Daemon>(lab.router(), "table 20\n");
  Daemon daemon(lab.router(), kDeclared + kRoutes);
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  REQUIRE(flow.passes());
  daemon.write_config("table 20 iif eth0\n" + kRoutes);
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(rules_in(lab.router()).empty());
  // Table 10 is free again.
  const Daemon next(lab.router(), "table 10\n");
  holder.reset();
  CHECK(flow.passes());
  CHECK(daemon.eventually([&] { return rules_in(lab.router()) == sorted(rules_for("eth0", 20)); }));
}

}  // namespace
}  // namespace mcast::testing
