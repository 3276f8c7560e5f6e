// SPDX-License-Identifier: BSD-2-Clause
//
// What is known to bring kernels down, by bare calls: which releases survive it tells what our
// backend may cease to prevent. Run on demand only; the last line on the console names the one that
// a kernel has died of.
#include "tests/bsd/raw_lab.hpp"

#include <sys/socket.h>

#include <netinet/in.h>

#include <cstring>

using namespace mcast;
using namespace mcast::testing;

TEST_SUITE_BEGIN("panic-class");

TEST_CASE("IPv4: binding a slot that is taken is refused, and leaves the interface alone") {
  // netinet/ip_mroute.c add_vif() frees the interface.
  RawLab4 lab;
  CHECK_ERRNO(lab.bind(1, "a"), EADDRINUSE);
  CHECK(index_of_interface("a") != 0);
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("IPv6: an output whose slot is empty is left out") {
  // netinet6/ip6_mroute.c ip6_mdq() asks a missing interface for its scope. Slots above the highest
  // one in use are not looked at.
  RawLab6 lab;
  lab.cables.add("c");
  REQUIRE_DONE(lab.bind(2, "c"));
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1, 2}));
  REQUIRE_DONE(lab.router.del_mif(1));
  CHECK(lab.send() == Names{"c"});
}

TEST_CASE("IPv6: an interface that is destroyed takes its slot along") {
  RawLab6 lab;
  lab.cables.remove("b");
  CHECK(RawLab6::slot(1) == 0);
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  CHECK(lab.send() == Names{});
  // Uses the interface again.
  static_cast<void>(lab.router.del_mif(1));
  CHECK(RawLab6::slot(0) == index_of_interface("a"));
}

TEST_CASE("IPv6: an interface that goes to another network takes its slot along") {
  RawLab6 lab;
  const Jail elsewhere;
  lab.cables.at("b").lend(elsewhere);
  CHECK(RawLab6::slot(1) == 0);
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  CHECK(lab.send() == Names{});
  static_cast<void>(lab.router.del_mif(1));
  lab.cables.at("b").take_back();
}

TEST_CASE("IPv6: a router in a jail leaves the one outside alone") {
  RawLab6 lab;
  REQUIRE_DONE(lab.router.add_mfc(lab.flow(), 0, {1}));
  {
    const Jail jail;
    CHECK(jail.ask([] {
      RawMroute6 router;
      return errno_name(router.init());
    }) == "done");
  }
  CHECK(RawLab6::slot(0) == index_of_interface("a"));
  CHECK(RawLab6::slot(1) == index_of_interface("b"));
  CHECK(lab.send() == Names{"b"});
}

TEST_CASE("IPv4: one source more than maxgrpsrc is refused") {
  // netinet/in_mcast.c inm_merge() walks from an uninitialised pointer.
  CableLab lab;
  const auto most = read_number("net.inet.ip.mcast.maxgrpsrc").value_or(512);
  const Fd socket(check_call(::socket(AF_INET, SOCK_DGRAM, 0), "socket"));
  group_source_req request{};
  request.gsr_interface = index_of_interface("a");
  const auto put = [](sockaddr_storage& place, std::uint32_t host_order) {
    sockaddr_in made{};
    made.sin_len = sizeof made;
    made.sin_family = AF_INET;
    made.sin_addr.s_addr = htonl(host_order);
    std::memcpy(&place, &made, sizeof made);
  };
  put(request.gsr_group, 0xe1010203);
  int error = 0;
  std::int64_t joined = 0;
  while (error == 0 && joined <= most) {
    put(request.gsr_source, 0xc0000200U + static_cast<std::uint32_t>(joined));
    error = ::setsockopt(socket.get(), IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &request,
                         sizeof request) == 0
                ? 0
                : errno;
    if (error == 0) ++joined;
  }
  CHECK(joined == most);
  CHECK(error != 0);
}

TEST_SUITE_END();
