// SPDX-License-Identifier: BSD-2-Clause
//
// Kinds of interfaces that traffic is routed between.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

/// The row of one interface in `show interfaces`.
Json interface_row(const Daemon& daemon, const std::string& name) {
  const auto result = daemon.ctl({"-j", "show", "interfaces"});
  INFO(result);
  REQUIRE(result.exit_code == 0);
  const Json answer = Json::parse(result.out);
  for (const Json& row : answer["interfaces"]) {
    if (row["name"] == name) return row;
  }
  return {};
}

struct Ends {
  MulticastSender sender;
  MulticastReceiver receiver;
};

/// Interfaces of a VLAN instead of the hosts' own ones: the cables carry the frames with their tag.
struct VlanLab : Lab {
  static constexpr std::uint16_t kVlan = 10;

  VlanLab() {
    add(sender, "eth0");
    add(first, "eth1");
  }
  void add(Host& host, const std::string& interface) {
    const std::string name = tagged(interface);
    router().add_vlan(name, interface, kVlan);
    host.net().add_vlan("vlan10", Host::kLan, kVlan);
    host.net().add_address("vlan10", fmt::format("10.10.{}.2/24", host.number()));
    host.net().add_address("vlan10", fmt::format("fd10:{}::2/64", host.number()));
  }
  static std::string tagged(const std::string& interface) { return interface + ".10"; }
  Ends ends(const std::string& source, const std::string& group) {
    return {{sender.net(), "vlan10", group, {.source = source}}, {first.net(), "vlan10", group}};
  }
};

TEST_CASE("VLAN interfaces are routed between, and their names with a dot are names") {
  const FamilyCase cases[] = {{"IPv4", "10.10.1.2", "239.1.1.1", {}, {}},
                              {"IPv6", "fd10:1::2", "ff1e::101", {}, {}}};
  for (const FamilyCase& family : cases) {
    CAPTURE(family.name);
    VlanLab lab;
    Daemon daemon(lab.router(), mroute("eth0.10", family.source, family.group, "eth1.+"));
    auto [sender, receiver] = lab.ends(family.source, family.group);
    CHECK(expect_flow(sender, receiver));
    lab.router().remove_link("eth1.10");
    CHECK(daemon.eventually([&] { return interface_row(daemon, "eth1.10").is_null(); }));
    lab.router().add_vlan("eth1.10", "eth1", VlanLab::kVlan);
    CHECK(expect_flow(sender, receiver));
  }
}

/// The router's ends of the cables are ports of a bridge that keeps VLANs apart: eth0 is in VLAN
/// 10, eth1 in VLAN 20, and the VLAN interfaces br0.10 and br0.20 lead to them.
struct BridgeLab : Lab {
  BridgeLab() {
    router().add_bridge("br0");
    router().filter_vlans("br0");
    add("eth0", 10);
    add("eth1", 20);
  }
  void add(const std::string& port, std::uint16_t vlan) {
    router().enslave(port, "br0");
    router().set_port_vlan(port, vlan);
    router().add_bridge_vlan("br0", vlan);
    router().add_vlan(fmt::format("br0.{}", vlan), "br0", vlan);
  }
};

TEST_CASE("VLAN interfaces of a bridge with VLAN filtering are routed between, its ports are not") {
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    BridgeLab lab;
    Daemon daemon(lab.router(), mroute("br0.10", family.source, family.group, "br0.20") +
                                    mroute("eth0", family.source, family.other_group, "br0.20"));
    Flow flow(lab.sender, lab.first, family.group);
    CHECK(flow.passes());
    // What a port receives arrives on the bridge, as far as routing goes.
    Flow port(lab.sender, lab.first, family.other_group);
    CHECK(port.blocked(flow));
    CHECK(contains(interface_row(daemon, "eth0").dump(), "br0"));
  }
}

/// Two routers with a tunnel between them: the sender behind one, the receiver behind the other.
struct TunnelLab {
  Topology near;
  Topology far;
  Host& sender = near.add_host();
  Host& same_addresses_as_sender = far.add_host();
  Host& receiver = far.add_host();

  TunnelLab() {
    near.plug("eth0", sender);
    far.plug("eth0", receiver);
    near.router().add_veth("wire", far.router(), "wire");
    near.router().add_address("wire", "192.0.2.1/24");
    far.router().add_address("wire", "192.0.2.2/24");
    near.router().add_gre("tun0", "192.0.2.1", "192.0.2.2");
    far.router().add_gre("tun0", "192.0.2.2", "192.0.2.1");
  }
};

TEST_CASE("a route goes over a GRE tunnel from one router to another") {
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    TunnelLab lab;
    Daemon near(lab.near.router(), mroute("eth0", family.source, family.group, "tun0"));
    Daemon far(lab.far.router(), mroute("tun0", family.source, family.group, "eth0"));
    Flow flow(lab.sender, lab.receiver, family.group);
    CHECK(flow.passes());
    lab.far.router().remove_link("tun0");
    CHECK(far.eventually([&] { return interface_row(far, "tun0").is_null(); }));
    lab.far.router().add_gre("tun0", "192.0.2.2", "192.0.2.1");
    CHECK(flow.passes());
  }
}

TEST_CASE("interfaces that the GRE module makes in every namespace take no slots by themselves") {
  Lab lab;
  for (const char* uninvited : {"gre0", "gretap0", "erspan0"}) {
    CAPTURE(uninvited);
    REQUIRE(lab.router().has_link(uninvited));
  }
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth+ gre+"));
  Flow flow(lab.sender, lab.second, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(interface_row(daemon, "erspan0")["vif"].is_null());
  // The kernel makes gre0 without the flag that routing multicast asks for, but not gretap0.
  CHECK(interface_row(daemon, "gre0")["vif"].is_null());
  CHECK_FALSE(interface_row(daemon, "gretap0")["vif"].is_null());
}

}  // namespace
}  // namespace mcast::testing
