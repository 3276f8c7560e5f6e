// SPDX-License-Identifier: BSD-2-Clause
//
// What of a kernel's semantics no contract case can try: that which no program may do, or which
// needs hands that a kernel under test does not have.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fake/fake_kernel.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

const TableKey kIpv4{Family::ipv4, TableId(0)};
const TableKey kIpv6{Family::ipv6, TableId(0)};

MfcShape shape(unsigned parent, std::initializer_list<unsigned> outputs) {
  MfcShape made;
  made.parent = slot_number(parent);
  for (const unsigned output : outputs) made.ttls[output] = 1;
  return made;
}

FlowKey flow_of(Family family) {
  const bool v4 = family == Family::ipv4;
  return {*Address::parse(v4 ? "10.1.0.2" : "fd00:1::2"),
          *Address::parse(v4 ? "225.1.2.3" : "ff0e::1:3")};
}

struct Upcalls final : platform::UpcallSink {
  std::vector<Upcall> all;
  void upcall(const Upcall& upcall) override { all.push_back(upcall); }
};

struct Events final : platform::LinkSink {
  std::vector<std::string> told;
  void link_changed(const Link& link) override { told.push_back("changed " + link.name); }
  void link_removed(IfIndex index) override {
    told.push_back(fmt::format("removed {}", index.value));
  }
  void links_relearned(std::span<const Link>) override { told.emplace_back("relearned"); }
};

/// With interfaces 1 and 2 of addresses 10.0.0.1 and 10.0.0.2 and the tables 0.
struct Lab {
  explicit Lab(const KernelTraits& traits) : kernel(traits) {
    for (const TableKey table : {kIpv4, kIpv6}) open(table);
    for (unsigned number = 1; number <= 2; ++number) add(number);
    REQUIRE(kernel.start(events));
    events.told.clear();
  }
  void open(TableKey table) { REQUIRE(kernel.adopt_table(kernel.open_table(table).value())); }
  Device add(unsigned number, TableId fib = {}) {
    Link link;
    link.name = fmt::format("e{}", number);
    link.up = link.multicast = true;
    link.fib = fib;
    link.addresses = {address(number)};
    return kernel.add_link(link);
  }
  [[nodiscard]] static Address address(unsigned number) {
    return *Address::parse(fmt::format("10.0.0.{}", number));
  }
  Result<void> bind(TableKey table, unsigned slot, unsigned number) {
    return kernel.apply(BindVif{table, slot_number(slot), IfIndex(number), 1, address(number)});
  }
  Result<void> put(TableKey table, const MfcShape& made) {
    return kernel.apply(PutMfc{table, flow_of(table.family), made});
  }
  Device device(unsigned number) { return kernel.find_link(fmt::format("e{}", number))->device; }
  void read_events() { REQUIRE(kernel.read(events)); }

  FakeKernel kernel;
  Events events;
};

}  // namespace

TEST_CASE("an interface belongs to one table where interfaces choose") {
  Lab lab(freebsd_traits(2));
  const TableKey second{Family::ipv4, TableId(1)};
  lab.open(second);
  const Device there = lab.add(3, TableId(1));
  lab.add(4, TableId(1));
  CHECK(lab.bind(kIpv4, 5, 3).error().code == ErrorCode::no_such_interface);
  CHECK(lab.bind(second, 0, 1).error().code == ErrorCode::no_such_interface);
  REQUIRE(lab.bind(second, 0, 3));
  REQUIRE(lab.bind(second, 1, 4));
  REQUIRE(lab.put(second, shape(0, {1})));
  CHECK(lab.kernel.table_for(there, Family::ipv4) == second);
  CHECK(lab.kernel.table_for(lab.device(1), Family::ipv4) == kIpv4);
  lab.kernel.send(there, flow_of(Family::ipv4));
  CHECK(lab.kernel.take_deliveries().size() == 1);
  CHECK(lab.kernel.open_table({Family::ipv4, TableId(2)}).error().code ==
        ErrorCode::invalid_argument);
}

TEST_CASE("where there is one table there is no other, and no rule") {
  Lab lab(freebsd_traits());
  CHECK(lab.kernel.open_table({Family::ipv6, TableId(1)}).error().code ==
        ErrorCode::invalid_argument);
  CHECK(lab.kernel.table_for(lab.add(3, TableId(1)), Family::ipv4) == kIpv4);
  const Op rule = AddMulticastRule{{kIpv4, MulticastRule::Match::inbound, "e1"}};
  CHECK(lab.kernel.apply(rule).error().code == ErrorCode::no_kernel_support);
  CHECK(lab.kernel.list()->empty());
}

TEST_CASE("of two interfaces with one address the kernel binds the one that is not meant") {
  Lab lab(freebsd_traits());
  lab.kernel.change_link(IfIndex(2), [](Link& link) { link.addresses.push_back(Lab::address(1)); });
  REQUIRE(lab.bind(kIpv4, 0, 1));
  CHECK(lab.kernel.slot(kIpv4, VifIndex(0)) == lab.device(2));
  REQUIRE(lab.bind(kIpv4, 1, 2));
  CHECK(lab.kernel.slot(kIpv4, VifIndex(1)) == lab.device(2));
}

TEST_CASE("what frees an interface or takes one that is not there is a violation") {
  Lab lab(freebsd_traits());
  REQUIRE(lab.bind(kIpv4, 0, 1));
  CHECK(lab.bind(kIpv4, 0, 2).error().code == ErrorCode::already_exists);
  REQUIRE(lab.kernel.violations().size() == 1);
  // IPv6 only says so.
  REQUIRE(lab.bind(kIpv6, 0, 1));
  REQUIRE(lab.bind(kIpv6, 1, 2));
  CHECK(lab.bind(kIpv6, 0, 2).error().code == ErrorCode::already_exists);
  CHECK(lab.kernel.violations().size() == 1);
  CHECK_FALSE(lab.put(kIpv6, shape(0, {2})));
  CHECK(lab.kernel.violations().size() == 2);
  REQUIRE(lab.put(kIpv6, shape(0, {1})));
  REQUIRE(lab.kernel.apply(UnbindVif{kIpv6, VifIndex(1)}));
  CHECK(lab.kernel.violations().size() == 3);
  // IPv4 sends by the routing table, and Linux nowhere.
  REQUIRE(lab.put(kIpv4, shape(0, {2})));
  CHECK(lab.kernel.violations().size() == 3);
  CHECK(lab.kernel.accidents().empty());
}

TEST_CASE("a slot that dangles is no target, which the program is told of") {
  Lab lab(freebsd_traits());
  REQUIRE(lab.bind(kIpv6, 0, 1));
  REQUIRE(lab.bind(kIpv6, 1, 2));
  REQUIRE(lab.put(kIpv6, shape(0, {1})));
  const Device parent = lab.device(1);
  lab.kernel.remove_link(IfIndex(2));
  CHECK(lab.kernel.slot_is_bound(kIpv6, VifIndex(1)) == true);
  lab.kernel.send(parent, flow_of(Family::ipv6));
  CHECK(lab.kernel.accidents().size() == 1);
  REQUIRE(lab.put(kIpv6, shape(0, {1})));
  CHECK(lab.kernel.accidents().size() == 2);
  CHECK(lab.kernel.violations().empty());
  lab.read_events();
  REQUIRE(lab.put(kIpv6, shape(0, {1})));
  CHECK(lab.kernel.violations().size() == 1);
}

TEST_CASE("a lent interface is bound still where slots dangle, and works when it returns") {
  Lab lab(freebsd_traits());
  REQUIRE(lab.bind(kIpv6, 0, 1));
  REQUIRE(lab.bind(kIpv6, 1, 2));
  REQUIRE(lab.bind(kIpv4, 0, 2));
  REQUIRE(lab.put(kIpv6, shape(0, {1})));
  const Device lent = lab.device(2);
  lab.kernel.lend_link(IfIndex(2));
  CHECK(lab.kernel.slot_is_bound(kIpv6, VifIndex(1)) == true);
  CHECK(lab.kernel.slot_is_bound(kIpv4, VifIndex(0)) == false);
  lab.kernel.return_link(lent);
  CHECK(lab.kernel.find_device(lent)->link.addresses.empty());
  CHECK_FALSE(lab.kernel.find_device(lent)->link.up);
  CHECK(lab.kernel.outputs(kIpv6, lab.device(1), flow_of(Family::ipv6)) == Devices{lent});
}

TEST_CASE("one source more than the kernel survives is a violation") {
  KernelTraits traits = freebsd_traits();
  traits.max_sources_per_group = 3;
  Lab lab(traits);
  const Address group = flow_of(Family::ipv4).group;
  const auto join = [&](unsigned source, unsigned link) {
    return lab.kernel.apply(JoinGroup{IfIndex(link), Lab::address(source), group});
  };
  for (const unsigned source : {11U, 12U, 13U, 13U}) CHECK(join(source, 1));
  CHECK(join(14, 2));
  CHECK(lab.kernel.apply(JoinGroup{IfIndex(1), std::nullopt, group}));
  CHECK(lab.kernel.violations().empty());
  CHECK(join(14, 1).error().code == ErrorCode::limit_reached);
  CHECK(lab.kernel.violations().size() == 1);
}

TEST_CASE("joins end with their interface, or leave a record; a rename leaves them alone") {
  for (const KernelTraits& traits : {linux_traits(), freebsd_traits()}) {
    Lab lab(traits);
    const bool forgets = traits.ipv4.rename_is_departure;
    const Address group = flow_of(Family::ipv4).group;
    for (const unsigned link : {1U, 2U}) {
      REQUIRE(lab.kernel.apply(JoinGroup{IfIndex(link), std::nullopt, group}));
    }
    lab.kernel.rename_link(IfIndex(1), "other");
    CHECK(lab.kernel.memberships().size() == 2);
    const Device lent = lab.device(2);
    lab.kernel.lend_link(IfIndex(2));
    lab.kernel.return_link(lent);
    CHECK(lab.kernel.memberships().size() == 1);
    CHECK(lab.kernel.memberships_held() == (forgets ? 1 : 2));
    lab.kernel.remove_link(IfIndex(1));
    CHECK(lab.kernel.memberships().empty());
    CHECK(lab.kernel.memberships_held() == (forgets ? 0 : 2));
    for (const unsigned link : {1U, 2U}) {
      CHECK(lab.kernel.apply(LeaveGroup{IfIndex(link), std::nullopt, group}));
    }
    CHECK(lab.kernel.memberships_held() == 0);
  }
}

TEST_CASE("a rename is told as one interface, or as one that goes and one that comes") {
  Lab on_linux(linux_traits());
  on_linux.kernel.rename_link(IfIndex(1), "other");
  on_linux.read_events();
  CHECK(on_linux.events.told == std::vector<std::string>{"changed other"});

  Lab on_freebsd(freebsd_traits());
  const auto before = on_freebsd.kernel.find_link("e1")->link.incarnation;
  on_freebsd.kernel.rename_link(IfIndex(1), "other");
  on_freebsd.read_events();
  CHECK(on_freebsd.events.told == std::vector<std::string>{"removed 1", "changed other"});
  CHECK(on_freebsd.kernel.find_link("other")->link.incarnation != before);
}

TEST_CASE("packets wait for an answer as long as the kernel lets them") {
  for (const KernelTraits& traits : {linux_traits(), freebsd_traits()}) {
    Lab lab(traits);
    const bool is_short = traits.ipv4.unbound_output != UnboundOutput::skipped;
    const TableKey table{Family::ipv4, traits.ipv4.default_table};
    if (!lab.kernel.is_open(table)) lab.open(table);
    REQUIRE(lab.bind(table, 0, 1));
    Upcalls asked;
    const auto ask = [&] {
      lab.kernel.send(lab.device(1), flow_of(Family::ipv4));
      REQUIRE(lab.kernel.read_upcalls(table, 10, asked));
      return asked.all.size();
    };
    CHECK(ask() == 1);
    lab.kernel.advance(1'499);
    CHECK(ask() == 1);
    lab.kernel.advance(1);
    CHECK(ask() == (is_short ? 2 : 1));
    lab.kernel.advance(10'000);
    CHECK(ask() == (is_short ? 3 : 2));
  }
}

TEST_CASE("packets of an interface without a slot are asked about by a number that is none") {
  Lab lab(freebsd_traits());
  REQUIRE(lab.bind(kIpv6, 3, 1));
  REQUIRE(lab.bind(kIpv4, 3, 1));
  Upcalls asked;
  for (const TableKey table : {kIpv4, kIpv6}) {
    lab.kernel.send(lab.device(2), flow_of(table.family));
    REQUIRE(lab.kernel.read_upcalls(table, 10, asked));
  }
  REQUIRE(asked.all.size() == 1);
  CHECK(asked.all[0].table == kIpv6);
  CHECK(asked.all[0].arrived_on == VifIndex(4));
}
