// SPDX-License-Identifier: BSD-2-Clause
//
// Rules for any source and for ranges: what is learned from packets.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

/// Addresses of one family. `stranger` is in none of the narrower source prefixes.
struct LearnedCase {
  std::string name;
  std::string near_source;  ///< the sender's own
  std::string far_source;
  std::string stranger;
  std::string length;  ///< of an address: a prefix of one
  std::string near_sources;
  std::string both_sources;
  std::string group;
  std::string next_group;
  std::string far_group;
  std::string near_groups;  ///< holds group and next_group
  std::string all_groups;
  std::string control_group;  ///< in none of these
};
const LearnedCase kCases[] = {
    {"IPv4", "10.1.0.2", "10.1.7.2", "10.77.0.2", "/24", "10.1.0.0/24", "10.1.0.0/16", "239.1.1.1",
     "239.1.1.2", "239.1.9.1", "239.1.1.0/24", "239.1.0.0/16", "239.9.9.9"},
    {"IPv6", "fd00:1::2", "fd00:1:7::2", "fd77::2", "/64", "fd00:1::/64", "fd00:1::/32",
     "ff1e::1:1", "ff1e::1:2", "ff1e::9:1", "ff1e::1:0/112", "ff1e::/96", "ff1e:9::9"},
};

std::string rule(const std::string& in, const std::string& source, const std::string& group,
                 const std::string& out) {
  return fmt::format("mroute from {} {}group {} to {}\n", in,
                     source.empty() ? "" : "source " + source + " ", group, out);
}

/// The lab, whose sender has all sources of the case, and a control flow from eth0 to every
/// receiver.
struct Field : Lab {
  explicit Field(const LearnedCase& family) : family_(family) {
    for (const std::string& source : {family.far_source, family.stranger})
      sender.net().add_address(Host::kLan, source + family.length);
  }
  [[nodiscard]] std::string control_rule() const {
    return mroute("eth0", family_.near_source, family_.control_group, "eth1 eth2");
  }
  [[nodiscard]] Flow flow(const std::string& source, const std::string& group, Host& to) {
    return {sender, to, group, source};
  }
  [[nodiscard]] Flow control(Host& to) {
    return flow(family_.near_source, family_.control_group, to);
  }

 private:
  const LearnedCase& family_;
};

/// The kernel's entries for a group.
std::vector<Json> kernel_routes(const Daemon& daemon, const std::string& group) {
  const auto result = daemon.ctl({"-j", "show", "routes"});
  INFO(result);
  REQUIRE(result.exit_code == 0);
  const Json answer = Json::parse(result.out);
  std::vector<Json> found;
  for (const Json& route : answer["routes"]["kernel"])
    if (route["group"] == group) found.push_back(route);
  return found;
}

// --- Matching ------------------------------------------------------------------------------------

TEST_CASE("a rule for any source forwards every source of its group, and no other group") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(),
                        rule("eth0", "", family.group, "eth1") + field.control_rule());
    Flow control = field.control(field.first);
    REQUIRE(control.passes());
    for (const auto& source : {family.near_source, family.far_source, family.stranger}) {
      CAPTURE(source);
      Flow flow = field.flow(source, family.group, field.first);
      CHECK(flow.passes());
    }
    CHECK(kernel_routes(daemon, family.group).size() == 3);
    Flow other = field.flow(family.near_source, family.next_group, field.first);
    CHECK(other.blocked(control));
  }
}

TEST_CASE("a range of sources forwards what is in it") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(), rule("eth0", family.both_sources, family.group, "eth1") +
                                            field.control_rule());
    Flow control = field.control(field.first);
    REQUIRE(control.passes());
    CHECK(field.flow(family.near_source, family.group, field.first).passes());
    CHECK(field.flow(family.far_source, family.group, field.first).passes());
    CHECK(field.flow(family.stranger, family.group, field.first).blocked(control));
  }
}

TEST_CASE("a range of groups forwards what is in it") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(),
                        rule("eth0", family.near_source, family.near_groups, "eth1") +
                            field.control_rule());
    Flow control = field.control(field.first);
    REQUIRE(control.passes());
    CHECK(field.flow(family.near_source, family.group, field.first).passes());
    CHECK(field.flow(family.near_source, family.next_group, field.first).passes());
    CHECK(field.flow(family.near_source, family.far_group, field.first).blocked(control));
    CHECK(field.flow(family.stranger, family.group, field.first).blocked(control));
  }
}

TEST_CASE("a range of groups for a range of sources forwards what is in both") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(),
                        rule("eth0", family.both_sources, family.near_groups, "eth1") +
                            field.control_rule());
    Flow control = field.control(field.first);
    REQUIRE(control.passes());
    CHECK(field.flow(family.far_source, family.next_group, field.first).passes());
    CHECK(field.flow(family.stranger, family.group, field.first).blocked(control));
    CHECK(field.flow(family.near_source, family.far_group, field.first).blocked(control));
  }
}

TEST_CASE("the longest group prefix decides, then the longest source prefix") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    // The order of the lines must not matter.
    const Daemon daemon(field.router(),
                        rule("eth0", family.near_sources, family.all_groups, "eth1") +
                            rule("eth0", "", family.near_groups, "eth2") +
                            rule("eth0", "", family.all_groups, "eth2") + field.control_rule());
    Flow first_control = field.control(field.first);
    Flow second_control = field.control(field.second);
    REQUIRE(first_control.passes());
    REQUIRE(second_control.passes());
    // The longer group beats the longer source.
    CHECK(field.flow(family.near_source, family.group, field.second).passes());
    CHECK(field.flow(family.near_source, family.group, field.first).blocked(first_control));
    // Among equal groups the longer source wins.
    CHECK(field.flow(family.near_source, family.far_group, field.first).passes());
    CHECK(field.flow(family.near_source, family.far_group, field.second).blocked(second_control));
    CHECK(field.flow(family.far_source, family.far_group, field.second).passes());
    CHECK(field.flow(family.far_source, family.far_group, field.first).blocked(first_control));
  }
}

TEST_CASE("a name decides before a wildcard, and rules equal in all merge") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(), rule("eth+", "", family.group, "eth2") +
                                            rule("eth0", "", family.group, "eth1") +
                                            rule("eth0", "", family.next_group, "eth2") +
                                            rule("eth0", "", family.next_group, "eth1") +
                                            field.control_rule());
    Flow control = field.control(field.second);
    REQUIRE(control.passes());
    CHECK(field.flow(family.near_source, family.group, field.first).passes());
    CHECK(field.flow(family.near_source, family.group, field.second).blocked(control));
    CHECK(field.flow(family.near_source, family.next_group, field.first).passes());
    CHECK(field.flow(family.near_source, family.next_group, field.second).passes());
  }
}

TEST_CASE("a stop filter inside a range blocks, and the rest of the range passes") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(
        field.router(),
        rule("eth0", "", family.all_groups, "eth1") + rule("eth0", "", family.next_group, "") +
            rule("eth0", family.both_sources, family.far_group, "") + field.control_rule());
    Flow control = field.control(field.first);
    REQUIRE(control.passes());
    CHECK(field.flow(family.near_source, family.group, field.first).passes());
    CHECK(field.flow(family.near_source, family.next_group, field.first).blocked(control));
    CHECK(field.flow(family.far_source, family.far_group, field.first).blocked(control));
    CHECK(field.flow(family.stranger, family.far_group, field.first).passes());
  }
}

// --- Life of a learned flow ----------------------------------------------------------------------

TEST_CASE("a flow is forgotten when idle, one that runs is not disturbed") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(), rule("eth0", "", family.near_groups, "eth1"),
                        {.arguments = {"-c", "1"}});
    CHECK(field.flow(family.near_source, family.next_group, field.first).passes());
    field.flow(family.near_source, family.far_group, field.first).sender.send();  // a stop filter
    Bystander busy(field.sender, field.first, family.group);
    const auto gone = [&](const std::string& group) {
      return kernel_routes(daemon, group).empty();
    };
    CHECK(daemon.eventually([&] { return gone(family.next_group) && gone(family.far_group); }));
    CHECK_FALSE(gone(family.group));
    CHECK(busy.undisturbed());
    CHECK(field.flow(family.near_source, family.next_group, field.first).passes());
  }
}

TEST_CASE("flush forgets learned flows and stop filters at once, and nothing else") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(),
                        rule("eth0", "", family.near_groups, "eth1") + field.control_rule());
    Flow learned = field.flow(family.near_source, family.group, field.first);
    Flow stopped = field.flow(family.near_source, family.far_group, field.first);
    Flow control = field.control(field.first);
    REQUIRE(learned.passes());
    REQUIRE(control.passes());
    CHECK(stopped.blocked(control));
    REQUIRE(kernel_routes(daemon, family.group).size() == 1);
    REQUIRE(kernel_routes(daemon, family.far_group).size() == 1);
    CHECK(daemon.ctl({"flush"}).exit_code == 0);
    CHECK(kernel_routes(daemon, family.group).empty());
    CHECK(kernel_routes(daemon, family.far_group).empty());
    CHECK(kernel_routes(daemon, family.control_group).size() == 1);
    CHECK(learned.passes());
    CHECK(control.passes());
  }
}

TEST_CASE("when rules change, learned flows and stop filters are asked again at once") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(),
                        rule("eth0", "", family.near_groups, "eth1") + field.control_rule());
    Flow control = field.control(field.first);
    Flow flow = field.flow(family.near_source, family.far_group, field.first);
    Flow learned = field.flow(family.near_source, family.group, field.first);
    REQUIRE(control.passes());
    REQUIRE(learned.passes());
    REQUIRE(flow.blocked(control));
    // With no packet on the way, so that no new question of the kernel can be what helps.
    REQUIRE(daemon.ctl({"add", "eth0", family.all_groups, "eth1"}).exit_code == 0);
    REQUIRE(kernel_routes(daemon, family.far_group).size() == 1);
    CHECK(kernel_routes(daemon, family.far_group).front()["oifs"] == Json{"eth1"});
    CHECK(flow.passes());
    REQUIRE(daemon.ctl({"remove", "eth0", family.all_groups}).exit_code == 0);
    CHECK(flow.blocked(control));
    CHECK(learned.passes());
    REQUIRE(daemon.ctl({"add", "eth0", family.group, "eth2"}).exit_code == 0);
    CHECK(kernel_routes(daemon, family.group).front()["oifs"] == Json{"eth2"});
    CHECK(learned.blocked(control));
  }
}

TEST_CASE("the command of -e hears of each flow that is learned, once, and of no other") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const TempDir dir;
    dir.write("hook", "#!/bin/sh\necho \"$1 $source $group\" >>\"${0%/*}/heard\"\n");
    std::filesystem::permissions(dir / "hook", std::filesystem::perms::owner_all);
    const Daemon daemon(field.router(),
                        rule("eth0", "", family.near_groups, "eth1") + field.control_rule(),
                        {.arguments = {"-e", dir / "hook"}});
    const auto heard = [&] {
      std::ifstream file(dir / "heard");
      return std::string(std::istreambuf_iterator<char>(file), {});
    };
    CHECK(daemon.eventually([&] { return heard() == "reload  \n"; }));
    Flow control = field.control(field.first);
    REQUIRE(control.passes());
    CHECK(field.flow(family.near_source, family.far_group, field.first).blocked(control));
    Flow learned = field.flow(family.near_source, family.group, field.first);
    CHECK(learned.passes());
    const std::string install = fmt::format("install {} {}\n", family.near_source, family.group);
    CHECK(daemon.eventually([&] { return contains(heard(), install); }));
    CHECK(learned.passes());
    Flow last = field.flow(family.far_source, family.group, field.first);
    CHECK(last.passes());
    const std::string second = fmt::format("install {} {}\n", family.far_source, family.group);
    CHECK(daemon.eventually([&] { return contains(heard(), second); }));
    CHECK(heard() == "reload  \n" + install + second);
  }
}

TEST_CASE("a learned flow takes in interfaces that arrive and outlives those that leave") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field field(family);
    const Daemon daemon(field.router(), rule("eth0", "", family.near_groups, "eth1 tun+"));
    Flow flow = field.flow(family.near_source, family.group, field.first);
    REQUIRE(flow.passes());
    Flow second = field.flow(family.near_source, family.group, field.second);
    field.net.plug("tun0", field.second);
    CHECK(second.passes());
    field.net.pull("eth1");
    CHECK(second.passes());
    field.net.plug("eth1", field.first);
    CHECK(flow.passes());
    field.net.pull("eth0");
    field.net.plug("eth0", field.sender);
    CHECK(flow.passes());
  }
}

// --- A source that moves -------------------------------------------------------------------------

/// The sender's address also in another network of the router's, on eth3.
struct TwoHomes : Field {
  Host& elsewhere = net.add_host();

  explicit TwoHomes(const LearnedCase& family) : Field(family) {
    net.plug("eth3", elsewhere);
    elsewhere.net().add_address(Host::kLan, family.near_source + family.length);
  }
  [[nodiscard]] Flow from_elsewhere(const std::string& source, const std::string& group) {
    return {elsewhere, first, group, source};
  }
};

TEST_CASE("a flow follows its source to another inbound interface, and back") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    TwoHomes homes(family);
    const Daemon daemon(homes.router(), rule("eth0", "", family.near_groups, "eth1") +
                                            rule("eth3", "", family.near_groups, "eth1 eth2"));
    Flow here = homes.flow(family.near_source, family.group, homes.first);
    Flow there = homes.from_elsewhere(family.near_source, family.group);
    for (int i = 0; i < 2; ++i) {
      CHECK(here.passes());
      CHECK(there.passes());
      // One entry, with the outputs of the rule for where the source is now.
      const auto routes = kernel_routes(daemon, family.group);
      REQUIRE(routes.size() == 1);
      CHECK(routes.front()["iif"] == "eth3");
      CHECK(routes.front()["oifs"] == Json{"eth1", "eth2"});
    }
  }
}

TEST_CASE("a flow does not follow its source to an interface that no rule allows") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    TwoHomes homes(family);
    const std::string control_rule =
        mroute("eth3", family.near_source, family.control_group, "eth1");
    const Daemon daemon(homes.router(),
                        rule("eth0", "", family.near_groups, "eth1") + control_rule);
    Flow here = homes.flow(family.near_source, family.group, homes.first);
    Flow there = homes.from_elsewhere(family.near_source, family.group);
    Flow control = homes.from_elsewhere(family.near_source, family.control_group);
    REQUIRE(here.passes());
    REQUIRE(control.passes());
    CHECK(there.blocked(control));
    CHECK(here.passes());
    CHECK(kernel_routes(daemon, family.group).front()["iif"] == "eth0");
  }
}

TEST_CASE("a flow that was stopped where it arrived passes when it comes from where it may") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    TwoHomes homes(family);
    const std::string control_rule =
        mroute("eth3", family.near_source, family.control_group, "eth1");
    const Daemon daemon(homes.router(),
                        rule("eth0", "", family.near_groups, "eth1") + control_rule);
    Flow here = homes.flow(family.near_source, family.group, homes.first);
    Flow there = homes.from_elsewhere(family.near_source, family.group);
    Flow control = homes.from_elsewhere(family.near_source, family.control_group);
    REQUIRE(control.passes());
    CHECK(there.blocked(control));
    CHECK(here.passes());
  }
}

}  // namespace
}  // namespace mcast::testing
