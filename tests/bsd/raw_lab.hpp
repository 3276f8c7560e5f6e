// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cerrno>
#include <initializer_list>
#include <set>
#include <string>

#include "tests/bsd/cables.hpp"
#include "tests/bsd/net_control.hpp"
#include "tests/bsd/raw_mroute.hpp"
#include "tests/bsd/route_watch.hpp"
#include "tests/bsd/state_report.hpp"
#include "tests/support/skip.hpp"

/// Compares an errno, and tells both by name.
#define CHECK_ERRNO(call, expected) \
  CHECK(::mcast::testing::errno_name(call) == ::mcast::testing::errno_name(expected))
#define REQUIRE_DONE(call) REQUIRE(::mcast::testing::errno_name(call) == "done")

namespace mcast::testing {

using Names = std::set<std::string>;

inline Address address(const char* text) {
  return *Address::parse(text);
}

/// Interfaces a and b, and what of them the kernel tells.
struct CableLab {
  CableLab() {
    for (const char* name : {"a", "b"}) cables.add(name);
    watch.drain();
    watch.forget();
  }
  RouteWatch watch;
  Cables cables;
  StateTeller teller{[this] {
    cables.describe();
    fmt::print("routing messages:\n{}", watch.describe());
  }};
};

/// They have slots 0 and 1.
struct RawLab4 : CableLab {
  RawLab4() {
    need_multicast_routing(Family::ipv4);
    REQUIRE_DONE(router.init());
    REQUIRE_DONE(bind(0, "a"));
    REQUIRE_DONE(bind(1, "b"));
  }
  int bind(unsigned slot, const std::string& name) {
    return router.add_vif(slot, cables.at(name).router_address(Family::ipv4));
  }
  [[nodiscard]] FlowKey flow(const std::string& from = "a") const {
    return {cables.at(from).host_address(Family::ipv4), group};
  }
  Names send(const std::string& from = "a") { return cables.send(from, group); }
  [[nodiscard]] static bool has_slot(unsigned slot) {
    for (const auto& row : read_viftable()) {
      if (row.slot == slot) return true;
    }
    return false;
  }
  Address group = address("225.1.2.3");
  RawMroute4 router;
};

/// Beside another router, in whatever jail, a second one would bring the kernel down.
inline void need_free_ipv6_router() {
  need_multicast_routing(Family::ipv6);
  if (is_ipv6_routed()) MCAST_SKIP("another program on this kernel routes IPv6 multicast");
}

struct RawLab6 : CableLab {
  RawLab6() {
    need_free_ipv6_router();
    REQUIRE_DONE(router.init());
    REQUIRE_DONE(bind(0, "a"));
    REQUIRE_DONE(bind(1, "b"));
  }
  ~RawLab6() {
    // Slots before their interfaces.
    router.done();
  }
  RawLab6(const RawLab6&) = delete;
  RawLab6& operator=(const RawLab6&) = delete;
  int bind(unsigned slot, const std::string& name) {
    return router.add_mif(slot, index_of_interface(name));
  }
  [[nodiscard]] FlowKey flow(const std::string& from = "a") const {
    return {cables.at(from).host_address(Family::ipv6), group};
  }
  Names send(const std::string& from = "a") { return cables.send(from, group); }
  /// The interface's index, or 0.
  [[nodiscard]] static unsigned slot(unsigned number) {
    for (const auto& row : read_mif6table()) {
      if (row.slot == number) return row.index;
    }
    return 0;
  }
  Address group = address("ff0e::1:3");
  RawMroute6 router;
};

}  // namespace mcast::testing
