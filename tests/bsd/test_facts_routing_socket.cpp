// SPDX-License-Identifier: BSD-2-Clause
//
// What the kernel tells on routing sockets; platform/bsd/ takes these for hints, and relies on
// some.
#include "tests/bsd/raw_lab.hpp"

#include <sys/socket.h>

#include <net/if.h>
#include <net/if_dl.h>
#include <net/route.h>

#include <algorithm>
#include <cstddef>

using namespace mcast;
using namespace mcast::testing;

namespace {

// As platform/bsd/route_codec.cpp reads them, on machines with 64 bits.
static_assert(RTM_VERSION == 5 && sizeof(long) == 8);
static_assert(sizeof(rt_msghdr) == 152 && offsetof(rt_msghdr, rtm_addrs) == 12);
static_assert(sizeof(if_msghdr) == 168 && offsetof(if_msghdr, ifm_addrs) == 4);
static_assert(offsetof(if_msghdr, ifm_flags) == 8 && offsetof(if_msghdr, ifm_index) == 12);
static_assert(offsetof(if_msghdr, ifm_data) == 16 && sizeof(if_data) == 152);
static_assert(offsetof(if_data, ifi_link_state) == 4);
static_assert(sizeof(ifa_msghdr) == 20 && offsetof(ifa_msghdr, ifam_index) == 12);
static_assert(offsetof(ifa_msghdr, ifam_addrs) == 4 && offsetof(ifa_msghdr, ifam_metric) == 16);
static_assert(sizeof(ifma_msghdr) == 16 && offsetof(ifma_msghdr, ifmam_index) == 12);
static_assert(sizeof(if_announcemsghdr) == 24 && offsetof(if_announcemsghdr, ifan_index) == 4);
static_assert(offsetof(if_announcemsghdr, ifan_name) == 6);
static_assert(offsetof(if_announcemsghdr, ifan_what) == 22);
static_assert(IFAN_ARRIVAL == 0 && IFAN_DEPARTURE == 1 && sizeof(sockaddr_dl) == 54);

bool is(const RouteEvent& event, int type, const std::string& name = {}) {
  return event.type == type && (name.empty() || event.name == name);
}

auto announcement(int what, const std::string& name) {
  return [=](const RouteEvent& event) {
    return is(event, RTM_IFANNOUNCE, name) && event.what == what;
  };
}

bool has_address(const std::string& name, const std::string& wanted) {
  for (const auto& [owner, text] : interface_addresses()) {
    if (owner == name && text == wanted) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("routing socket: a rename is a departure and an arrival under the same index") {
  CableLab lab;
  const unsigned index = index_of_interface("b");
  lab.cables.rename("b", "other");
  const auto gone = lab.watch.await(announcement(IFAN_DEPARTURE, "b"), "the old name's departure");
  const auto come = lab.watch.await(announcement(IFAN_ARRIVAL, "other"), "the new name's arrival");
  CHECK(gone.index == index);
  CHECK(come.index == index);
  CHECK(index_of_interface("other") == index);
}

TEST_CASE("routing socket: an interface set down loses its IPv4 address in words only") {
  CableLab lab;
  const std::string address = lab.cables.at("b").router_address(Family::ipv4).to_string();
  lab.cables.at("b").set_up(false);
  const auto event = lab.watch.await(
      [&](const RouteEvent& seen) { return is(seen, RTM_DELADDR) && seen.address == address; },
      "the address's removal");
  CHECK(event.index == index_of_interface("b"));
  CHECK(has_address("b", address));
  lab.cables.at("b").set_up(true);
  lab.watch.await(
      [&](const RouteEvent& seen) { return is(seen, RTM_NEWADDR) && seen.address == address; },
      "the address's return");
}

TEST_CASE("routing socket: an address comes with the name of its interface") {
  CableLab lab;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    CAPTURE(to_string(family));
    Cable& cable = lab.cables.at("b");
    cable.remove_address(family);
    cable.add_address(family);
    const std::string address = cable.router_address(family).to_string();
    const auto event = lab.watch.await(
        [&](const RouteEvent& seen) { return is(seen, RTM_NEWADDR) && seen.address == address; },
        "the new address");
    CHECK(event.name == "b");
    CHECK((event.addrs & (1U << RTAX_IFA | 1U << RTAX_IFP | 1U << RTAX_NETMASK)) ==
          (1U << RTAX_IFA | 1U << RTAX_IFP | 1U << RTAX_NETMASK));
  }
}

TEST_CASE("routing socket: one that goes to another network departs, and arrives when it is back") {
  CableLab lab;
  const std::string address = lab.cables.at("b").router_address(Family::ipv4).to_string();
  {
    const Jail elsewhere;
    lab.cables.at("b").lend(elsewhere);
    lab.watch.await(announcement(IFAN_DEPARTURE, "b"), "the departure");
    CHECK(index_of_interface("b") == 0);
    lab.cables.at("b").take_back();
  }
  lab.watch.await(announcement(IFAN_ARRIVAL, "b"), "the return");
  CHECK(has_address("b", address));
}

TEST_CASE("routing socket: the end of a jail gives its interfaces back") {
  const Epair pair = make_epair();
  RouteWatch watch;
  {
    const Jail elsewhere;
    lend_interface(pair.b, elsewhere.id());
    watch.await(announcement(IFAN_DEPARTURE, pair.b), "the departure");
  }
  watch.await(announcement(IFAN_ARRIVAL, pair.b), "the return");
  CHECK(index_of_interface(pair.b) != 0);
  destroy_interface(pair.a);
}

TEST_CASE("routing socket: lost messages are told once, after those that were kept") {
  RouteWatch small({.room = 2048});
  RouteWatch large;
  const Epair pair = make_epair();
  const unsigned index = index_of_interface(pair.a);
  constexpr int kChanges = 40;
  for (int i = 0; i < kChanges; ++i) {
    set_interface_up(pair.a, i % 2 == 0);
    large.await(
        [&](const RouteEvent& event) { return is(event, RTM_IFINFO) && event.index == index; },
        "a change of flags");
  }
  // The last that is told, so that nothing comes after small has been read.
  destroy_interface(pair.a);
  Names gone;
  large.await(
      [&](const RouteEvent& event) {
        if (announcement(IFAN_DEPARTURE, event.name)(event)) gone.insert(event.name);
        return gone.contains(pair.a) && gone.contains(pair.b);
      },
      "the departure of both ends");
  const auto events = small.drain();
  REQUIRE(events.size() >= 2);
  CHECK(std::ranges::count(events, 0, &RouteEvent::type) == 1);
  CHECK(events.back().type == 0);
  CHECK(large.history().size() > events.size());
}

TEST_CASE("routing socket: one for IPv4 alone hears nothing of interfaces") {
  RouteWatch narrow({.protocol = AF_INET});
  RouteWatch wide;
  const Epair pair = make_epair();
  wide.await(announcement(IFAN_ARRIVAL, pair.b), "the arrival");
  for (const auto& event : narrow.drain()) {
    CHECK_FALSE(is(event, RTM_IFANNOUNCE));
    CHECK_FALSE(is(event, RTM_IFINFO));
  }
  destroy_interface(pair.a);
}

TEST_CASE("routing socket: addresses are told to sockets of their interface's FIB only") {
  if (read_number("net.fibs").value_or(1) < 2) MCAST_SKIP("net.fibs is 1");
  if (read_number("net.add_addr_allfibs").value_or(0) != 0) {
    MCAST_SKIP("net.add_addr_allfibs is set");
  }
  CableLab lab;
  RouteWatch other({.fib = 1});
  const Address extra = address("10.77.0.1");
  set_fib_of_interface("b", 1);
  CHECK(fib_of_interface("b") == 1);
  add_interface_address("b", extra, 24);
  other.await(
      [&](const RouteEvent& seen) {
        return is(seen, RTM_NEWADDR) && seen.address == extra.to_string();
      },
      "the address, to a socket of FIB 1");
  // What is told to all comes after it.
  const Epair pair = make_epair();
  lab.watch.await(announcement(IFAN_ARRIVAL, pair.b), "an arrival, to a socket of FIB 0");
  other.await(announcement(IFAN_ARRIVAL, pair.b), "an arrival, to a socket of FIB 1");
  for (const auto& event : lab.watch.history()) {
    CHECK_FALSE((is(event, RTM_NEWADDR) && event.address == extra.to_string()));
  }
  destroy_interface(pair.a);
}
