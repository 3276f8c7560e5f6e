// SPDX-License-Identifier: BSD-2-Clause
// Rules that are configured, added, changed, removed, refused and learned from.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

const FlowKey kFlow = flow("10.0.0.9", "225.1.2.3");
const std::string kRoute = "mroute from eth0 source 10.0.0.9 group 225.1.2.3 to ";

/// eth0 to eth3.
struct FourInterfaces : EngineOnFake {
  explicit FourInterfaces(const KernelTraits& traits = traits_under_test()) : EngineOnFake(traits) {
    for (unsigned i = 0; i < 4; ++i) device[i] = add(fmt::format("eth{}", i));
  }
  std::array<Device, 4> device;
};

TEST_CASE("a configuration that changes nothing makes no call") {
  FourInterfaces it;
  std::string text = "mgroup from eth1 group 225.9.9.0/28\nphyint eth3 enable\n";
  for (unsigned i = 0; i < 10'000; ++i) {
    text += fmt::format("mroute from eth0 source 10.0.0.9 group 225.1.{}.{} to eth1 eth2\n",
                        i / 250, i % 250);
  }
  CHECK(it.configure(text) > 10'000);
  CHECK(it.configure(text) == 0);
}

TEST_CASE("a configuration that lacks an outbound interface takes it out with one call per route") {
  FourInterfaces it;
  it.configure(kRoute + "eth1 eth2\nphyint eth2 enable\n");
  CHECK(it.configure(kRoute + "eth1\nphyint eth2 enable\n") == it.calls_per_change());
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1]});
}

TEST_CASE("lines of one flow and inbound interface merge") {
  FourInterfaces it;
  it.configure(kRoute + "eth1\n" + kRoute + "eth2\n");
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1], it.device[2]});
}

TEST_CASE("lines that merge are one row of the list, those that wait are not in it") {
  FourInterfaces it;
  const std::string any = "mroute from eth0 group 225.5.0.0/16 to ";
  it.configure(kRoute + "eth1\n" + kRoute + "absent0\n" + kRoute + "eth2 eth1\n" + any + "eth3\n" +
               any + "eth2\n" + "mroute from eth1 group 225.5.0.0/16 to eth2\n");
  const auto rows = [&](Engine::RuleKind kind) {
    std::vector<std::string> texts;
    for (const RouteStatus& row : it.engine.route_rules(kind, 0, 10).rows) {
      if (row.state != RuleState::active) continue;
      std::string text = row.path.iif.to_string() + " >";
      for (const auto& oif : row.path.oifs) text += " " + oif.to_string();
      texts.push_back(text);
    }
    return texts;
  };
  CHECK(rows(Engine::RuleKind::exact) == std::vector<std::string>{"eth0 > eth1 eth2"});
  CHECK(rows(Engine::RuleKind::templates) ==
        std::vector<std::string>{"eth0 > eth3 eth2", "eth1 > eth2"});
  CHECK(it.engine.pending(0, 10).rows.size() == 1);
}

TEST_CASE("adding a route again adds outbound interfaces to it") {
  FourInterfaces it;
  REQUIRE(it.engine.add_route(it.route({"eth0", "10.0.0.9", "225.1.2.3", "eth1"})));
  it.settle();
  REQUIRE(it.engine.add_route(it.route({"eth0", "10.0.0.9", "225.1.2.3", "eth2", "eth3"})));
  it.settle();
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1], it.device[2], it.device[3]});
  REQUIRE(it.engine.add_route(it.route({"eth0", "10.0.0.9", "225.1.2.3", "eth1"})));
  CHECK(it.settle() == 0);
}

TEST_CASE("removing outbound interfaces leaves a stop filter, removing the route nothing") {
  FourInterfaces it;
  it.configure(kRoute + "eth1\n");
  REQUIRE(it.engine.remove_route(it.route({"eth0", "10.0.0.9", "225.1.2.3", "eth1"})));
  it.settle();
  CHECK(it.kernel.entries(it.table_v4()).contains(kFlow));
  CHECK(it.out(it.device[0], kFlow).empty());
  REQUIRE(it.engine.remove_route(it.route({"eth0", "10.0.0.9", "225.1.2.3"})));
  it.settle();
  CHECK(it.kernel.entries(it.table_v4()).empty());
  CHECK(it.kernel.slots_bound(it.table_v4()) == 0);
}

TEST_CASE("what does not exist cannot be removed, and unknown interfaces are refused by name") {
  FourInterfaces it;
  const auto removed = it.engine.remove_route(it.route({"eth0", "10.0.0.9", "225.1.2.3"}));
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == ErrorCode::not_found);
  const auto added = it.engine.add_route(it.route({"eth0", "225.1.2.3", "eht1"}));
  REQUIRE_FALSE(added);
  CHECK(added.error().code == ErrorCode::no_such_interface);
  CHECK(added.error().message.find("did you mean \"eth1\"") != std::string::npos);
  CHECK_FALSE(it.engine.leave(parse_join_words({"eth0", "225.1.2.3"}).value()));
}

TEST_CASE("a transaction that is rolled back leaves no trace and makes no call") {
  FourInterfaces it;
  it.configure(kRoute + "eth1\nmgroup from eth1 group 225.9.9.9\n");
  it.engine.begin();
  REQUIRE(it.engine.add_route(it.route({"eth0", "10.0.0.9", "225.1.2.3", "eth2"})));
  REQUIRE(it.engine.remove_route(it.route({"eth0", "10.0.0.9", "225.1.2.3"})));
  REQUIRE(it.engine.leave(parse_join_words({"eth1", "225.9.9.9"}).value()));
  it.engine.rollback();
  CHECK(it.settle() == 0);
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1]});
}

TEST_CASE("thresholds apply per outbound interface, for IPv4 only") {
  FourInterfaces it;
  it.configure("phyint eth1 ttl-threshold 20\n" + kRoute + "eth1 eth2\n" +
               "mroute from eth0 source fd00::9 group ff35::3 to eth1\n");
  CHECK(it.out(it.device[0], kFlow, 20) == Devices{it.device[2]});
  CHECK(it.out(it.device[0], kFlow, 21) == Devices{it.device[1], it.device[2]});
  CHECK(it.out(it.device[0], flow("fd00::9", "ff35::3"), 5) == Devices{it.device[1]});
}

TEST_CASE("a disabled interface is kept out of names and wildcards") {
  FourInterfaces it;
  it.configure("phyint eth1 disable\n" + kRoute + "eth1 eth2\n");
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[2]});
}

TEST_CASE("slots are numbered in the order of first use in the file") {
  FourInterfaces it;
  it.configure("phyint eth3 enable\n" + kRoute + "eth1\n");
  CHECK(it.kernel.slot(it.table_v4(), VifIndex(0)) == it.device[3]);
  CHECK(it.kernel.slot(it.table_v4(), VifIndex(1)) == it.device[0]);
  CHECK(it.kernel.slot(it.table_v4(), VifIndex(2)) == it.device[1]);
}

TEST_CASE("without enough slots a rule is refused whole, and earlier rules go on") {
  KernelTraits traits = traits_under_test();
  traits.ipv4.slots = 3;
  FourInterfaces it(traits);
  it.configure(kRoute + "eth1\n" + kRoute + "eth2 eth3\n" +
               "mroute from eth0 source 10.0.0.9 group 225.1.2.4 to eth+\n");
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1]});
  CHECK(it.out(it.device[0], flow("10.0.0.9", "225.1.2.4")).size() == 2);
  const auto rows = it.engine.route_rules(Engine::RuleKind::exact, 0, 10).rows;
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].state == RuleState::active);
  CHECK(rows[1].state == RuleState::refused);
  CHECK(rows[1].reason.find("eth3") != std::string::npos);
}

TEST_CASE("a flow that several interfaces may bring in is forwarded from where it arrives") {
  FourInterfaces it;
  it.configure("mroute from eth+ source 10.0.0.9 group 225.1.2.3 to eth+\n");
  CHECK(it.kernel.entries(it.table_v4()).empty());
  it.send(it.device[2], kFlow);
  CHECK(it.out(it.device[2], kFlow) == Devices{it.device[0], it.device[1], it.device[3]});
  it.send(it.device[1], kFlow);
  CHECK(it.out(it.device[1], kFlow) == Devices{it.device[0], it.device[2], it.device[3]});
}

TEST_CASE("a second question about an installed flow releases the packets that wait") {
  FourInterfaces it;
  it.configure("mroute from eth0 source 10.0.0.0/24 group 225.1.2.3 to eth1\n");
  it.send(it.device[0], kFlow);
  it.engine.upcall({Upcall::Kind::no_cache, it.table_v4(), kFlow, VifIndex(0)}, it.now);
  CHECK(it.settle() == 2);
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1]});
}

TEST_CASE("a question about a flow whose rule waits for its interface is answered") {
  FourInterfaces it;
  it.configure(kRoute + "eth1\nmroute from eth3 group 225.7.7.7 to eth1\n");
  it.remove("eth0");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.4 to eth1\n"
               "mroute from eth3 group 225.7.7.7 to eth1\n");
  const FlowKey asked = flow("10.0.0.9", "225.1.2.4");
  it.send(it.device[3], asked);
  CHECK(it.kernel.unanswered(it.table_v4()).empty());
  CHECK(it.out(it.device[3], asked).empty());
  const Device back = it.add("eth0");
  CHECK(it.out(back, asked) == Devices{it.device[1]});
}

TEST_CASE("a question about an interface without a slot leaves nothing behind") {
  EngineOnFake it(freebsd_traits());
  it.add("eth0");
  it.add("eth1");
  const Device stranger = it.add("eth2");
  const FlowKey asked = flow("fd00::9", "ff35::3");
  const std::string text = "mroute from eth0 source fd00::9 group ff35::3 to eth1\n"
                           "mroute from eth1 source fd00::9 group ff35::3 to eth0\n";
  it.configure(text);
  it.send(stranger, asked);
  CHECK(it.kernel.unanswered(it.table_v6()).empty());
  CHECK(it.kernel.entries(it.table_v6()).empty());
  CHECK(it.configure(text) == 0);
}

TEST_CASE("a question about a slot that changes hands is answered, and leaves nothing behind") {
  FourInterfaces it;
  it.configure("mroute from eth0 group 225.1.2.3 to eth1\n");
  it.kernel.send(it.device[0], kFlow);
  it.remove("eth0");
  it.answer_upcalls();
  CHECK(it.kernel.unanswered(it.table_v4()).empty());
  CHECK(it.kernel.entries(it.table_v4()).empty());
  const Device back = it.add("eth0");
  it.send(back, kFlow);
  CHECK(it.out(back, kFlow) == Devices{it.device[1]});
}

TEST_CASE("a flow whose rule was refused its slots is stopped until there are slots") {
  KernelTraits traits = traits_under_test();
  traits.ipv4.slots = 2;
  FourInterfaces it(traits);
  it.configure("mroute from eth0 group 225.9.9.9 to eth1\n"
               "mroute from eth0 group 225.1.2.3 to eth2 eth3\n");
  it.send(it.device[0], kFlow);
  CHECK(it.kernel.unanswered(it.table_v4()).empty());
  CHECK(it.kernel.entries(it.table_v4()).contains(kFlow));
  CHECK(it.out(it.device[0], kFlow).empty());
}

TEST_CASE("beyond the limit the least recently used stop filter goes first, and all are answered") {
  const FlowKey first = flow("10.0.0.9", "225.6.0.1");
  const FlowKey second = flow("10.0.0.9", "225.6.0.2");
  const FlowKey third = flow("10.0.0.9", "225.6.0.3");
  const FlowKey good = flow("10.0.0.9", "225.9.9.9");
  EngineOptions few;
  few.max_stop_filters = 2;
  few.max_learned = 1;
  EngineOnFake it(traits_under_test(), few);
  const Device eth0 = it.add("eth0");
  it.add("eth1");
  it.configure("mroute from eth0 group 225.9.0.0/16 to eth1\n");
  it.send(eth0, good);
  it.send(eth0, first);
  it.send(eth0, second);
  it.engine.learned_packets(it.table_v4(), first, 1);  // used since
  it.send(eth0, third);
  const auto& entries = it.kernel.entries(it.table_v4());
  CHECK(entries.contains(first));
  CHECK_FALSE(entries.contains(second));
  CHECK(entries.contains(third));
  CHECK(entries.contains(good));
  const FlowKey better = flow("10.0.0.9", "225.9.9.8");
  it.send(eth0, better);
  CHECK_FALSE(entries.contains(good));
  CHECK_FALSE(it.out(eth0, better).empty());
  CHECK(it.kernel.unanswered(it.table_v4()).empty());
}

TEST_CASE("a step that fails is tried again at the engine's own deadline") {
  FourInterfaces it;
  it.kernel.fail_call(3, ErrorCode::os);
  it.configure(kRoute + "eth1\n");
  CHECK(it.out(it.device[0], kFlow).empty());
  REQUIRE(it.engine.next_deadline());
  it.now = *it.engine.next_deadline();
  it.settle();
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1]});
  CHECK_FALSE(it.engine.next_deadline());
}

TEST_CASE("a table that is lost and opened again is filled anew") {
  FourInterfaces it;
  it.configure(kRoute + "eth1\n");
  it.kernel.close_table(it.table_v4());
  it.engine.table_lost(it.table_v4(), "taken away");
  CHECK(it.settle() == 0);
  REQUIRE(it.kernel.adopt_table(it.kernel.open_table(it.table_v4()).value()));
  it.engine.table_opened(it.table_v4());
  it.settle();
  CHECK(it.out(it.device[0], kFlow) == Devices{it.device[1]});
}

}  // namespace
}  // namespace mcast::testing
