// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

/// Two outbound interfaces and a flow that only the second one gets.
std::string two_outputs(const FamilyCase& family) {
  return mroute("eth0", family.source, family.group, "eth1 eth2") +
         mroute("eth0", family.source, family.other_group, "eth2") +
         mroute("eth0", family.source, family.control_group, "eth1 eth2");
}

TEST_CASE("phyint, mroute and mgroup lines become forwarding and memberships") {
  Lab lab;
  std::string config = "phyint eth0 enable\nphyint eth1 enable\nphyint eth2 enable\n";
  for (const auto& family : kFamilies)
    config += fmt::format("mgroup from eth0 group {}\n", family.group) + two_outputs(family);
  Daemon daemon(lab.router(), config);
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Flow to_first(lab.sender, lab.first, family.group);
    Flow to_second(lab.sender, lab.second, family.group);
    CHECK(to_first.passes());
    CHECK(to_second.passes());
    Flow only_second(lab.sender, lab.second, family.other_group);
    Flow not_first(lab.sender, lab.first, family.other_group);
    CHECK(only_second.passes());
    CHECK(not_first.blocked(to_first));
    Flow unknown(lab.sender, lab.second, family.name == "IPv4" ? "239.9.9.9" : "ff1e::999");
    CHECK(unknown.blocked(only_second));
  }
  CHECK(contains(lab.router().read_proc_net("igmp"), "010101EF"));
  CHECK(contains(lab.router().read_proc_net("igmp6"), "ff1e0000000000000000000000000101"));
}

TEST_CASE("lines may come in any order and may be continued on the next one") {
  Lab lab;
  Daemon daemon(lab.router(),
                "mroute from eth0 \\\n  source 10.1.0.2 group 239.1.1.1 \\\n  to eth1\n"
                "# phyint may come after its users\n"
                "phyint eth1 enable # and a comment may follow\n"
                "phyint eth0 enable\n");
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
}

TEST_CASE("included files are read, and a glob that matches nothing is no error") {
  Lab lab;
  const TempDir extra;
  extra.write("a.conf", mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"));
  extra.write("b.conf", mroute("eth0", "10.1.0.2", "239.1.1.2", "eth1"));
  Daemon daemon(lab.router(),
                fmt::format("include {0}/*.conf\ninclude {0}/*.none\n", extra.path().string()));
  Flow one(lab.sender, lab.first, "239.1.1.1");
  Flow two(lab.sender, lab.first, "239.1.1.2");
  CHECK(one.passes());
  CHECK(two.passes());
}

TEST_CASE("a rule without outbound interfaces blocks the flow") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), fmt::format("mroute from eth0 source {} group {}\n", family.source,
                                            family.group) +
                                    mroute("eth0", family.source, family.control_group, "eth1"));
    Flow blocked(lab.sender, lab.first, family.group);
    Flow control(lab.sender, lab.first, family.control_group);
    REQUIRE(control.passes());
    CHECK(blocked.blocked(control));
  }
}

TEST_CASE("packets pass a threshold only with a greater TTL") {
  Lab lab;
  Daemon daemon(lab.router(), "phyint eth1 ttl-threshold 16\n" +
                                  mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1 eth2"));
  auto receiver = lab.first.receiver("239.1.1.1");
  auto low = lab.sender.sender("239.1.1.1", {.hops = 16});
  auto high = lab.sender.sender("239.1.1.1", {.hops = 17});
  REQUIRE(expect_flow(high, receiver));
  CHECK(expect_no_flow(low, receiver, high, receiver));
  auto elsewhere = lab.second.receiver("239.1.1.1");
  CHECK(expect_flow(low, elsewhere));
}

TEST_CASE("a disabled interface stays out of every rule and wildcard") {
  Lab lab;
  Daemon daemon(lab.router(), "mroute from eth0 source 10.1.0.2 group 239.1.1.1 to eth+\n"
                              "phyint eth1 disable\n");
  Flow control(lab.sender, lab.second, "239.1.1.1");
  Flow disabled(lab.sender, lab.first, "239.1.1.1");
  REQUIRE(control.passes());
  CHECK(disabled.blocked(control));
}

TEST_CASE("an outbound interface is deleted and made again") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), two_outputs(family));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    Bystander other_output(lab.sender, lab.second, family.group);
    Bystander other_flow(lab.sender, lab.second, family.other_group);
    for (int i = 0; i < 3; ++i) {
      lab.net.pull("eth1");
      CHECK_FALSE(flow.passes(Duration{50}));
      lab.net.plug("eth1", lab.first);
      CHECK(flow.passes());
    }
    CHECK(other_output.undisturbed());
    CHECK(other_flow.undisturbed());
  }
}

TEST_CASE("the inbound interface is deleted and made again") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Host& elsewhere = lab.net.add_host();
    lab.net.plug("in9", elsewhere);
    Daemon daemon(lab.router(),
                  two_outputs(family) + mroute("in9", elsewhere.address_for(family.group),
                                               family.other_group, "eth2"));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    Bystander bystander(elsewhere, lab.second, family.other_group);
    for (int i = 0; i < 3; ++i) {
      lab.net.pull("eth0");
      CHECK_FALSE(flow.passes(Duration{50}));
      lab.net.plug("eth0", lab.sender);
      CHECK(flow.passes());
    }
    CHECK(bystander.undisturbed());
  }
}

TEST_CASE("interfaces that a rule names may arrive after the start") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Topology net;
    Host& sender = net.add_host();
    Host& receiver = net.add_host();
    Daemon daemon(net.router(), mroute("wan0", family.source, family.group, "tun7"));
    net.plug("tun7", receiver);
    net.plug("wan0", sender);
    Flow flow(sender, receiver, family.group);
    CHECK(flow.passes());
  }
}

TEST_CASE("a wildcard follows the interfaces that come and go") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    lab.net.plug("lan0", lab.first);
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "lan+") +
                                    mroute("eth0", family.source, family.control_group, "eth2"));
    Flow first(lab.sender, lab.first, family.group);
    Flow second(lab.sender, lab.second, family.group);
    Flow control(lab.sender, lab.second, family.control_group);
    CHECK(first.passes());
    REQUIRE(control.passes());
    CHECK(second.blocked(control));
    Bystander bystander(lab.sender, lab.first, family.group);
    lab.net.plug("lan15", lab.second);
    CHECK(second.passes());
    lab.net.pull("lan15");
    CHECK(second.blocked(control));
    CHECK(bystander.undisturbed());
  }
}

TEST_CASE("a renamed interface serves the rules of its new name only") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1") +
                                    mroute("eth0", family.source, family.other_group, "wan9") +
                                    mroute("eth0", family.source, family.control_group, "eth2"));
    Flow old_name(lab.sender, lab.first, family.group);
    Flow new_name(lab.sender, lab.first, family.other_group);
    Flow control(lab.sender, lab.second, family.control_group);
    REQUIRE(old_name.passes());
    REQUIRE(control.passes());
    CHECK(new_name.blocked(control));
    lab.router().rename_link("eth1", "wan9");
    CHECK(new_name.passes());
    CHECK(eventually_blocked(daemon, old_name, control));
    lab.router().rename_link("wan9", "eth1");
    CHECK(old_name.passes());
    CHECK(eventually_blocked(daemon, new_name, control));
  }
}

TEST_CASE("a renamed inbound interface serves the rules of its new name only") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1") +
                                    mroute("up0", family.source, family.other_group, "eth1"));
    Flow old_name(lab.sender, lab.first, family.group);
    Flow new_name(lab.sender, lab.first, family.other_group);
    REQUIRE(old_name.passes());
    lab.router().rename_link("eth0", "up0");
    CHECK(new_name.passes());
    CHECK(eventually_blocked(daemon, old_name, new_name));
  }
}

TEST_CASE("two interfaces exchange their names") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1") +
                                  mroute("eth0", "10.1.0.2", "239.1.1.9", "eth1 eth2"));
  Flow first(lab.sender, lab.first, "239.1.1.1");
  Flow second(lab.sender, lab.second, "239.1.1.1");
  Flow control_first(lab.sender, lab.first, "239.1.1.9");
  REQUIRE(first.passes());
  lab.router().rename_link("eth1", "swap");
  lab.router().rename_link("eth2", "eth1");
  lab.router().rename_link("swap", "eth2");
  CHECK(second.passes());
  CHECK(control_first.passes());
  CHECK(eventually_blocked(daemon, first, control_first));
}

TEST_CASE("an interface that goes down and up again keeps forwarding and its slot") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), two_outputs(family));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    const std::string before = daemon.ctl({"-p", "show", "interfaces"}).out;
    lab.router().set_down("eth1");
    CHECK_FALSE(flow.passes(Duration{50}));
    lab.router().set_up("eth1");
    CHECK(flow.passes());
    CHECK(daemon.ctl({"-p", "show", "interfaces"}).out == before);
  }
}

TEST_CASE("an interface that moves to another namespace counts as gone until it returns") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), two_outputs(family));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    NetNamespace drawer;
    lab.router().move_link("eth1", drawer);
    CHECK_FALSE(flow.passes(Duration{50}));
    drawer.move_link("eth1", lab.router());
    CHECK(flow.passes());
  }
}

TEST_CASE("an interface without the MULTICAST flag does not count until it has it") {
  Lab lab;
  lab.router().set_multicast("eth1", false);
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1 eth2"));
  Flow first(lab.sender, lab.first, "239.1.1.1");
  Flow second(lab.sender, lab.second, "239.1.1.1");
  REQUIRE(second.passes());
  CHECK(first.blocked(second));
  lab.router().set_multicast("eth1", true);
  CHECK(first.passes());
}

TEST_CASE("interfaces that flap faster than anyone can look end where they stand") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Host& elsewhere = lab.net.add_host();
    lab.net.plug("in9", elsewhere);
    Daemon daemon(lab.router(),
                  two_outputs(family) + mroute("in9", elsewhere.address_for(family.group),
                                               family.other_group, "eth2"));
    Bystander bystander(elsewhere, lab.second, family.other_group);
    for (int i = 0; i < 15; ++i) {
      lab.net.pull("eth1");
      lab.net.pull("eth0");
      lab.net.plug("eth1", lab.first);
      lab.net.plug("eth0", lab.sender);
    }
    Flow flow(lab.sender, lab.first, family.group);
    CHECK(flow.passes());
    CHECK(bystander.undisturbed());
    CHECK(daemon.running());
  }
}

TEST_CASE("commands at run time add and remove forwarding") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.control_group, "eth1 eth2"));
    Flow first(lab.sender, lab.first, family.group);
    Flow second(lab.sender, lab.second, family.group);
    Flow control_first(lab.sender, lab.first, family.control_group);
    Flow control_second(lab.sender, lab.second, family.control_group);
    REQUIRE(control_first.passes());
    CHECK(first.blocked(control_first));

    const auto run = [&](const std::vector<std::string>& words) {
      const auto result = daemon.ctl(words);
      CHECK(result.exit_code == 0);
      CHECK(result.out.empty());
      CHECK(result.err.empty());
    };
    run({"add", "eth0", family.source, family.group, "eth1", "eth2"});
    CHECK(first.passes());
    CHECK(second.passes());
    run({"remove", "eth0", family.source, family.group, "eth1"});
    CHECK(first.blocked(control_first));
    CHECK(second.passes());
    run({"add", "eth0", family.source, family.group, "eth1"});
    CHECK(first.passes());
    run({"del", "eth0", family.source, family.group});
    CHECK(second.blocked(control_second));
  }
}

}  // namespace
}  // namespace mcast::testing
