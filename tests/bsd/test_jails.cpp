// SPDX-License-Identifier: BSD-2-Clause
//
// Routers beside each other, in the network of this program and in jails.
#include "tests/bsd/raw_lab.hpp"

#include <sys/socket.h>

#include "platform/bsd/mroute_kernel.hpp"
#include "platform/bsd/table_keeper.hpp"
#include "platform/ports.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

TableKey table(Family family) {
  return {family, TableId(0)};
}

/// What our keeper says of a table, in the jail.
std::string open_in(const Jail& jail, Family family) {
  return jail.ask([family]() -> std::string {
    const auto opened =
        platform::make_table_keeper(platform::probe_tables())->open_table(table(family));
    return opened ? "opened" : opened.error().message;
  });
}

}  // namespace

TEST_CASE("the platform opens, and takes a table of each family") {
  need_multicast_routing(Family::ipv4);
  need_free_ipv6_router();
  auto opened = platform::open_platform();
  REQUIRE(opened);
  CHECK(opened->multicast_rules == nullptr);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    auto socket = opened->keeper->open_table(table(family));
    REQUIRE_MESSAGE(socket, (socket ? "" : socket.error().message));
    CHECK(opened->kernel->adopt_table(std::move(*socket)));
  }
}

TEST_CASE("a jail has an IPv4 router of its own, without further rights") {
  RawLab4 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  {
    const Jail jail;
    CHECK(open_in(jail, Family::ipv4) == "opened");
    CHECK(jail.ask([] { return RawLab4::has_slot(0) ? "slot 0" : "nothing"; }) == "nothing");
  }
  CHECK(RawLab4::has_slot(0));
  CHECK(RawLab4::has_slot(1));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("a jail's IPv4 router that dies with its jail leaves ours alone") {
  RawLab4 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  {
    const Jail jail;
    CHECK(jail.ask([] {
      // Open until the process ends, with its jail.
      static RawMroute4 router;
      return errno_name(router.init());
    }) == "done");
  }
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("a second IPv6 router is refused in a jail, and the first stays as it was") {
  CableLab lab;
  need_free_ipv6_router();
  const auto tables = platform::probe_tables();
  if (tables > 1) MCAST_SKIP("this kernel has IPv6 multicast routing for each FIB and jail");
  const auto keeper = platform::make_table_keeper(tables);
  const auto kernel = platform::make_mroute_kernel(tables);
  const TableKey own = table(Family::ipv6);
  const Jail jail;
  const auto refused = [&] {
    const std::string said = open_in(jail, Family::ipv6);
    CAPTURE(said);
    CHECK(said.contains("another program routes IPv6 multicast"));
  };
  REQUIRE(kernel->adopt_table(keeper->open_table(own).value()));
  // It has nothing to route yet, and is seen all the same.
  refused();
  for (const unsigned slot : {0U, 1U}) {
    const IfIndex link(index_of_interface(slot == 0 ? "a" : "b"));
    REQUIRE(kernel->apply(BindVif{own, slot_number(slot), link, 1, {}}));
  }
  const FlowKey flow{lab.cables.at("a").host_address(Family::ipv6), address("ff0e::1:3")};
  MfcShape shape;
  shape.ttls[1] = 1;
  REQUIRE(kernel->apply(PutMfc{own, flow, shape}));
  refused();
  CHECK(RawLab6::slot(0) == index_of_interface("a"));
  CHECK(lab.cables.send("a", flow.group) == Names{"b"});
  kernel->close_table(own);
  CHECK(open_in(jail, Family::ipv6) == "opened");
}

TEST_CASE("a jail without a network of its own is refused tables") {
  // A jail cannot be left, so this is asked in one of which the process that asks is the only one.
  need_multicast_routing(Family::ipv4);
  const int shared = make_shared_jail();
  const std::string said = ask_in_jail(shared, []() -> std::string {
    const auto opened = platform::make_table_keeper(1)->open_table(table(Family::ipv4));
    return opened ? "opened" : opened.error().message;
  });
  remove_jail(shared);
  CAPTURE(said);
  CHECK(said != "opened");
}

TEST_CASE("what is missing of multicast routing is named with the remedy") {
  bool any = false;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (has_multicast_routing(family)) continue;
    any = true;
    const auto opened = platform::make_table_keeper(1)->open_table(table(family));
    REQUIRE_FALSE(opened);
    CAPTURE(opened.error().message);
    CHECK(opened.error().code == ErrorCode::no_kernel_support);
    CHECK(opened.error().message.contains("kldload"));
  }
  if (!any) MCAST_SKIP("the kernel has multicast routing of both families");
}

TEST_CASE("tables are one, or one for each FIB, as our probe finds") {
  need_multicast_routing(Family::ipv4);
  const auto fibs = read_number("net.fibs").value_or(1);
  if (fibs < 2) MCAST_SKIP("net.fibs is 1");
  RawMroute4 first;
  REQUIRE_DONE(first.init());
  RawMroute4 second;
  constexpr int kFib = 1;
  REQUIRE(::setsockopt(second.fd(), SOL_SOCKET, SO_SETFIB, &kFib, sizeof kFib) == 0);
  const int error = second.init();
  const bool several = error == 0;
  if (!several) CHECK_ERRNO(error, EADDRINUSE);
  REQUIRE_DONE(first.done());
  if (several) REQUIRE_DONE(second.done());
  const auto tables = platform::probe_tables();
  CHECK(tables == (several ? static_cast<std::uint32_t>(fibs) : 1U));
  CHECK(platform::make_mroute_kernel(tables)->traits().table_choice ==
        (several ? TableChoice::interface : TableChoice::single));
}
