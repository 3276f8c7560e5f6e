// SPDX-License-Identifier: BSD-2-Clause
// What routes leave out, what they join, and what becomes of it when they change.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <set>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

const FlowKey kWanted = flow("10.0.0.9", "225.1.2.3");
const FlowKey kExcepted = flow("10.0.0.66", "225.1.2.3");
const std::string kExcept = "mroute from eth0 except 10.0.0.66,10.1.0.0/16 group 225.1.2.3 to ";

struct Lan : EngineOnFake {
  Lan() {
    for (unsigned i = 0; i < 4; ++i) device[i] = add(fmt::format("eth{}", i));
  }
  Devices learned(const FlowKey& key, unsigned from = 0) {
    send(device[from], key);
    return out(device[from], key);
  }
  std::size_t rows(Engine::RuleKind kind) {
    return engine.route_rules(kind, 0, 10'000).rows.size();
  }
  std::size_t joined() { return engine.kernel_joins().size(); }
  std::array<Device, 4> device;
};

TEST_CASE("an excepted source is blocked, the others are forwarded") {
  Lan it;
  it.configure(kExcept + "eth1\n");
  CHECK(it.learned(kWanted) == Devices{it.device[1]});
  CHECK(it.learned(kExcepted).empty());
  CHECK(it.learned(flow("10.1.2.3", "225.1.2.3")).empty());
  CHECK(it.learned(flow("10.2.2.3", "225.1.2.3")) == Devices{it.device[1]});
  // A single excepted source is in the kernel before it sends.
  Lan other;
  other.configure(kExcept + "eth1\n");
  CHECK(other.kernel.entries(other.table_v4()).contains(kExcepted));
}

TEST_CASE("an exception does not concern other inbound interfaces") {
  Lan it;
  it.configure(kExcept + "eth1\nmroute from eth3 group 225.1.2.3 to eth2\n");
  CHECK(it.learned(flow("10.1.2.3", "225.1.2.3"), 3) == Devices{it.device[2]});
  CHECK(it.learned(kExcepted, 3) == Devices{it.device[2]});
}

TEST_CASE("a scope lets only its groups through") {
  Lan it;
  it.configure("mroute from eth0 group ff00::/8 scope >= site to eth1\n");
  for (const char* group : {"ff05::1", "ff15::1", "ff38::1", "ff0e::1"}) {
    CAPTURE(group);
    CHECK(it.learned(flow("fd00::9", group)) == Devices{it.device[1]});
  }
  for (const char* group : {"ff04::1", "ff13::1", "ff34::1"}) {
    CAPTURE(group);
    CHECK(it.learned(flow("fd00::9", group)).empty());
  }
}

TEST_CASE(
    "exceptions are listed as blocked, and wait with their route without a row of their own") {
  Lan it;
  it.configure(kExcept + "eth1\n" + "mroute from wg0 except 10.0.0.1 group 225.9.9.9 to eth1\n");
  const auto exact = it.engine.route_rules(Engine::RuleKind::exact, 0, 100).rows;
  REQUIRE(exact.size() == 2);
  CHECK(exact[0].source.to_string() == "10.0.0.66");
  CHECK(exact[0].path.oifs.empty());
  CHECK(it.rows(Engine::RuleKind::templates) == 3);
  CHECK(it.engine.pending(0, 100).rows.size() == 1);
}

TEST_CASE("an explicit route for an excepted source wins, and its removal blocks again") {
  Lan it;
  it.configure(kExcept + "eth1\n");
  REQUIRE(it.engine.add_route(it.route({"eth0", "10.0.0.66", "225.1.2.3", "eth2"})));
  it.settle();
  CHECK(it.out(it.device[0], kExcepted) == Devices{it.device[2]});
  REQUIRE(it.engine.remove_route(it.route({"eth0", "10.0.0.66", "225.1.2.3"})));
  it.settle();
  CHECK(it.learned(kExcepted).empty());
  CHECK(it.kernel.entries(it.table_v4()).contains(kExcepted));
}

TEST_CASE("exceptions stay while their route changes and go with it") {
  Lan it;
  it.configure(kExcept + "eth1 eth2\n");
  REQUIRE(it.engine.remove_route(it.route({"eth0", "225.1.2.3", "eth2"})));
  it.settle();
  CHECK(it.learned(kExcepted).empty());
  REQUIRE(it.engine.add_route(it.route({"eth0", "225.1.2.3", "eth3"})));
  it.settle();
  CHECK(it.learned(kWanted) == Devices{it.device[1], it.device[3]});
  CHECK(it.learned(kExcepted).empty());

  it.engine.begin();
  REQUIRE(it.engine.remove_route(it.route({"eth0", "225.1.2.3"})));
  it.engine.rollback();
  CHECK(it.settle() == 0);
  CHECK(it.rows(Engine::RuleKind::exact) == 1);

  REQUIRE(it.engine.remove_route(it.route({"eth0", "225.1.2.3"})));
  it.settle();
  CHECK(it.rows(Engine::RuleKind::exact) == 0);
  CHECK(it.rows(Engine::RuleKind::templates) == 0);
  CHECK_FALSE(it.kernel.entries(it.table_v4()).contains(kExcepted));
}

TEST_CASE("a route that joins does so as an mgroup line would") {
  Lan it;
  it.configure("mroute from eth+ source 10.0.0.9 group 232.1.2.0/30 to lan+ join\n"
               "mroute from eth0 except 10.0.0.66 group 225.1.2.3 to eth1 join\n"
               "mgroup from eth0 group 225.1.2.3\n");
  std::set<std::string> rows;
  for (const JoinGroupStatus& join : it.engine.kernel_joins()) {
    rows.insert(fmt::format("{} {} {}", join.iif, join.source ? join.source->to_string() : "*",
                            join.group.to_string()));
  }
  CHECK(rows.size() == 4 * 4 + 1);
  CHECK(rows.contains("eth3 10.0.0.9 232.1.2.2"));
  CHECK(rows.contains("eth0 * 225.1.2.3"));
  it.add("eth7");
  CHECK(it.joined() == 5 * 4 + 1);
  it.remove("eth7");
  CHECK(it.joined() == 4 * 4 + 1);
}

TEST_CASE("what a route joined is left with it, unless another line wants it") {
  Lan it;
  it.configure("mroute from eth0 group 225.1.2.3 to eth1 join\n"
               "mroute from eth0 group 225.1.2.4 to eth1 join\n"
               "mgroup from eth0 group 225.1.2.4\n");
  CHECK(it.joined() == 2);
  it.engine.begin();
  REQUIRE(it.engine.remove_route(it.route({"eth0", "225.1.2.3"})));
  it.engine.rollback();
  CHECK(it.settle() == 0);
  REQUIRE(it.engine.remove_route(it.route({"eth0", "225.1.2.3"})));
  REQUIRE(it.engine.remove_route(it.route({"eth0", "225.1.2.4"})));
  it.settle();
  CHECK(it.joined() == 1);
}

TEST_CASE("a threshold that changes rewrites the entries that leave through it and no other") {
  Lan it;
  std::string rules = "phyint eth1 enable\nphyint eth3\n";
  for (int i = 0; i < 20; ++i) {
    rules += fmt::format("mroute from eth0 source 10.0.0.9 group 225.1.2.{} to eth{}\n", i,
                         i < 5 ? "1 eth2" : "2");
  }
  it.configure(rules);
  CHECK(it.configure(rules + "phyint eth1 ttl-threshold 15\n") == 5 * it.calls_per_change());
  const FlowKey key = flow("10.0.0.9", "225.1.2.3");
  CHECK(it.out(it.device[0], key, 15) == Devices{it.device[2]});
  CHECK(it.out(it.device[0], key, 16) == Devices{it.device[1], it.device[2]});
  CHECK(it.configure(rules + "phyint eth1 ttl-threshold 15\nphyint eth3 ttl-threshold 9\n") == 0);
  CHECK(it.configure(rules) == 5 * it.calls_per_change());
  CHECK(it.out(it.device[0], key, 2) == Devices{it.device[1], it.device[2]});
}

// --- Many joins ----------------------------------------------------------------------------------

std::string many_joins(int count, int step = 1) {
  std::string text;
  for (int i = 0; i < count; i += step) {
    text += fmt::format("mgroup from eth0 group 225.1.{}.{}\n", i / 250, i % 250);
    text += fmt::format("mgroup from eth0 source 10.0.0.9 group 232.1.{}.{}\n", i / 250, i % 250);
  }
  return text;
}

TEST_CASE("a reload leaves what is no longer written, in the reverse order of joining") {
  Lan it;
  CHECK(it.configure(many_joins(1000) + "phyint eth0\n") == 2000 + 2);
  CHECK(it.configure(many_joins(1000) + "phyint eth0\n") == 0);
  CHECK(it.configure(many_joins(1000, 2) + "phyint eth0\n") == 1000);
  CHECK(it.joined() == 1000);
}

TEST_CASE("an interface that returns is joined again with one call for each") {
  Lan it;
  it.configure(many_joins(1000));
  it.remove("eth0");
  CHECK(it.joined() == 0);
  it.add("eth0");
  CHECK(it.joined() == 2000);
  // And a slot.
  CHECK(it.calls == 2000 + 1);
  it.add("eth9");
  CHECK(it.calls == 0);
}

TEST_CASE("a kernel that has a limit of sources is never asked for more, whatever changes") {
  EngineOnFake it(freebsd_traits());
  it.add("eth0");
  std::string text;
  for (unsigned i = 0; i < 600; ++i) {
    text += fmt::format("mgroup from eth+ source 10.0.{}.{} group 232.1.1.1\n", i / 250, i % 250);
    text += fmt::format("mgroup from eth0 source fd00::{:x} group ff35::1\n", i);
  }
  it.configure(text);
  CHECK(it.engine.kernel_joins().size() == 2 * 512);
  CHECK(it.configure(text) == 0);
  REQUIRE(it.engine.join(parse_join_words({"eth0", "10.9.0.0/20", "232.1.1.1"}).value()));
  it.settle();
  it.remove("eth0");
  it.add("eth0");
  CHECK(it.engine.kernel_joins().size() == 2 * 512);
  CHECK(it.engine.interfaces().at(0).note.find("more than 512 sources") != std::string::npos);
}

}  // namespace
}  // namespace mcast::testing
