// SPDX-License-Identifier: BSD-2-Clause
//
// What the kernel does with IPv6 slots and entries by itself; see test_facts_ipv4.cpp.
#include "tests/bsd/raw_lab.hpp"

using namespace mcast;
using namespace mcast::testing;

TEST_CASE("IPv6: a slot that is taken is refused, and nothing else happens") {
  RawLab6 lab;
  CHECK_ERRNO(lab.bind(1, "a"), EADDRINUSE);
  CHECK(index_of_interface("a") != 0);
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("IPv6: a slot is refused to what is no interface, and above the 64th") {
  RawLab6 lab;
  CHECK_ERRNO(lab.router.add_mif(5, 54321), ENXIO);
  CHECK_ERRNO(lab.router.add_mif(64, index_of_interface("a")), EINVAL);
}

TEST_CASE("IPv6: a rename leaves slot and entries alone") {
  RawLab6 lab;
  const unsigned index = index_of_interface("b");
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  lab.cables.rename("b", "other");
  CHECK(RawLab6::slot(1) == index);
  CHECK(lab.send() == Names{"other"});
}

TEST_CASE("IPv6: an entry that is missing is told as ESRCH") {
  RawLab6 lab;
  RawCounters counters;
  CHECK_ERRNO(lab.router.count_flow(lab.flow(), counters), ESRCH);
}

TEST_CASE("IPv6: an update of an entry replaces its outputs") {
  RawLab6 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  CHECK(lab.send() == Names{"b"});
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {}));
  CHECK(lab.send() == Names{});
}

TEST_CASE("IPv6: the output of a slot that is empty stays, and works with the next one in it") {
  RawLab6 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  REQUIRE_DONE(lab.router.del_mif(1));
  CHECK(lab.send() == Names{});
  REQUIRE_DONE(lab.bind(1, "b"));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("IPv6: the last copy of the socket takes slots with it") {
  CableLab lab;
  need_free_ipv6_router();
  {
    RawMroute6 router;
    REQUIRE_DONE(router.init());
    REQUIRE_DONE(router.add_mif(0, index_of_interface("a")));
    CHECK(RawLab6::slot(0) == index_of_interface("a"));
  }
  CHECK(read_mif6table().empty());
}
