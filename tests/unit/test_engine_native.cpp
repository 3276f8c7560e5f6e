// SPDX-License-Identifier: BSD-2-Clause
// Rules that the kernel carries out for any source by itself, and what keeps them from it. The
// suite is for kernels that can, the last cases are about those that cannot.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

const Address kGroup = *Address::parse("225.1.2.3");
const std::string kNative = "mroute from eth0 group 225.1.2.3 native to eth1 eth2\n";

FlowKey from_source(unsigned number) {
  return flow(fmt::format("10.0.{}.{}", number / 250, number % 250 + 1), "225.1.2.3");
}

/// eth0 to eth3.
struct FourInterfaces : EngineOnFake {
  explicit FourInterfaces(const KernelTraits& traits = traits_under_test()) : EngineOnFake(traits) {
    for (unsigned i = 0; i < 4; ++i) device[i] = add(fmt::format("eth{}", i));
  }
  [[nodiscard]] Devices out_of(unsigned number, unsigned source = 1) const {
    return out(device[number], from_source(source));
  }
  [[nodiscard]] std::size_t native_entries() const {
    return kernel.any_source_entries(table_v4(), kGroup).size();
  }
  [[nodiscard]] std::string why_not() const {
    return engine.route_rules(Engine::RuleKind::templates, 0, 10).rows.at(0).why_not_native;
  }
  void send_later(Device from, unsigned source = 1) {
    kernel.advance(3'000);
    send(from, from_source(source));
  }
  std::array<Device, 4> device;
};

TEST_SUITE_BEGIN("native entries");

TEST_CASE("any number of sources costs no upcall, no entry and no packet") {
  FourInterfaces it;
  it.configure(kNative);
  for (unsigned i = 0; i < 2'000; ++i) it.send(it.device[0], from_source(i));
  CHECK(it.kernel.take_deliveries().size() == 4'000);
  CHECK(it.calls == 0);
  CHECK(it.kernel.entry_count(it.table_v4()) == 1);
  CHECK(it.engine.tables().at(0).learned == 0);
  CHECK(it.configure(kNative) == 0);
}

TEST_CASE("a native entry has a direction") {
  FourInterfaces it;
  it.configure(kNative);
  CHECK(it.out_of(0) == Devices{it.device[1], it.device[2]});
  it.send_later(it.device[1]);
  CHECK(it.out_of(1).empty());
  CHECK(it.kernel.entry_count(it.table_v4()) == 1);
}

TEST_CASE("chains are put in the order in which the kernel finds them") {
  FourInterfaces it;
  const std::string second = "mroute from eth1 group 225.1.2.3 native to eth2\n";
  const std::string first = "mroute from eth0 group 225.1.2.3 native to eth1\n";
  SUBCASE("at once") {
    it.configure(second + first);
  }
  SUBCASE("the first of them later, which moves the second") {
    it.configure(second);
    it.configure(second + first);
  }
  CHECK(it.out_of(0) == Devices{it.device[1]});
  CHECK(it.out_of(1) == Devices{it.device[2]});
  CHECK(it.why_not().empty());
}

TEST_CASE("exceptions for single sources are on top") {
  FourInterfaces it;
  it.configure("mroute from eth0 except 10.0.0.2 group 225.1.2.3 native to eth1\n"
               "mroute from eth0 source 10.0.0.3 group 225.1.2.3 to eth3\n");
  CHECK(it.out_of(0, 0) == Devices{it.device[1]});
  CHECK(it.out_of(0, 1).empty());
  CHECK(it.out_of(0, 2) == Devices{it.device[3]});
  CHECK(it.native_entries() == 1);
}

TEST_CASE("an exception on several interfaces follows its source") {
  FourInterfaces it;
  it.configure("mroute from eth0 group 225.1.2.3 native to eth1\n"
               "mroute from eth+ source 10.0.0.2 group 225.1.2.3 to eth3\n");
  for (const unsigned arrival : {2U, 0U}) {
    it.send_later(it.device[arrival]);
    CHECK(it.out_of(arrival) == Devices{it.device[3]});
  }
}

TEST_CASE("what nothing wants is blocked for all sources at once") {
  FourInterfaces it;
  it.configure(kNative + "phyint eth3 enable\n");
  for (unsigned i = 0; i < 100; ++i) it.send(it.device[3], from_source(i));
  CHECK(it.kernel.entry_count(it.table_v4()) == 2);
  CHECK(it.out_of(0) == Devices{it.device[1], it.device[2]});
  it.engine.flush_learned();
  it.settle();
  CHECK(it.kernel.entry_count(it.table_v4()) == 1);
  it.send(it.device[3], from_source(1));
  it.configure(kNative + "mroute from eth3 group 225.1.2.3 to eth1\n");
  it.send(it.device[3], from_source(500));
  CHECK(it.why_not().empty());
  CHECK(it.out_of(3, 500) == Devices{it.device[1]});
}

TEST_CASE("interfaces that depart and return cost one call each") {
  FourInterfaces it;
  it.configure(kNative);
  for (const char* name : {"eth1", "eth0"}) {
    it.remove(name);
    CHECK(it.calls == 0);
    const Device back = it.add(name);
    CHECK(it.calls == 1);
    (name == std::string("eth0") ? it.device[0] : it.device[1]) = back;
    CHECK(it.out_of(0).size() == 2);
  }
}

TEST_CASE("learned flows and stop filters make way when native takes over, and come back") {
  FourInterfaces it;
  const std::string learned = "mroute from eth0 group 225.1.2.3 to eth1 eth2\n"
                              "phyint eth3 enable\n";
  it.configure(learned);
  for (unsigned i = 0; i < 10; ++i) it.send(it.device[0], from_source(i));
  it.send(it.device[3], from_source(20));
  REQUIRE(it.kernel.entry_count(it.table_v4()) == 11);
  it.configure(kNative + "phyint eth3 enable\n");
  CHECK(it.native_entries() >= 1);
  CHECK(it.kernel.entries(it.table_v4()).empty());
  CHECK(it.out_of(0, 20) == Devices{it.device[1], it.device[2]});
  it.configure(learned);
  CHECK(it.native_entries() == 0);
  it.send(it.device[0], from_source(1));
  CHECK(it.out_of(0) == Devices{it.device[1], it.device[2]});
}

TEST_CASE("packets that waited for an answer leave although the group has become native") {
  FourInterfaces it;
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.9 to eth1\n");
  it.kernel.send(it.device[0], from_source(1));
  it.engine.set_config(parse_text(kNative).config);
  it.settle();
  it.send(it.device[0], from_source(2));
  const auto delivered = it.kernel.take_deliveries();
  CHECK(std::ranges::count(delivered, from_source(1), &FakeKernel::Delivery::flow) == 2);
  CHECK(it.kernel.entries(it.table_v4()).empty());
}

TEST_CASE("a step that fails leaves learned flows alone until it succeeds") {
  FourInterfaces it;
  it.configure("mroute from eth0 group 225.1.2.3 to eth1 eth2\n");
  it.send(it.device[0], from_source(1));
  it.kernel.fail_call(1, ErrorCode::os);
  it.configure(kNative);
  CHECK(it.native_entries() == 0);
  CHECK(it.out_of(0) == Devices{it.device[1], it.device[2]});
  it.now = *it.engine.next_deadline();
  it.settle();
  CHECK(it.native_entries() == 1);
  CHECK(it.kernel.entries(it.table_v4()).empty());
}

TEST_CASE("what another program removed is put again, in order") {
  FourInterfaces it;
  it.configure("mroute from eth0 group 225.1.2.3 native to eth1\n"
               "mroute from eth1 group 225.1.2.3 native to eth2\n");
  const FlowKey any{Address::unspecified(Family::ipv4), kGroup};
  for (const unsigned slot : {0U, 1U}) {
    REQUIRE(it.kernel.apply(DropMfc{it.table_v4(), any, slot_number(slot)}));
  }
  it.engine.flow_in_doubt(it.table_v4(), any);
  it.settle();
  CHECK(it.out_of(0) == Devices{it.device[1]});
  CHECK(it.out_of(1) == Devices{it.device[2]});
}

TEST_CASE("what cannot be native is learned, and says why") {
  const auto is_learned = [](FourInterfaces& it, const std::string& text, const char* why) {
    INFO(text);
    it.configure(text);
    CHECK(it.native_entries() == 0);
    CHECK(it.why_not().find(why) != std::string::npos);
    CHECK(it.engine.pending(0, 10).rows.at(0).reason.find(why) != std::string::npos);
    it.send(it.device[0], from_source(1));
    CHECK(it.out_of(0) == Devices{it.device[1]});
  };
  FourInterfaces it;
  const std::string native = "mroute from eth0 group 225.1.2.3 native to eth1\n";
  is_learned(it, native + "mroute from eth1 group 225.1.2.3 native to eth0\n", "circle");
  is_learned(it, native + "mroute from eth1 group 225.1.0.0/16 to eth2\n", "eth1");
  is_learned(it, native + "mroute from eth1 source 10.1.0.0/16 group 225.1.2.3 to eth2\n", "eth1");
  is_learned(it, native + "mroute from eth0 source 10.1.0.0/16 group 225.1.2.3 to eth2\n", "some");
  is_learned(it, native + "mroute from eth1 group 225.1.2.3 to eth2\n", "eth1");
  FourInterfaces back;
  back.configure("mroute from eth0 group 225.1.2.3 native to eth0 eth1\n");
  CHECK(back.why_not().find("eth0") != std::string::npos);
  back.send(back.device[0], from_source(1));
  CHECK(back.out_of(0).size() == 2);
  FourInterfaces elsewhere(freebsd_traits());
  elsewhere.engine.set_config(parse_text(native).config);
  static_cast<void>(elsewhere.settle());
  CHECK(elsewhere.why_not().find("kernel") != std::string::npos);
  CHECK(elsewhere.kernel.violations().empty());
}

TEST_CASE("what other rules do elsewhere or only block does not keep a group from being native") {
  FourInterfaces it;
  it.configure("mroute from eth0 group 225.1.2.3 native to eth1\n"
               "mroute from eth1 group 225.1.0.0/16\n"
               "mroute from eth3 group 225.1.0.0/16 to eth2\n"
               "mroute from eth0 group 225.1.0.0/16 to eth2\n");
  CHECK(it.why_not().empty());
  CHECK(it.native_entries() == 1);
  it.send(it.device[3], from_source(1));
  CHECK(it.out_of(3) == Devices{it.device[2]});
  it.send_later(it.device[0]);
  CHECK(it.out_of(0) == Devices{it.device[1]});
}

TEST_CASE("a circle that closes and opens is followed both ways") {
  FourInterfaces it;
  it.configure("mroute from eth0 group 225.1.2.3 native to tun0\n"
               "mroute from tun0 group 225.1.2.3 native to eth0\n");
  CHECK(it.native_entries() == 1);
  const Device tunnel = it.add("tun0");
  CHECK(it.native_entries() == 0);
  CHECK(it.why_not().find("circle") != std::string::npos);
  it.send(it.device[0], from_source(1));
  CHECK(it.out_of(0) == Devices{tunnel});
  it.remove("tun0");
  CHECK(it.native_entries() == 1);
  CHECK(it.why_not().empty());
  CHECK(it.kernel.entries(it.table_v4()).empty());
}

TEST_CASE("native entries are listed, counters only where the kernel tells them") {
  FourInterfaces it;
  it.configure("mroute from eth0 group 225.1.2.3 native to eth1\n"
               "mroute from eth1 group 225.1.2.3 native to eth2\n");
  const auto rows = it.engine.kernel_routes(0, 10).rows;
  REQUIRE(rows.size() == 2);
  for (const KernelRoute& row : rows) {
    CHECK(row.native);
    CHECK(row.flow.to_string() == "(*, 225.1.2.3)");
    CHECK(row.oifs.size() == 1);
    CHECK(row.counted == (row.iif == "eth1"));
  }
  const auto first = it.engine.kernel_routes(0, 1);
  REQUIRE(first.next);
  CHECK(it.engine.kernel_routes(*first.next, 1).rows.at(0).iif == rows[1].iif);
}

TEST_CASE("a route that is changed by command stays native") {
  FourInterfaces it;
  it.configure(kNative);
  REQUIRE(it.engine.add_route(it.route({"eth0", "225.1.2.3", "eth3"})));
  it.settle();
  CHECK(it.out_of(0) == Devices{it.device[1], it.device[2], it.device[3]});
  CHECK(it.native_entries() == 1);
  REQUIRE(it.engine.remove_route(it.route({"eth0", "225.1.2.3"})));
  it.settle();
  CHECK(it.native_entries() == 0);
  it.configure("any-source native\nphyint eth0 enable\n");
  REQUIRE(it.engine.add_route(it.route({"eth0", "225.1.2.3", "eth3"})));
  it.settle();
  CHECK(it.native_entries() == 1);
}

TEST_SUITE_END();

TEST_CASE("where the kernel has no native entries, rules are learned, forward as much and say so") {
  FourInterfaces it(freebsd_traits());
  it.configure(kNative);
  CHECK(it.native_entries() == 0);
  CHECK(it.why_not().find("kernel") != std::string::npos);
  const auto pending = it.engine.pending(0, 10).rows;
  REQUIRE(pending.size() == 1);
  CHECK(pending[0].reason.find("learned instead of native") != std::string::npos);
  for (unsigned i = 0; i < 100; ++i) it.send(it.device[0], from_source(i));
  CHECK(it.kernel.take_deliveries().size() == 200);
  CHECK(it.engine.tables().at(0).learned == 100);
  CHECK(it.out_of(1).empty());
  CHECK(it.configure(kNative) == 0);
}

TEST_CASE("what is learned instead of native knows circles, exceptions and other rules") {
  FourInterfaces it(freebsd_traits());
  it.configure("mroute from eth0 except 10.0.0.3 group 225.1.2.3 native to eth1\n"
               "mroute from eth1 group 225.1.2.3 native to eth0\n"
               "mroute from eth3 group 225.1.0.0/16 to eth2\n");
  for (const unsigned arrival : {0U, 1U, 3U}) {
    it.send_later(it.device[arrival], arrival);
    it.send_later(it.device[0], 2);
  }
  CHECK(it.out_of(0, 0) == Devices{it.device[1]});
  CHECK(it.out_of(1, 1) == Devices{it.device[0]});
  CHECK(it.out_of(3, 3) == Devices{it.device[2]});
  CHECK(it.out_of(0, 2).empty());
}

TEST_CASE("an interface that departs and returns is learned from again") {
  FourInterfaces it(freebsd_traits());
  it.configure(kNative);
  it.send_later(it.device[0]);
  it.remove("eth1");
  CHECK(it.out_of(0) == Devices{it.device[2]});
  it.device[1] = it.add("eth1");
  CHECK(it.out_of(0) == Devices{it.device[2], it.device[1]});
  it.remove("eth0");
  it.device[0] = it.add("eth0");
  it.send_later(it.device[0]);
  CHECK(it.out_of(0).size() == 2);
}

}  // namespace
}  // namespace mcast::testing
