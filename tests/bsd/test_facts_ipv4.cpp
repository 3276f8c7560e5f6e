// SPDX-License-Identifier: BSD-2-Clause
//
// What the kernel does with IPv4 slots and entries by itself: freebsd_traits() and platform/bsd/
// rely on each of these. One that fails tells that this release differs.
#include "tests/bsd/raw_lab.hpp"

#include <sys/wait.h>
#include <unistd.h>

using namespace mcast;
using namespace mcast::testing;

TEST_CASE("IPv4: a second MRT_INIT is refused") {
  const RawLab4 lab;
  RawMroute4 second;
  CHECK_ERRNO(second.init(), EADDRINUSE);
}

TEST_CASE("IPv4: only the socket of MRT_INIT may do anything") {
  RawLab4 lab;
  RawMroute4 second;
  CHECK_ERRNO(second.add_vif(5, lab.cables.at("a").router_address(Family::ipv4)), EPERM);
  CHECK_ERRNO(second.add_mfc(lab.flow(), 0, {1}), EPERM);
}

TEST_CASE("IPv4: a slot is bound by a local address, and by no other") {
  RawLab4 lab;
  CHECK_ERRNO(lab.router.add_vif(5, address("0.0.0.0")), EADDRNOTAVAIL);
  CHECK_ERRNO(lab.router.add_vif(5, address("10.99.0.1")), EADDRNOTAVAIL);
  CHECK_ERRNO(lab.router.add_vif(32, lab.cables.at("a").router_address(Family::ipv4)), EINVAL);
}

TEST_CASE("IPv4: one interface may have two slots") {
  RawLab4 lab;
  REQUIRE_DONE(lab.bind(5, "b"));
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {5}));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("IPv4: a slot outlives the address it was bound by") {
  RawLab4 lab;
  lab.cables.at("b").remove_address(Family::ipv4);
  CHECK(RawLab4::has_slot(1));
}

TEST_CASE("IPv4: a rename takes the slot without a word") {
  RawLab4 lab;
  lab.cables.rename("b", "other");
  CHECK_FALSE(RawLab4::has_slot(1));
  CHECK(RawLab4::has_slot(0));
  CHECK_ERRNO(lab.router.del_vif(1), EADDRNOTAVAIL);
}

TEST_CASE("IPv4: a rename takes the entries that the interface fed, and no others") {
  RawLab4 lab;
  const FlowKey from_b = lab.flow("b");
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  REQUIRE_DONE(lab.router.add_mfc(from_b, 1, {0}));
  CHECK(lab.send("a") == Names{"b"});
  CHECK(lab.send("b") == Names{"a"});
  lab.cables.rename("b", "other");
  RawCounters counters;
  CHECK_ERRNO(lab.router.count_flow(from_b, counters), EADDRNOTAVAIL);
  CHECK_ERRNO(lab.router.count_flow(lab.flow(), counters), 0);
  CHECK(lab.send("a") == Names{});
  // The output is still set, and works again with the slot.
  REQUIRE_DONE(lab.bind(1, "other"));
  CHECK(lab.send("a") == Names{"other"});
}

TEST_CASE("IPv4: an interface that goes to another network takes its slot along") {
  RawLab4 lab;
  const Jail elsewhere;
  lab.cables.at("b").lend(elsewhere);
  CHECK_FALSE(RawLab4::has_slot(1));
  lab.cables.at("b").take_back();
  CHECK_FALSE(RawLab4::has_slot(1));
}

TEST_CASE("IPv4: an interface that is destroyed takes its slot along") {
  RawLab4 lab;
  lab.cables.remove("b");
  CHECK_FALSE(RawLab4::has_slot(1));
  CHECK(RawLab4::has_slot(0));
}

TEST_CASE("IPv4: updating an entry leaves outputs above the highest slot as they were") {
  RawLab4 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  REQUIRE_DONE(lab.router.del_vif(1));
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {}));
  REQUIRE_DONE(lab.bind(1, "b"));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("IPv4: an entry that is removed and put anew has the outputs it was given") {
  RawLab4 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  REQUIRE_DONE(lab.router.del_vif(1));
  REQUIRE_DONE(lab.router.del_mfc(lab.flow()));
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {}));
  REQUIRE_DONE(lab.bind(1, "b"));
  CHECK(lab.send() == Names{});
}

TEST_CASE("IPv4: an output whose slot is empty goes wherever a unicast route leads") {
  // ip_output() is given no interface then and looks for a route. Slots above the highest one in
  // use are not looked at, so that another one is needed there.
  RawLab4 lab;
  lab.cables.add("c");
  REQUIRE_DONE(lab.bind(2, "c"));
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  REQUIRE_DONE(lab.router.del_vif(1));
  CHECK(lab.send() == Names{});
  add_route(address("225.0.0.0"), 8, lab.cables.at("c").host_address(Family::ipv4));
  CHECK(lab.send() == Names{"c"});
}

TEST_CASE("IPv4: what is missing is told by these errors") {
  RawLab4 lab;
  RawCounters counters;
  std::uint64_t packets = 0;
  CHECK_ERRNO(lab.router.count_flow(lab.flow(), counters), EADDRNOTAVAIL);
  CHECK_ERRNO(lab.router.count_vif(9, packets), EINVAL);
  CHECK_ERRNO(lab.router.del_mfc(lab.flow()), EADDRNOTAVAIL);
  CHECK_ERRNO(lab.router.del_vif(9), EINVAL);
  REQUIRE_DONE(lab.router.del_vif(0));
  CHECK_ERRNO(lab.router.del_vif(0), EADDRNOTAVAIL);
}

TEST_CASE("IPv4: an entry for any source matches nothing") {
  RawLab4 lab;
  REQUIRE_DONE(lab.router.add_mfc({address("0.0.0.0"), lab.group}, 0, {1}));
  CHECK(lab.send() == Names{});
}

TEST_CASE("IPv4: counters are refused to a process without privilege, open socket or not") {
  RawLab4 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    RawCounters counters;
    ::_exit(::seteuid(kNobody) != 0 ? 255 : lab.router.count_flow(lab.flow(), counters));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK_ERRNO(WEXITSTATUS(status), EPERM);
}

TEST_CASE("IPv4: a copy of the socket keeps slots and entries") {
  RawLab4 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  {
    const Fd copy(::dup(lab.router.fd()));
    REQUIRE(copy);
  }
  CHECK(RawLab4::has_slot(1));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("IPv4: the last copy of the socket takes slots and entries with it") {
  CableLab lab;
  need_multicast_routing(Family::ipv4);
  {
    RawMroute4 router;
    REQUIRE_DONE(router.init());
    REQUIRE_DONE(router.add_vif(0, lab.cables.at("a").router_address(Family::ipv4)));
    CHECK(RawLab4::has_slot(0));
  }
  RawMroute4 next;
  REQUIRE_DONE(next.init());
  CHECK_FALSE(RawLab4::has_slot(0));
}
