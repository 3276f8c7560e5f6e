// SPDX-License-Identifier: BSD-2-Clause
// Interfaces that arrive, leave, come back and change name.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

const FlowKey kFlow = flow("10.0.0.9", "225.1.2.3");
const FlowKey kFlow6 = flow("fd00::9", "ff35::3");

std::string many_routes(const std::string& oif) {
  std::string text;
  for (unsigned i = 0; i < 10'000; ++i) {
    text += fmt::format("mroute from eth0 source 10.0.0.9 group 225.1.{}.{} to {}\n", i / 250,
                        i % 250, oif);
  }
  return text;
}

/// What many_routes() cost to change one by one.
std::uint64_t calls_for_all(const EngineOnFake& it) {
  return 10'000 * it.calls_per_change();
}

TEST_CASE("an outbound interface that returns costs one bind, however many routes name it") {
  EngineOnFake it;
  const Device in = it.add("eth0");
  it.add("eth1");
  it.configure(many_routes("eth1"));
  // Unless the kernel would make something of outputs that are not there.
  const bool may_wait = it.ipv4().unbound_output == UnboundOutput::skipped;
  it.remove("eth1");
  CHECK(it.calls == (may_wait ? 0 : calls_for_all(it)));
  CHECK(it.out(in, flow("10.0.0.9", "225.1.7.7")).empty());
  const Device back = it.add("eth1");
  CHECK(it.calls == 1 + (may_wait ? 0 : calls_for_all(it)));
  CHECK(it.out(in, flow("10.0.0.9", "225.1.7.7")) == Devices{back});
}

TEST_CASE("an inbound interface that returns costs one bind, however many routes name it") {
  EngineOnFake it;
  it.add("eth0");
  const Device out = it.add("eth1");
  it.configure(many_routes("eth1"));
  it.remove("eth0");
  CHECK(it.calls == 0);
  const Device back = it.add("eth0");
  // Unless the kernel dropped what came in by it.
  CHECK(it.calls == (it.ipv4().departure_drops_entries ? 10'001 : 1));
  CHECK(it.out(back, flow("10.0.0.9", "225.1.7.7")) == Devices{out});
}

TEST_CASE("a wildcard takes in every interface that arrives later, and no loopback") {
  EngineOnFake it;
  const Device in = it.add("eth0");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to tun+\n"
               "mroute from eth0 source fd00::9 group ff35::3 to +\n");
  it.add("lo");
  const Device first = it.add("tun0");
  const Device second = it.add("tun1");
  CHECK(it.out(in, kFlow) == Devices{first, second});
  CHECK(it.out(in, kFlow6) == Devices{first, second});
}

TEST_CASE("the slots of an interface on its way out are unbound, and nobody is warned") {
  EngineOnFake it(freebsd_traits());
  it.add("eth0");
  it.add("eth1");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n"
               "mroute from eth0 source fd00::9 group ff35::3 to eth1\n");
  REQUIRE(it.kernel.slots_bound(it.table_v4()) == 2);
  REQUIRE(it.kernel.slots_bound(it.table_v6()) == 2);
  static_cast<void>(it.engine.take_notices());
  it.kernel.change_link(it.kernel.find_link("eth1")->link.index,
                        [](Link& link) { link.leaving = true; });
  it.settle();
  CHECK(it.kernel.slots_bound(it.table_v4()) == 1);
  CHECK(it.kernel.slots_bound(it.table_v6()) == 1);
  it.remove("eth1");
  CHECK(it.engine.take_notices().empty());
  CHECK(it.kernel.violations().empty());
}

TEST_CASE("a wildcard never sends back out of the inbound interface, a name does") {
  EngineOnFake it;
  const Device in = it.add("eth0");
  const Device other = it.add("eth1");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth+\n"
               "mroute from eth0 source fd00::9 group ff35::3 to eth0\n");
  CHECK(it.out(in, kFlow) == Devices{other});
  CHECK(it.out(in, kFlow6) == Devices{in});
}

TEST_CASE("after a rename, rules that name the new name apply and those of the old do not") {
  EngineOnFake it;
  const Device in = it.add("eth0");
  const Device out = it.add("eth1");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n"
               "mroute from eth0 source 10.0.0.9 group 225.1.2.4 to wan\n");
  it.rename("eth1", "wan");
  CHECK(it.out(in, kFlow).empty());
  CHECK(it.out(in, flow("10.0.0.9", "225.1.2.4")) == Devices{out});
}

TEST_CASE("an interface without multicast does not count until it has it") {
  EngineOnFake it;
  const Device in = it.add("eth0");
  const Device out = it.add("eth1");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n");
  const IfIndex index = it.kernel.find_link("eth1")->link.index;
  it.kernel.change_link(index, [](Link& link) { link.multicast = false; });
  it.settle();
  CHECK(it.out(in, kFlow).empty());
  it.kernel.change_link(index, [](Link& link) { link.multicast = true; });
  it.settle();
  CHECK(it.out(in, kFlow) == Devices{out});
}

TEST_CASE("down and up make no call") {
  EngineOnFake it;
  it.add("eth0");
  it.add("eth1");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n");
  const IfIndex index = it.kernel.find_link("eth1")->link.index;
  for (const bool up : {false, true}) {
    it.kernel.change_link(index, [&](Link& link) { link.up = up; });
    CHECK(it.settle() == 0);
  }
}

TEST_CASE("interfaces of ever new names do not use up the slots") {
  EngineOnFake it;
  const Device in = it.add("eth0");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to ppp+\n");
  for (unsigned i = 0; i < 100; ++i) {
    const std::string name = fmt::format("ppp{}", i);
    const Device out = it.add(name);
    CHECK(it.out(in, kFlow) == Devices{out});
    it.remove(name);
  }
}

TEST_CASE("an interface whose index a MIF cannot hold forwards IPv4 only, and says so") {
  EngineOnFake it;
  const Device in = it.add("eth0");
  const Device out = it.add("eth1", IfIndex(70'000));
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n"
               "mroute from eth0 source fd00::9 group ff35::3 to eth1\n");
  CHECK(it.out(in, kFlow) == Devices{out});
  CHECK(it.out(in, kFlow6).empty());
  CHECK(it.kernel.violations().empty());
  const auto rows = it.engine.interfaces();
  CHECK(rows.back().note.find("65535") != std::string::npos);
}

TEST_CASE("joins come back with the interface and follow a wildcard") {
  EngineOnFake it;
  it.configure(
      "mgroup from eth+ group 225.1.2.3\nmgroup from eth0 source 10.0.0.9 group 232.1.1.1\n");
  it.add("eth0");
  CHECK(it.kernel.memberships().size() == 2);
  it.remove("eth0");
  CHECK(it.kernel.memberships_held() == 0);
  it.add("eth0");
  it.add("eth1");
  CHECK(it.kernel.memberships().size() == 3);
}

TEST_CASE("an output that went just before a put, unheard of, is back when the interface is") {
  EngineOnFake router;
  const Device in = router.add("eth0");
  router.add("eth1");
  router.configure("phyint eth1 enable\nphyint eth0 enable\n");
  const FlowKey key = flow("10.0.0.9", "239.1.1.1");
  // The kernel drops the output of the put without a word: its slot is gone.
  router.kernel.remove_link(router.kernel.find_link("eth1")->link.index);
  REQUIRE(router.engine.add_route(EngineOnFake::route({"eth0", "10.0.0.9", "239.1.1.1", "eth1"})));
  platform::converge(router.engine, {.keeper = &router.kernel, .kernel = &router.kernel},
                     router.now);
  REQUIRE(router.out(in, key).empty());
  router.settle();
  const Device back = router.add("eth1");
  CHECK(router.out(in, key) == Devices{back});
}

}  // namespace
}  // namespace mcast::testing
