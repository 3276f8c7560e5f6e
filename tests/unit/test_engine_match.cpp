// SPDX-License-Identifier: BSD-2-Clause
// Which rule decides about a flow that several concern, by where its packets arrive.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

const FlowKey kFlow = flow("10.0.0.9", "225.1.2.3");
const std::string kExact = "mroute from eth0 source 10.0.0.9 group 225.1.2.3 to ";
const std::string kTemplate = "mroute from eth2 group 225.1.2.3 to eth3\n";

/// eth0 to eth3.
struct FourInterfaces : EngineOnFake {
  FourInterfaces() {
    for (unsigned i = 0; i < 4; ++i) device[i] = add(fmt::format("eth{}", i));
  }
  /// A packet arrives after the kernel's pause between two reports about one entry.
  void send_later(Device from) {
    kernel.advance(3'000);
    send(from, kFlow);
  }
  [[nodiscard]] Devices out_of(unsigned number) const { return out(device[number], kFlow); }
  std::array<Device, 4> device;
};

TEST_CASE("an exact rule hides no template that accepts another interface") {
  FourInterfaces it;
  it.configure(kExact + "eth1\n" + kTemplate);
  CHECK(it.out_of(0) == Devices{it.device[1]});
  it.send_later(it.device[2]);
  CHECK(it.out_of(2) == Devices{it.device[3]});
  CHECK(it.out_of(0).empty());
  it.send_later(it.device[0]);
  CHECK(it.out_of(0) == Devices{it.device[1]});
  CHECK(it.out_of(2).empty());
}

TEST_CASE("on its own interface an exact stop filter wins over a template") {
  FourInterfaces it;
  it.configure(kExact + "\n" + kTemplate + "mroute from eth0 group 225.1.2.3 to eth1\n");
  it.send_later(it.device[0]);
  CHECK(it.out_of(0).empty());
  it.send_later(it.device[2]);
  CHECK(it.out_of(2) == Devices{it.device[3]});
}

TEST_CASE("where nothing accepts it, the exact rule keeps its entry") {
  FourInterfaces it;
  it.configure(kExact + "eth1\nphyint eth3 enable\n");
  it.send_later(it.device[3]);
  CHECK(it.calls == 0);
  CHECK(it.out_of(0) == Devices{it.device[1]});
}

TEST_CASE("a flow that strayed to a template is an exact rule's again when that ends") {
  FourInterfaces it;
  it.configure(kExact + "eth1\n" + kTemplate);
  it.send_later(it.device[2]);
  REQUIRE(it.out_of(2) == Devices{it.device[3]});
  SUBCASE("because it is idle") {
    for (int i = 0; i < 2; ++i) it.engine.learned_packets(it.table_v4(), kFlow, 7);
    it.settle();
  }
  SUBCASE("because learned flows are flushed") {
    it.engine.flush_learned();
    it.settle();
  }
  SUBCASE("because the interface departs") {
    it.remove("eth2");
  }
  SUBCASE("because the template is gone") {
    it.configure(kExact + "eth1\nphyint eth2 enable\n");
  }
  CHECK(it.out_of(0) == Devices{it.device[1]});
  CHECK(it.out_of(2).empty());
}

TEST_CASE("a configuration that changes nothing leaves a flow where it strayed to") {
  FourInterfaces it;
  it.configure(kExact + "eth1\n" + kTemplate);
  it.send_later(it.device[2]);
  CHECK(it.configure(kExact + "eth1\n" + kTemplate) == 0);
  CHECK(it.configure(kTemplate) == 2);  // lets go of two slots
  CHECK(it.out_of(2) == Devices{it.device[3]});
}

TEST_CASE("an exact rule that is added leaves a flow where a template has it") {
  FourInterfaces it;
  it.configure(kTemplate);
  it.send_later(it.device[2]);
  REQUIRE(it.engine.add_route(it.route({"eth0", "10.0.0.9", "225.1.2.3", "eth1"})));
  it.settle();
  CHECK(it.out_of(2) == Devices{it.device[3]});
  it.send_later(it.device[0]);
  CHECK(it.out_of(0) == Devices{it.device[1]});
}

TEST_CASE("a question is answered while the exact rule's interface is away") {
  FourInterfaces it;
  it.configure("mroute from ppp0 source 10.0.0.9 group 225.1.2.3 to eth1\nphyint eth2 enable\n");
  it.send_later(it.device[2]);
  CHECK(it.kernel.entries(it.table_v4()).contains(kFlow));
  const Device late = it.add("ppp0");
  CHECK(it.out(late, kFlow) == Devices{it.device[1]});
}

TEST_CASE("an exact rule that loses its only interface stops nothing") {
  FourInterfaces it;
  it.configure(kExact + "eth1\nmroute from wan0 group 225.1.2.3 to eth3\n");
  it.rename("eth0", "wan0");
  CHECK(it.out_of(0).empty());
  it.send_later(it.device[0]);
  CHECK(it.out_of(0) == Devices{it.device[3]});
}

}  // namespace
}  // namespace mcast::testing
