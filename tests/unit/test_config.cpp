// SPDX-License-Identifier: BSD-2-Clause
#include "core/config.hpp"

#include <doctest/doctest.h>

#include "tests/unit/memory_files.hpp"

using namespace mcast;
using mcast::testing::lines_of;
using mcast::testing::parse_text;

namespace {

/// The only route of a valid text, as "IIF SOURCE GROUP OIF...".
std::string route(const std::string& text) {
  const auto parsed = parse_text(text);
  for (const auto& line : lines_of(parsed)) MESSAGE(line);
  REQUIRE(parsed.valid());
  REQUIRE(parsed.config.routes.size() == 1);
  const RouteRule& rule = parsed.config.routes[0];
  const Path& path = parsed.config.paths[rule.path];
  std::string out =
      path.iif.to_string() + ' ' + rule.source.to_string() + ' ' + rule.group.to_string();
  for (const auto& oif : path.oifs) out += ' ' + oif.to_string();
  return out;
}

std::string join(const std::string& text) {
  const auto parsed = parse_text(text);
  REQUIRE(parsed.valid());
  REQUIRE(parsed.config.joins.size() == 1);
  const JoinRule& rule = parsed.config.joins[0];
  return rule.iif.to_string() + ' ' + (rule.source ? rule.source->to_string() : "*") + ' ' +
         rule.group.to_string();
}

InterfaceRule phyint(const std::string& text) {
  const auto parsed = parse_text(text);
  REQUIRE(parsed.valid());
  REQUIRE(parsed.config.interfaces.size() == 1);
  return parsed.config.interfaces[0];
}

}  // namespace

TEST_CASE("mroute names inbound interface, source, group and outbound interfaces") {
  CHECK(route("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1 eth2") ==
        "eth0 10.0.0.9 225.1.2.3 eth1 eth2");
  CHECK(route("mroute from eth+ group ff2e::42 to lan+ wg0") == "eth+ ::/0 ff2e::42 lan+ wg0");
  CHECK(route("mroute from eth0 source 10.1.2.3/24 group 225.1.2.3/24 to eth1") ==
        "eth0 10.1.2.0/24 225.1.2.0/24 eth1");
  CHECK(route("mroute from eth0:1 group 225.1.2.3 to eth1:2") == "eth0 0.0.0.0/0 225.1.2.3 eth1");
}

TEST_CASE("an unspecified source means any") {
  for (const char* source : {"0.0.0.0", "0.0.0.0/0", "10.0.0.0/0"}) {
    CAPTURE(source);
    const std::string line = "from eth0 source " + std::string(source) + " group 225.1.2.3";
    CHECK(route("mroute " + line + " to eth1") == "eth0 0.0.0.0/0 225.1.2.3 eth1");
    CHECK(join("mgroup " + line) == "eth0 * 225.1.2.3");
  }
  CHECK(route("mroute from eth0 source :: group ff2e::1 to eth1") == "eth0 ::/0 ff2e::1 eth1");
}

TEST_CASE("mroute without outbound interfaces is a stop filter") {
  CHECK(route("mroute from eth0 group 225.1.2.3 to") == "eth0 0.0.0.0/0 225.1.2.3");
  CHECK(route("mroute from eth0 group 225.1.2.3") == "eth0 0.0.0.0/0 225.1.2.3");
}

TEST_CASE("the parts of a line before \"to\" may have any order") {
  CHECK(route("mroute group 225.1.2.3 source 10.0.0.9 from eth0 to eth1") ==
        "eth0 10.0.0.9 225.1.2.3 eth1");
  CHECK(join("mgroup group 232.1.2.3 source 10.0.0.9 from eth0") == "eth0 10.0.0.9 232.1.2.3");
}

TEST_CASE("mgroup and its old name join a group") {
  CHECK(join("mgroup from eth0 group 225.1.2.3") == "eth0 * 225.1.2.3");
  CHECK(join("mgroup from eth+ group 225.1.2.3/30") == "eth+ * 225.1.2.0/30");
  CHECK(join("ssmgroup from eth0 source 10.0.0.9 group 232.1.2.3") == "eth0 10.0.0.9 232.1.2.3");
}

TEST_CASE("an interface may be called like a keyword") {
  CHECK(route("mroute from source source 10.0.0.9 group 225.1.2.3 to group to from") ==
        "source 10.0.0.9 225.1.2.3 group to from");
}

TEST_CASE("phyint sets what it says") {
  const InterfaceRule rule = phyint("phyint eth0 enable mrdisc ttl-threshold 11");
  CHECK(rule.interface.to_string() == "eth0");
  CHECK(rule.enable == true);
  CHECK(rule.mrdisc);
  CHECK(rule.ttl_threshold == 11);
  CHECK(phyint("phyint eth+ disable").enable == false);
  CHECK(phyint("phyint eth+ disable").ttl_threshold == std::nullopt);
  CHECK(phyint("phyint eth0 ttl-threshold 255").ttl_threshold == 255);
}

TEST_CASE("phyint without enable or disable enables, unless another line disables") {
  CHECK(phyint("phyint eth0").enable == true);
  CHECK(phyint("phyint eth0 mrdisc").enable == true);
  const auto parsed = parse_text("phyint eth0 ttl-threshold 3\nphyint eth0 disable\n");
  REQUIRE(parsed.valid());
  CHECK(parsed.config.interfaces[0].enable == false);
}

TEST_CASE("rules know where they stand") {
  const auto parsed = parse_text("# top\n"
                                 "mroute from eth0 \\\n"
                                 "  group 225.1.2.3 to eth1\n"
                                 "mroute from eth0 group 225.1.2.4 to eth1\n");
  REQUIRE(parsed.config.routes.size() == 2);
  CHECK(parsed.config.files == std::vector<std::string>{"f"});
  CHECK(parsed.config.routes[0].where == Location{0, 2});
  CHECK(parsed.config.routes[1].where == Location{0, 4});
}

TEST_CASE("routes over the same interfaces share one path") {
  const auto parsed = parse_text("mroute from eth0 group 225.1.2.3 to eth1 eth2\n"
                                 "mroute from eth0 group 225.1.2.4 to eth1   eth2\n"
                                 "mroute from eth0:7 group 225.1.2.5 to eth1 eth2\n"
                                 "mroute from eth0 group 225.1.2.6 to eth1\n");
  REQUIRE(parsed.config.routes.size() == 4);
  CHECK(parsed.config.paths.size() == 2);
  CHECK(parsed.config.routes[0].path == parsed.config.routes[2].path);
}

TEST_CASE("a line may be longer and name more interfaces than SMCRoute took") {
  std::string text = "mroute from eth0 group 225.1.2.3 to";
  for (int i = 100; i < 200; ++i) text += " interface" + std::to_string(i);
  const auto parsed = parse_text(text);
  REQUIRE(parsed.config.routes.size() == 1);
  CHECK(parsed.config.paths[parsed.config.routes[0].path].oifs.size() == 100);
}

TEST_CASE("a route costs little memory") {
  CHECK(sizeof(RouteRule) <= 52);
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "mroute from eth0 group 225.1." + std::to_string(i / 250) + '.' +
            std::to_string(i % 250) + " to eth1\n";
  }
  const auto parsed = parse_text(text);
  CHECK(parsed.config.routes.size() == 1000);
  CHECK(parsed.config.routes.capacity() == 1000);
}

TEST_CASE("paths are kept once and keep their numbers") {
  PathPool pool;
  const Path a{InterfacePattern::exact("eth0"), {InterfacePattern::exact("eth1")}};
  const Path b{InterfacePattern::exact("eth0"), {}};
  const PathId first = pool.intern(a);
  CHECK(pool.intern(b) != first);
  CHECK(pool.intern(a) == first);
  PathPool moved = std::move(pool);
  CHECK(moved[first] == a);
  CHECK(moved.size() == 2);
}
