// SPDX-License-Identifier: BSD-2-Clause
//
// The hosts of the FreeBSD tests, which can be tried anywhere.
#include <doctest/doctest.h>

#include <fcntl.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/bsd/agent.hpp"
#include "tests/support/net_namespace.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

Address address(const char* text) {
  return *Address::parse(text);
}

void enter(const NetNamespace& net) {
  check_call(::setns(net.fd(), CLONE_NEWNET), "setns");
}

Agent::Hands hands(const NetNamespace& net, const std::string& interface,
                   std::function<void(const Address&)> adopt) {
  return {[&net, interface] {
            enter(net);
            return interface;
          },
          std::move(adopt)};
}

/// A cable between two of them.
struct TwoHosts {
  NetNamespace near_net;
  NetNamespace far_net;
  std::unique_ptr<Agent> near;
  std::unique_ptr<Agent> far;

  TwoHosts() {
    near_net.add_veth("cable", far_net, "lan");
    near_net.add_address("cable", "10.1.0.1/24");
    near_net.add_address("cable", "fd00:1::1/64");
    far_net.add_address("lan", "10.1.0.2/24");
    far_net.add_address("lan", "fd00:1::2/64");
    near = std::make_unique<Agent>("near", hands(near_net, "cable", [](const Address& adopted) {
                                     throw std::runtime_error("it is not to have " +
                                                              adopted.to_string());
                                   }));
    far = std::make_unique<Agent>("far", hands(far_net, "lan", [](const Address&) {}));
  }
};

struct Flow {
  const char* group;
  const char* source;
};
constexpr Flow kFlows[] = {{"225.1.2.3", "10.1.0.1"},
                           {"ff0e::1:3", "fd00:1::1"},
                           {"224.0.0.199", "0.0.0.0"},
                           {"ff02::9999", "::"}};

}  // namespace

TEST_CASE("a host hears what another sends, flow by flow") {
  TwoHosts hosts;
  for (const auto& flow : kFlows) {
    CAPTURE(flow.group);
    const Shipment shipment{address(flow.group), address(flow.source), 7, 3};
    hosts.far->join(shipment.group);
    hosts.far->join(shipment.group);
    // A new cable takes its time to pass packets.
    bool passes = false;
    for (int i = 0; i < 100 && !passes; ++i) {
      std::uint64_t number = 0;
      try {
        number = hosts.near->send(shipment);
      } catch (const std::runtime_error&) {
        continue;  // no link-local address yet
      }
      passes = hosts.far->await(shipment.group, 7, number, std::chrono::milliseconds(100));
    }
    REQUIRE(passes);
    const auto before = hosts.far->received(shipment.group, 7);
    const auto number = hosts.near->send(shipment);
    CHECK(hosts.near->send(shipment) == number + 1);
    CHECK(hosts.far->await(shipment.group, 7, number + 1, kKernelPatience));
    CHECK(hosts.far->received(shipment.group, 7) == before + 2);
    CHECK(hosts.far->received(shipment.group, 8) == 0);
    CHECK_FALSE(hosts.far->await(shipment.group, 8, 1, std::chrono::milliseconds(1)));
  }
}

TEST_CASE("a host hears nothing of groups that it has not joined") {
  TwoHosts hosts;
  CHECK_THROWS_WITH(hosts.far->received(address("225.1.2.3"), 1), "far: 225.1.2.3 was not joined");
}

TEST_CASE("what a host cannot do is told where it was asked for") {
  TwoHosts hosts;
  const Shipment foreign{address("225.1.2.3"), address("10.9.9.9"), 1, 1};
  CHECK_THROWS_WITH_AS(hosts.near->send(foreign), doctest::Contains("near: bind to 10.9.9.9"),
                       std::runtime_error);
  CHECK_THROWS_WITH_AS(hosts.near->adopt(address("10.1.0.9")), "near: it is not to have 10.1.0.9",
                       std::runtime_error);
  hosts.far->adopt(address("10.1.0.9"));
  CHECK_THROWS_WITH_AS(Agent("lost", {[] { return "nowhere"; }, {}}),
                       doctest::Contains("lost: if_nametoindex(nowhere)"), std::runtime_error);
  CHECK_THROWS_WITH_AS(
      Agent("lost", {[]() -> std::string { throw std::runtime_error("no way"); }, {}}),
      "lost: no way", std::runtime_error);
  CHECK_THROWS_WITH_AS(Agent("lost", {[]() -> std::string { ::_exit(1); }, {}}), "lost has died",
                       std::runtime_error);
}

TEST_CASE("a host holds nothing of ours open") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  const Agent agent("idle", {[] { return "lo"; }, {}});
  writing.reset();
  char byte = 0;
  REQUIRE(::fcntl(reading.get(), F_SETFL, O_NONBLOCK) == 0);
  CHECK(::read(reading.get(), &byte, 1) == 0);
}
