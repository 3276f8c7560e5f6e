// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <chrono>
#include <functional>

#include "cli/idle_flows.hpp"
#include "core/engine.hpp"
#include "platform/converge.hpp"
#include "tests/fake/fake_kernel.hpp"
#include "tests/unit/memory_files.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

FlowKey flow(const char* source, const char* group) {
  return {.source = *Address::parse(source), .group = *Address::parse(group)};
}

/// An engine over a fake kernel with one interface, where unwanted flows become stop filters.
class Router : private platform::LinkSink, private platform::UpcallSink {
 public:
  Router() {
    engine.set_config(
        parse_text("mroute from eth0 source 10.0.0.9 group 239.9.9.9 to eth0\n").config);
    auto socket = kernel.open_table(table);
    REQUIRE(socket);
    REQUIRE(kernel.adopt_table(std::move(*socket)));
    engine.table_opened(table);
    Link eth0;
    eth0.name = "eth0";
    eth0.up = eth0.multicast = true;
    eth0.addresses = {*Address::parse("10.0.0.1")};
    device = kernel.add_link(eth0);
    REQUIRE(kernel.start(*this));
    turn();
  }

  void turn() { platform::converge(engine, kernel, 0); }
  void send(const FlowKey& key) {
    kernel.send(device, key);
    REQUIRE(kernel.read_upcalls(table, 100, *this));
    turn();
  }
  [[nodiscard]] bool knows(const FlowKey& key) const {
    bool found = false;
    engine.for_each_learned([&](TableKey, const FlowKey& learned) {
      if (learned == key) found = true;
    });
    return found;
  }
  [[nodiscard]] bool installed(const FlowKey& key) const {
    return kernel.entries(table).contains(key);
  }

  const TableKey table{Family::ipv4, linux_traits().ipv4.default_table};
  FakeKernel kernel{linux_traits()};
  Engine engine{linux_traits(),
                {.default_ipv4 = linux_traits().ipv4.default_table,
                 .default_ipv6 = linux_traits().ipv6.default_table}};
  Device device;

 private:
  void link_changed(const Link& link) override { engine.link_changed(link); }
  void link_removed(IfIndex index) override { engine.link_removed(index); }
  void links_relearned(std::span<const Link> links) override { engine.links_relearned(links); }
  void upcall(const Upcall& upcall) override { engine.upcall(upcall, 0); }
};

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
    router.turn();
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
