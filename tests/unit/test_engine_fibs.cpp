// SPDX-License-Identifier: BSD-2-Clause
// Where the table of a packet is that of the FIB of its interface, or there is but one table.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

const FlowKey kFlow = flow("10.0.0.9", "239.1.1.1");

std::string route(const std::string& words, const std::string& outputs) {
  return fmt::format("mroute {} source 10.0.0.9 group 239.1.1.1 to {}\n", words, outputs);
}

/// A router with three FIBs.
struct Fibs : EngineOnFake {
  explicit Fibs(const KernelTraits& traits = freebsd_traits(3)) : EngineOnFake(traits) {}
  void move(const std::string& name, std::uint32_t fib) {
    kernel.change_link(kernel.find_link(name)->link.index,
                       [&](Link& link) { link.fib = TableId(fib); });
    calls = settle();
  }
  /// Where a packet leaves that arrives now, by whatever table the kernel routes it.
  Devices leaves_from(Device from) {
    const TableKey table = kernel.table_for(from, Family::ipv4);
    return kernel.is_open(table) ? kernel.outputs(table, from, kFlow) : Devices{};
  }
  bool is_open(std::uint32_t fib) { return kernel.is_open({Family::ipv4, TableId(fib)}); }
  std::string why_pending() {
    const auto rows = engine.pending(0, 10).rows;
    return rows.empty() ? std::string() : rows.front().reason;
  }
  std::vector<std::string> told() {
    std::vector<std::string> texts;
    for (const Notice& notice : engine.take_notices()) texts.push_back(notice.text);
    return texts;
  }
};

TEST_CASE("a table that keeps all jails from having one is taken while routes need it") {
  Fibs it(freebsd_traits());
  it.add("em0");
  it.add("em1");
  it.configure(route("from em0", "em1") + "phyint em0 enable\nmgroup from em0 group ff0e::5\n");
  CHECK(it.kernel.is_open(it.table_v4()));
  CHECK_FALSE(it.kernel.is_open(it.table_v6()));
  REQUIRE(it.engine.add_route(Fibs::route({"em0", "fd00::9", "ff0e::1", "em1"})));
  it.settle();
  CHECK(it.kernel.entry_count(it.table_v6()) == 1);
  REQUIRE(it.engine.remove_route(Fibs::route({"em0", "fd00::9", "ff0e::1"})));
  it.settle();
  CHECK_FALSE(it.kernel.is_open(it.table_v6()));

  Fibs tables(freebsd_traits(2));
  tables.settle();
  CHECK(tables.kernel.is_open(tables.table_v6()));
}

TEST_CASE("a rule without a table follows its inbound interface from FIB to FIB") {
  Fibs it;
  const Device em0 = it.add("em0");
  const Device em1 = it.add("em1");
  it.configure(route("from em0", "em1"));
  CHECK(it.leaves_from(em0) == Devices{em1});
  CHECK(it.is_open(0));
  it.move("em1", 2);
  CHECK(it.leaves_from(em0).empty());
  it.move("em0", 2);
  CHECK(it.leaves_from(em0) == Devices{em1});
  CHECK(it.is_open(2));
  CHECK(it.kernel.slots_bound(it.table_v4()) == 0);
  CHECK(it.engine.interfaces().at(0).table == TableId(2));
  it.move("em0", 0);
  it.move("em1", 0);
  CHECK(it.leaves_from(em0) == Devices{em1});
  CHECK_FALSE(it.is_open(2));
  CHECK(it.kernel.violations().empty());
}

TEST_CASE("a wildcard means the interfaces of a FIB, in each of them") {
  Fibs it;
  const Device em0 = it.add("em0");
  const Device em1 = it.add("em1");
  const Device lan0 = it.add("lan0");
  const Device lan1 = it.add("lan1");
  it.configure(fmt::format("mroute from em+ group {} to lan+\n", "239.1.1.1"));
  for (const char* name : {"em1", "lan1"}) it.move(name, 1);
  for (const Device from : {em0, em1}) it.send(from, kFlow);
  CHECK(it.leaves_from(em0) == Devices{lan0});
  CHECK(it.leaves_from(em1) == Devices{lan1});
  CHECK(it.why_pending().empty());
  for (const auto& line : it.told()) CHECK(line.find("FIB") == std::string::npos);
}

TEST_CASE("a named interface of another FIB cannot be had, and is told of") {
  Fibs it;
  const Device em0 = it.add("em0");
  it.add("em1");
  const Device em2 = it.add("em2");
  it.move("em1", 1);
  static_cast<void>(it.told());
  const std::string why = "interface em1 is in FIB 1: what is routed by table 0 stays among "
                          "interfaces of FIB 0";
  it.configure(route("from em0", "em1 em2"));
  CHECK(it.leaves_from(em0) == Devices{em2});
  CHECK(it.why_pending() == why);
  CHECK(it.told() == std::vector{why + "; it waits"});
  CHECK_FALSE(it.engine.next_deadline());
  const auto rows = it.engine.interfaces();
  CHECK(rows.at(1).note.find("FIB 1") != std::string::npos);
  it.move("em1", 0);
  CHECK(it.leaves_from(em0).size() == 2);
  CHECK(it.why_pending().empty());
}

TEST_CASE("a rule of a table waits for its inbound interface to come into the FIB") {
  Fibs it;
  const Device em0 = it.add("em0");
  const Device em1 = it.add("em1");
  it.configure("table 1 name uplink\n" + route("table uplink from em0", "em+"));
  CHECK(it.why_pending() == "interface em0 is in FIB 0: what is routed by table 1 stays among "
                            "interfaces of FIB 1");
  CHECK(it.leaves_from(em0).empty());
  it.move("em0", 1);
  CHECK(it.leaves_from(em0).empty());
  it.move("em1", 1);
  CHECK(it.leaves_from(em0) == Devices{em1});
  CHECK(it.why_pending().empty());
}

TEST_CASE("joins of a table are for the interfaces of its FIB") {
  Fibs it;
  it.add("em0");
  const Device em1 = it.add("em1");
  it.move("em1", 1);
  it.configure("mgroup table 1 from em+ group 239.1.1.1\n");
  REQUIRE(it.kernel.memberships().size() == 1);
  CHECK(it.kernel.memberships().begin()->device == em1);
  it.move("em1", 0);
  CHECK(it.kernel.memberships().empty());
}

TEST_CASE("commands for what the kernel does not have are refused") {
  Fibs it;
  it.add("em0");
  const auto refused = [&](const std::vector<std::string>& words) {
    const auto outcome = it.engine.add_route(EngineOnFake::route(words));
    return !outcome && outcome.error().code == ErrorCode::no_kernel_support;
  };
  CHECK(refused({"vrf", "red", "em0", "239.1.1.1"}));
  CHECK(refused({"table", "3", "em0", "239.1.1.1"}));
  CHECK_FALSE(refused({"table", "2", "em0", "239.1.1.1"}));
  const auto join = it.engine.join(parse_join_words({"vrf", "red", "em0", "239.1.1.1"}).value());
  REQUIRE_FALSE(join);
  CHECK(join.error().code == ErrorCode::no_kernel_support);
}

TEST_CASE("where there is one table, FIBs are of no account") {
  Fibs it(freebsd_traits());
  const Device em0 = it.add("em0");
  const Device em1 = it.add("em1");
  it.configure(route("from em0", "em1"));
  it.move("em1", 1);
  CHECK(it.calls == 0);
  CHECK(it.leaves_from(em0) == Devices{em1});
  CHECK(it.engine.interfaces().at(1).table == TableId(0));
  CHECK_FALSE(it.engine.add_route(EngineOnFake::route({"table", "1", "em0", "239.1.1.1"})));
}

}  // namespace
}  // namespace mcast::testing
