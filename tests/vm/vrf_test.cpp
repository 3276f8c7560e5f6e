// SPDX-License-Identifier: BSD-2-Clause
//
// VRFs: rules of their own, interfaces that join and leave, devices that come and go.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <set>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

std::string in_vrf(const std::string& vrf, const std::string& line) {
  return "mroute vrf " + vrf + line.substr(std::string("mroute").size());
}

Json show(const Daemon& daemon, const std::vector<std::string>& what) {
  std::vector<std::string> arguments{"-j", "show"};
  arguments.insert(arguments.end(), what.begin(), what.end());
  const auto result = daemon.ctl(arguments);
  INFO(result);
  REQUIRE(result.exit_code == 0);
  return Json::parse(result.out);
}

/// The tables in which the kernel has entries of a group.
std::vector<std::uint32_t> tables_of(const Daemon& daemon, const std::string& group) {
  std::vector<std::uint32_t> tables;
  const Json answer = show(daemon, {"routes"});
  for (const Json& route : answer["routes"]["kernel"]) {
    if (route["group"] == group) tables.push_back(route["table"]);
  }
  return tables;
}

/// The lab with its interfaces in the VRF red, but for those that are told.
struct VrfLab : Lab {
  static constexpr std::uint32_t kRed = 10;
  explicit VrfLab(const std::vector<std::string>& members) {
    router().add_vrf("red", kRed);
    for (const auto& member : members) router().enslave(member, "red");
  }
};

TEST_CASE("rules follow their interfaces into a VRF and out of it, those of the VRF stay there") {
  VrfLab lab({"eth0", "eth1"});
  std::string rules;
  for (const FamilyCase& family : kFamilies) {
    rules += in_vrf("red", mroute("eth0", family.source, family.group, "eth1")) +
             mroute("eth0", family.source, family.other_group, "eth1");
  }
  Daemon daemon(lab.router(), rules);
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    Flow flow(lab.sender, lab.first, family.group);
    Flow automatic(lab.sender, lab.first, family.other_group);
    CHECK(flow.passes());
    CHECK(automatic.passes());
    CHECK(tables_of(daemon, family.other_group) == std::vector{VrfLab::kRed});
    lab.router().release("eth0");
    CHECK(automatic.passes());
    CHECK(eventually_blocked(daemon, flow, automatic));
    CHECK(tables_of(daemon, family.other_group) != std::vector{VrfLab::kRed});
    lab.router().enslave("eth0", "red");
    CHECK(flow.passes());
    CHECK(automatic.passes());
  }
}

TEST_CASE("what any source sends is learned or native in a VRF as it is elsewhere") {
  VrfLab lab({"eth0", "eth1"});
  std::string rules;
  for (const FamilyCase& family : kFamilies) {
    rules += fmt::format("mroute vrf red from eth+ group {} learned to eth+\n"
                         "mroute from eth0 group {} native to eth1\n",
                         family.group, family.other_group);
    // A wildcard stays in the VRF, a name may leave it.
    rules += in_vrf("red", mroute("eth0", family.source, family.control_group, "eth2"));
  }
  Daemon daemon(lab.router(), rules);
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    CHECK(Flow(lab.sender, lab.first, family.group).passes());
    CHECK(Flow(lab.sender, lab.first, family.other_group).passes());
    Flow control(lab.sender, lab.second, family.control_group);
    REQUIRE(control.passes());
    CHECK(Flow(lab.sender, lab.second, family.group).blocked(control));
    lab.router().enslave("eth2", "red");
    CHECK(Flow(lab.sender, lab.second, family.group).passes());
    lab.router().release("eth2");
  }
}

/// Two VRFs with a sender and a receiver each; both senders have the same addresses.
struct TwoVrfs : VrfLab {
  Host& twin = net.add_host();

  TwoVrfs() : VrfLab({"eth0", "eth1"}) {
    net.plug("eth3", twin);
    twin.net().add_address(Host::kLan, "10.1.0.2/24");
    twin.net().add_address(Host::kLan, "fd00:1::2/64");
    router().add_vrf("blue", 20);
    router().enslave("eth2", "blue");
    router().enslave("eth3", "blue");
  }
};

TEST_CASE("two VRFs carry the same source and group, and packets of one never leave in the other") {
  TwoVrfs lab;
  std::string rules;
  for (const FamilyCase& family : kFamilies) {
    rules += in_vrf("red", mroute("eth0", family.source, family.group, "eth1")) +
             in_vrf("blue", mroute("eth3", family.source, family.group, "eth2"));
  }
  Daemon daemon(lab.router(), rules);
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    Flow red(lab.sender, lab.first, family.group);
    Flow blue(lab.twin, lab.second, family.group, family.source);
    const auto pass_apart = [&] {
      for (int i = 0; i < 10; ++i) {
        red.sender.send();
        blue.sender.send();
      }
      CHECK(red.passes());
      CHECK(blue.passes());
      CHECK(red.receiver.account(blue.sender).received == 0);
      CHECK(blue.receiver.account(red.sender).received == 0);
    };
    pass_apart();
    CHECK(tables_of(daemon, family.group).size() == 2);
    // A VRF that is gone takes nothing of the other one with it, and comes back elsewhere.
    lab.router().remove_link("red");
    CHECK(daemon.eventually([&] { return tables_of(daemon, family.group).size() == 1; }));
    CHECK(blue.passes());
    lab.router().add_vrf("red", 30);
    lab.router().enslave("eth0", "red");
    lab.router().enslave("eth1", "red");
    pass_apart();
    const auto tables = tables_of(daemon, family.group);
    CHECK(std::set(tables.begin(), tables.end()) == std::set<std::uint32_t>{20, 30});
    lab.router().remove_link("red");
    lab.router().add_vrf("red", VrfLab::kRed);
    lab.router().enslave("eth0", "red");
    lab.router().enslave("eth1", "red");
  }
}

TEST_CASE("rules of a VRF wait for its device, and are not taken in by another one of its name") {
  Lab lab;
  std::string rules;
  for (const FamilyCase& family : kFamilies) {
    rules += in_vrf("red", mroute("eth0", family.source, family.group, "eth1")) +
             mroute("eth0", family.source, family.control_group, "eth1");
  }
  Daemon daemon(lab.router(), rules);
  const auto pending = [&] { return show(daemon, {"pending"}).dump(); };
  CHECK(contains(pending(), "VRF red does not exist"));
  lab.router().add_dummy("red");
  CHECK(daemon.eventually([&] { return contains(pending(), "is no VRF"); }));
  for (const FamilyCase& family : kFamilies) {
    Flow control(lab.sender, lab.first, family.control_group);
    CHECK(control.passes());
    CHECK(Flow(lab.sender, lab.first, family.group).blocked(control));
  }
  lab.router().remove_link("red");
  lab.router().add_vrf("red", 10);
  for (const char* member : {"eth0", "eth1"}) lab.router().enslave(member, "red");
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    CHECK(Flow(lab.sender, lab.first, family.group).passes());
    CHECK(Flow(lab.sender, lab.first, family.control_group).passes());
  }
  CHECK_FALSE(contains(pending(), "red"));
  // What is shown can be limited to the VRF.
  const Json routes = show(daemon, {"routes", "vrf", "red"})["routes"]["kernel"];
  CHECK(routes.size() == 4);
  for (const Json& route : routes) CHECK(route["table"] == 10);
  CHECK(contains(daemon.ctl({"show", "interfaces"}).out, "TABLE"));
}

TEST_CASE("what the router itself sends on a member of a VRF is routed by the VRF's table") {
  VrfLab lab({"eth0", "eth1"});
  std::string rules;
  for (const FamilyCase& family : kFamilies) {
    rules += fmt::format("mroute vrf red from eth0 group {} to eth1\n", family.group);
  }
  Daemon daemon(lab.router(), rules);
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    MulticastSender sender(lab.router(), "eth0", family.group);
    MulticastReceiver receiver = lab.first.receiver(family.group);
    CHECK(expect_flow(sender, receiver));
  }
}

}  // namespace
}  // namespace mcast::testing
