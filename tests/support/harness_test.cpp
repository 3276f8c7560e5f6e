// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/process.hpp"
#include "tests/support/raw_mrouter.hpp"
#include "tests/support/topology.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>
#include <iterator>

namespace mcast::testing {
namespace {

struct Family {
  int number;
  const char* group;
  const char* other_group;
};
constexpr Family kFamilies[] = {{AF_INET, "239.1.1.1", "239.1.1.2"},
                                {AF_INET6, "ff1e::1:1", "ff1e::1:2"}};

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A sender, a router and two receivers: in0 leads in, out1 and out2 lead out.
struct Lab {
  Topology net;
  Host& sender = net.add_host();
  Host& first = net.add_host();
  Host& second = net.add_host();
  Lab() {
    net.plug("in0", sender);
    net.plug("out1", first);
    net.plug("out2", second);
  }
};

TEST_CASE("packets of both families pass between two hosts on one segment") {
  for (const Family& family : kFamilies) {
    CAPTURE(family.group);
    NetNamespace left;
    NetNamespace right;
    left.add_veth("a", right, "b");
    left.add_address("a", "10.9.0.1/24");
    left.add_address("a", "fd09::1/64");
    right.add_address("b", "10.9.0.2/24");
    MulticastSender sender(left, "a", family.group);
    MulticastReceiver receiver(right, "b", family.group);
    CHECK(expect_flow(sender, receiver));
    MulticastSender silent(left, "a", family.other_group);
    CHECK(expect_no_flow(silent, receiver, sender, receiver));
  }
}

TEST_CASE("a receiver that has not joined gets nothing") {
  Lab lab;
  auto sender = lab.sender.sender("239.1.1.1");
  auto deaf = lab.sender.receiver("239.1.1.1", {.join = false});
  auto control = lab.sender.sender("239.1.1.2");
  auto control_receiver = MulticastReceiver(lab.net.router(), "in0", "239.1.1.2");
  CHECK(expect_no_flow(sender, deaf, control, control_receiver));
}

TEST_CASE("a source-specific receiver gets only its source") {
  Lab lab;
  MulticastReceiver::Options only_other{.source = "10.1.0.77"};
  auto other = MulticastReceiver(lab.net.router(), "in0", "232.1.1.1", only_other);
  auto right = MulticastReceiver(lab.net.router(), "in0", "232.1.1.2", {.source = "10.1.0.2"});
  auto wrong_source = lab.sender.sender("232.1.1.1");
  auto right_source = lab.sender.sender("232.1.1.2");
  CHECK(expect_flow(right_source, right));
  CHECK(expect_no_flow(wrong_source, other, right_source, right));
}

TEST_CASE("a router built by hand forwards, and the helpers see what it forwards and what not") {
  for (const Family& family : kFamilies) {
    CAPTURE(family.group);
    Lab lab;
    auto flow = lab.sender.sender(family.group);
    auto first = lab.first.receiver(family.group);
    auto second = lab.second.receiver(family.group);
    auto control = lab.sender.sender(family.other_group);
    auto control_receiver = lab.second.receiver(family.other_group);
    const std::string& source = lab.sender.address_for(family.group);

    RawMrouter router(lab.net.router(), family.number);
    router.add_vif(0, "in0");
    router.add_vif(1, "out1");
    router.add_vif(2, "out2");
    router.put_route(source, family.other_group, 0, {2});
    CHECK(expect_no_flow(flow, second, control, control_receiver));

    router.put_route(source, family.group, 0, {1});
    CHECK(expect_flow(flow, first));
    CHECK(expect_no_flow(flow, second, control, control_receiver));

    router.put_route(source, family.group, 0, {1, 2});
    CHECK(expect_flow(flow, second));
    CHECK_FALSE(expect_no_flow(flow, second, control, control_receiver));

    router.drop_route(source, family.group);
    CHECK(expect_no_flow(flow, second, control, control_receiver));
    CHECK_FALSE(expect_flow(flow, second, Duration{50}));
  }
}

TEST_CASE("hosts keep their sockets while the router's interfaces are pulled and plugged") {
  for (const Family& family : kFamilies) {
    CAPTURE(family.group);
    Lab lab;
    auto flow = lab.sender.sender(family.group);
    auto first = lab.first.receiver(family.group);
    RawMrouter router(lab.net.router(), family.number);
    router.add_vif(0, "in0");
    router.add_vif(1, "out1");
    router.put_route(lab.sender.address_for(family.group), family.group, 0, {1});
    CHECK(expect_flow(flow, first));
    for (const char* interface : {"in0", "out1"}) {
      lab.net.pull(interface);
      CHECK_FALSE(lab.net.router().has_link(interface));
      CHECK_FALSE(expect_flow(flow, first, Duration{50}));
      const bool inbound = std::string_view(interface) == "in0";
      lab.net.plug(interface, inbound ? lab.sender : lab.first);
      router.add_vif(inbound ? 0 : 1, interface);
      CHECK(expect_flow(flow, first));
    }
  }
}

TEST_CASE("lost packets are counted exactly") {
  Lab lab;
  auto flow = lab.sender.sender("239.1.1.1");
  auto receiver = lab.first.receiver("239.1.1.1");
  RawMrouter router(lab.net.router(), AF_INET);
  router.add_vif(0, "in0");
  router.add_vif(1, "out1");
  router.put_route("10.1.0.2", "239.1.1.1", 0, {1});
  REQUIRE(expect_flow(flow, receiver));
  const std::uint64_t first = flow.sent();
  for (int i = 0; i < 10; ++i) flow.send();
  router.put_route("10.1.0.2", "239.1.1.1", 0, {});
  for (int i = 0; i < 7; ++i) flow.send();
  router.put_route("10.1.0.2", "239.1.1.1", 0, {1});
  const Loss loss = settle_loss(flow, receiver, first);
  CHECK(loss.settled);
  CHECK(loss.packets == 7);
  CHECK(receiver.account(flow).duplicated == 0);
}

TEST_CASE("a background flow over an undisturbed path loses nothing") {
  Lab lab;
  auto flow = lab.sender.sender("ff1e::1:1");
  auto receiver = lab.first.receiver("ff1e::1:1");
  RawMrouter router(lab.net.router(), AF_INET6);
  router.add_vif(0, "in0");
  router.add_vif(1, "out1");
  router.put_route(lab.sender.v6(), "ff1e::1:1", 0, {1});
  REQUIRE(expect_flow(flow, receiver));
  const std::uint64_t first = flow.sent();
  BackgroundFlow background(flow, std::chrono::microseconds(500));
  lab.net.pull("out2");
  lab.net.plug("out2", lab.second);
  background.stop();
  const Loss loss = settle_loss(flow, receiver, first);
  CHECK(loss.settled);
  CHECK(loss.packets == 0);
  CHECK(flow.sent() > first);
}

TEST_CASE("interfaces can be renamed, moved, stacked and stripped of multicast") {
  Lab lab;
  NetNamespace& router = lab.net.router();
  const unsigned index = router.index_of("out1");
  router.rename_link("out1", "wan9");
  CHECK(router.index_of("wan9") == index);
  CHECK_FALSE(router.has_link("out1"));

  NetNamespace drawer;
  router.move_link("wan9", drawer);
  CHECK_FALSE(router.has_link("wan9"));
  CHECK(drawer.has_link("wan9"));
  drawer.move_link("wan9", router);
  CHECK(router.has_link("wan9"));

  router.add_macvlan("mv0", "in0");
  CHECK(router.has_link("mv0"));
  router.add_bridge("br0");
  router.enslave("out2", "br0");
  router.release("out2");
  router.set_multicast("out2", false);
  router.set_multicast("out2", true);
  CHECK_THROWS_WITH(router.remove_link("nope"), "no such interface: nope");
}

TEST_CASE("a program runs inside the namespace and its results come back") {
  NetNamespace net;
  net.add_bridge("visible0");
  const auto listing = run_program(net, {"cat", "/proc/net/dev"});
  CHECK(listing.exit_code == 0);
  CHECK(listing.out.find("visible0") != std::string::npos);
  const auto echo = run_program(net, {"sh", "-c", "cat; echo trouble >&2; exit 3"}, "from stdin");
  CHECK(echo.exit_code == 3);
  CHECK(echo.out == "from stdin");
  CHECK(echo.err == "trouble\n");
  CHECK(run_program(net, {"/no/such/program"}).exit_code == 127);
}

TEST_CASE("a running process can be signalled, and one that outlives its welcome is killed") {
  NetNamespace net;
  Process process(net, {"cat", "/dev/zero"});
  CHECK(process.running());
  process.signal(SIGTERM);
  CHECK(process.wait() == ExitStatus{.code = -1, .signal = SIGTERM});
  const auto stuck = run_program(net, {"tail", "-f", "/dev/null"}, "", Duration{20});
  CHECK(stuck.exit_code == -1);
}

TEST_CASE("a program can be run without any capability") {
  NetNamespace net;
  const std::vector<std::string> show{"grep", "CapEff", "/proc/self/status"};
  const auto kept = run_program(net, show);
  CHECK(kept.exit_code == 0);
  CHECK(kept.out != "CapEff:\t0000000000000000\n");
  const auto none = run_program(net, show, "", kPatience, Privilege::none);
  CHECK(none.out == "CapEff:\t0000000000000000\n");
}

TEST_CASE("temporary directories vanish with their contents") {
  std::filesystem::path kept;
  {
    TempDir dir;
    kept = dir.path();
    dir.write("a.conf", "one");
    dir.write("a.conf", "two");
    CHECK(read_text(dir / "a.conf") == "two");
  }
  CHECK_FALSE(std::filesystem::exists(kept));
}

}  // namespace
}  // namespace mcast::testing
