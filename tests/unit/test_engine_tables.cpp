// SPDX-License-Identifier: BSD-2-Clause
// Tables that VRFs and multicast rules choose, for kernels that have these; test_engine_fibs.cpp is
// about the others.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/engine_on_fake.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

constexpr const char* kGroup = "239.1.1.1";

FlowKey test_flow() {
  return flow("10.0.0.9", kGroup);
}

/// A router with VRFs, beside what every router on the fake has.
struct Tables : EngineOnFake {
  void add_vrf(const std::string& name, std::uint32_t table) {
    Link link;
    link.name = name;
    link.up = true;
    link.kind = "vrf";
    link.vrf_table = TableId{table};
    kernel.add_link(std::move(link));
    settle();
  }
  void enslave(const std::string& name, const std::string& vrf) {
    const IfIndex master = vrf.empty() ? IfIndex() : kernel.find_link(vrf)->link.index;
    kernel.change_link(kernel.find_link(name)->link.index, [&](Link& link) {
      link.master = master;
      link.master_is_vrf = master.value != 0;
    });
    settle();
  }
  /// Where a packet leaves that arrives now, in whatever table the kernel routes it by.
  Devices leaves_from(Device from, const FlowKey& key = test_flow()) {
    const TableKey table = kernel.table_for(from, key.family());
    if (!kernel.is_open(table)) return {};
    return kernel.outputs(table, from, key);
  }
  bool is_open(std::uint32_t table) { return kernel.is_open({Family::ipv4, TableId{table}}); }
  std::string why_pending() {
    const auto rows = engine.pending(0, 10).rows;
    return rows.empty() ? std::string() : rows.front().reason;
  }
};

/// eth0 and lan0 in the VRF red, eth1 and lan1 in blue.
struct TwoVrfs : Tables {
  Device eth0 = add("eth0");
  Device eth1 = add("eth1");
  Device lan0 = add("lan0");
  Device lan1 = add("lan1");
  TwoVrfs() {
    add_vrf("red", 10);
    add_vrf("blue", 20);
    for (const char* name : {"eth0", "lan0"}) enslave(name, "red");
    for (const char* name : {"eth1", "lan1"}) enslave(name, "blue");
  }
};

std::string route(const std::string& words, const std::string& outputs) {
  return fmt::format("mroute {} source 10.0.0.9 group {} to {}\n", words, kGroup, outputs);
}

}  // namespace

TEST_SUITE_BEGIN("tables chosen by rules");

TEST_CASE("a rule without a table follows its inbound interface into a VRF and out of it") {
  Tables it;
  const Device eth0 = it.add("eth0");
  const Device eth1 = it.add("eth1");
  it.add_vrf("red", 10);
  it.configure(route("from eth0", "eth1"));
  CHECK(it.leaves_from(eth0) == Devices{eth1});
  CHECK_FALSE(it.is_open(10));
  it.enslave("eth0", "red");
  CHECK(it.leaves_from(eth0) == Devices{eth1});
  CHECK(it.is_open(10));
  CHECK(it.kernel.entry_count(it.table_v4()) == 0);
  CHECK(it.kernel.slots_bound(it.table_v4()) == 0);
  it.enslave("eth0", "");
  CHECK(it.leaves_from(eth0) == Devices{eth1});
  CHECK_FALSE(it.is_open(10));
}

TEST_CASE("a rule with a wildcard is in the tables of all interfaces that it means") {
  TwoVrfs it;
  const Device eth2 = it.add("eth2");
  const Device lan2 = it.add("lan2");
  it.configure(fmt::format("mroute from eth+ group {} to lan+\n", kGroup));
  for (const Device from : {it.eth0, it.eth1, eth2}) it.kernel.send(from, test_flow());
  it.answer_upcalls();
  // The wildcard stays within the VRF of the inbound interface.
  CHECK(it.leaves_from(it.eth0) == Devices{it.lan0});
  CHECK(it.leaves_from(it.eth1) == Devices{it.lan1});
  CHECK(it.leaves_from(eth2) == Devices{lan2});
  CHECK(it.engine.route_rules(Engine::RuleKind::templates, 0, 10).rows.size() == 3);
  it.enslave("lan0", "blue");
  CHECK(it.leaves_from(it.eth0).empty());
  CHECK(it.leaves_from(it.eth1) == Devices{it.lan0, it.lan1});
  it.configure("");
  for (const std::uint32_t table : {10U, 20U}) CHECK_FALSE(it.is_open(table));
}

TEST_CASE("an exact outbound name crosses VRFs") {
  Tables it;
  it.add_vrf("red", 10);
  const Device eth0 = it.add("eth0");
  const Device eth1 = it.add("eth1");
  it.enslave("eth0", "red");
  it.configure(route("from eth0", "eth1"));
  CHECK(it.leaves_from(eth0) == Devices{eth1});
}

TEST_CASE("a rule of a VRF waits for it and follows its table") {
  Tables it;
  const Device eth0 = it.add("eth0");
  const Device eth1 = it.add("eth1");
  it.configure(route("vrf red from eth0", "eth1"));
  CHECK(it.why_pending() == "VRF red does not exist");
  CHECK_FALSE(it.kernel.is_open(it.table_v4()));
  it.add_vrf("red", 10);
  CHECK(it.why_pending() == "interface eth0 is not in VRF red");
  it.enslave("eth0", "red");
  CHECK(it.why_pending().empty());
  CHECK(it.leaves_from(eth0) == Devices{eth1});
  it.enslave("eth0", "");
  it.remove("red");
  CHECK_FALSE(it.is_open(10));
  it.add_vrf("red", 11);
  it.enslave("eth0", "red");
  CHECK(it.leaves_from(eth0) == Devices{eth1});
  CHECK(it.is_open(11));
}

TEST_CASE("what is named as a VRF and is none is reported") {
  Tables it;
  it.add("eth0");
  it.configure(route("vrf eth0 from eth0", "eth1"));
  CHECK(it.why_pending() == "\"eth0\" is no VRF but an interface");
  const auto notices = it.engine.take_notices();
  CHECK(std::ranges::count(notices, "\"eth0\" is no VRF but an interface; what is for it waits",
                           &Notice::text) == 1);
  it.configure(route("vrf eth0 from eth0", "eth1"));
  CHECK(it.engine.take_notices().empty());
  const auto refused =
      it.engine.add_route(EngineOnFake::route({"vrf", "eth0", "eth0", "10.0.0.9", kGroup}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "\"eth0\" is no VRF but an interface");
}

TEST_CASE("two VRFs carry the same flow independently") {
  TwoVrfs it;
  it.configure(route("vrf red from eth+", "lan+") + route("vrf blue from eth+", "lan+"));
  CHECK(it.leaves_from(it.eth0) == Devices{it.lan0});
  CHECK(it.leaves_from(it.eth1) == Devices{it.lan1});
}

TEST_CASE("commands mean rules of their domain only, and are undone in all tables") {
  Tables it;
  it.add_vrf("red", 10);
  const Device eth0 = it.add("eth0");
  const Device eth1 = it.add("eth1");
  it.add("eth2");
  it.enslave("eth0", "red");
  it.configure(route("from eth0", "eth1"));
  const auto of_red = EngineOnFake::route({"vrf", "red", "eth0", "10.0.0.9", kGroup, "eth2"});
  CHECK_FALSE(it.engine.remove_route(of_red));
  it.engine.begin();
  REQUIRE(it.engine.add_route(of_red));
  REQUIRE(it.engine.add_route(EngineOnFake::route({"eth+", kGroup, "eth1"})));
  it.engine.rollback();
  CHECK(it.settle() == 0);
  CHECK(it.leaves_from(eth0) == Devices{eth1});
  REQUIRE(it.engine.add_route(of_red));
  it.settle();
  CHECK(it.leaves_from(eth0).size() == 2);
  REQUIRE(it.engine.remove_route(of_red));
  it.settle();
  CHECK(it.leaves_from(eth0) == Devices{eth1});
}

TEST_CASE("the default table is left to others if all rules say that they are elsewhere") {
  Tables it;
  it.add("eth0");
  it.add("eth1");
  CHECK(it.kernel.is_open(it.table_v4()));
  it.configure("table 20 name uplink\n" + route("table uplink from eth0", "eth1"));
  CHECK(it.is_open(20));
  CHECK(it.kernel.is_open({Family::ipv6, TableId{20}}));
  CHECK_FALSE(it.kernel.is_open(it.table_v4()));
  it.configure(route("from eth0", "eth1"));
  CHECK(it.kernel.is_open(it.table_v4()));
  CHECK_FALSE(it.is_open(20));
}

TEST_CASE("a table that another program holds is tried again") {
  Tables it;
  it.add("eth0");
  it.add("eth1");
  const TableKey table{Family::ipv4, TableId{20}};
  it.kernel.occupy_table(table);
  it.configure(route("table 20 from eth0", "eth1"));
  CHECK_FALSE(it.why_pending().empty());
  REQUIRE(it.engine.next_deadline());
  it.kernel.vacate_table(table);
  it.now = *it.engine.next_deadline();
  it.settle();
  CHECK(it.kernel.is_open(table));
  CHECK(it.why_pending().empty());
}

TEST_CASE("joins of a VRF end when it takes another name, its members staying as they are") {
  Tables it;
  it.add("eth0");
  it.add_vrf("red", 10);
  it.enslave("eth0", "red");
  it.configure("mgroup vrf red from eth0 group 239.1.1.1\n");
  REQUIRE(it.kernel.memberships().size() == 1);
  it.rename("red", "blue");
  CHECK(it.kernel.memberships().empty());
  it.rename("blue", "red");
  CHECK(it.kernel.memberships().size() == 1);
}

TEST_CASE("joins and slots of a VRF are for its members") {
  Tables it;
  it.add_vrf("red", 10);
  it.add("eth0");
  const Device eth1 = it.add("eth1");
  it.configure(fmt::format("mgroup vrf red from eth+ group {}\n", kGroup));
  CHECK(it.kernel.memberships().empty());
  it.enslave("eth1", "red");
  REQUIRE(it.kernel.memberships().size() == 1);
  CHECK(it.kernel.memberships().begin()->device == eth1);
  it.enslave("eth1", "");
  CHECK(it.kernel.memberships().empty());
}

TEST_CASE("interfaces beyond the slots of one table are spread over the tables of a range") {
  Tables it;
  constexpr int kInterfaces = 60;
  std::vector<Device> devices;
  std::string rules = "tables auto 100-109\n";
  for (int i = 0; i < kInterfaces; ++i) devices.push_back(it.add(fmt::format("eth{}", i)));
  for (int i = 0; i < kInterfaces; ++i) {
    rules += fmt::format("mroute from eth{} source 10.0.0.9 group 239.1.2.{} to eth{}\n", i, i,
                         (i + 1) % kInterfaces);
  }
  const auto group_of = [](int i) { return flow("10.0.0.9", fmt::format("239.1.2.{}", i)); };
  it.kernel.occupy_table({Family::ipv4, TableId{101}});
  it.configure(rules);
  while (const auto deadline = it.engine.next_deadline()) {
    if (it.why_pending().empty()) break;
    it.now = *deadline;
    it.settle();
  }
  CHECK(it.why_pending().empty());
  for (int i = 0; i < kInterfaces; ++i) {
    CAPTURE(i);
    const auto position = static_cast<std::size_t>(i);
    CHECK(it.leaves_from(devices[position], group_of(i)) ==
          Devices{devices[(position + 1) % devices.size()]});
  }
  CHECK(it.kernel.open_tables().size() <= 3);
  // One that comes back is where it was, and the others have not moved.
  const auto before = it.kernel.change_count();
  it.remove("eth7");
  const Device again = it.add("eth7");
  CHECK(it.leaves_from(again, group_of(7)) == Devices{devices[8]});
  CHECK(it.kernel.change_count() - before < 40);
  it.configure("");
  CHECK(it.kernel.open_tables().size() == 2);
}

TEST_SUITE_END();
