// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <chrono>
#include <functional>

#include "cli/idle_flows.hpp"
#include "tests/unit/router_on_fake.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

const FlowKey kBusy = flow("10.0.0.2", "239.1.1.1");
const FlowKey kIdle = flow("10.0.0.3", "239.1.1.1");
constexpr std::chrono::seconds kInterval{1};

}  // namespace

TEST_CASE("a flow is forgotten after a whole interval without a packet, and no other is") {
  Router router;
  asio::io_context loop;
  int looks = 0;
  std::function<void()> looked;
  cli::IdleFlows idle(loop, kInterval, [&] {
    ++looks;
    router.settle();
    looked();
    idle.watch(router.engine, router.kernel);
  });
  router.send(kBusy);
  router.send(kIdle);
  REQUIRE(router.installed(kBusy));
  REQUIRE(router.installed(kIdle));
  looked = [&] {
    CAPTURE(looks);
    // The first look only takes note, the second finds one of them idle, the third the other.
    CHECK(router.installed(kBusy) == (looks < 3));
    CHECK(router.knows(kBusy) == (looks < 3));
    CHECK(router.installed(kIdle) == (looks < 2));
    CHECK(router.knows(kIdle) == (looks < 2));
    if (looks == 1) router.send(kBusy);
  };
  idle.watch(router.engine, router.kernel);
  // Returns when nothing is waited for: with no flow left there is no timer either.
  loop.run();
  CHECK(looks == 3);
}

TEST_CASE("what is configured is never idle") {
  Router router;
  asio::io_context loop;
  const FlowKey configured = flow("10.0.0.9", "239.9.9.9");
  REQUIRE(router.installed(configured));
  cli::IdleFlows idle(loop, kInterval, [] { FAIL("there is nothing to look at"); });
  idle.watch(router.engine, router.kernel);
  CHECK(loop.run() == 0);
  CHECK(router.installed(configured));
}

TEST_CASE("an interval of 0 keeps idle flows for ever") {
  Router router;
  asio::io_context loop;
  router.send(kIdle);
  cli::IdleFlows idle(loop, std::chrono::seconds(0), [] { FAIL("it is turned off"); });
  idle.watch(router.engine, router.kernel);
  CHECK(loop.run() == 0);
  CHECK(router.installed(kIdle));
}
