// SPDX-License-Identifier: BSD-2-Clause
//
// What routes leave out by `except` and `scope`, and what they join, with real packets.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

struct ExceptCase {
  std::string name;
  std::string good;       ///< the sender's own address
  std::string bad;        ///< a second one
  std::string bad_range;  ///< holds it
  std::string length;
  std::string group;
  std::string groups;
  std::string control_group;
};
const ExceptCase kCases[] = {
    {"IPv4", "10.1.0.2", "10.1.7.2", "10.1.7.0/24", "/24", "239.1.1.1", "239.1.0.0/16",
     "239.9.9.9"},
    {"IPv6", "fd00:1::2", "fd00:1:7::2", "fd00:1:7::/48", "/64", "ff1e::1:1", "ff1e::/96",
     "ff1e:9::9"},
};

/// The lab, whose sender has both addresses, and a control flow to eth1.
struct Field : Lab {
  explicit Field(const ExceptCase& family) : family_(family) {
    sender.net().add_address(Host::kLan, family.bad + family.length);
  }
  [[nodiscard]] std::string control_rule() const {
    return mroute("eth0", family_.good, family_.control_group, "eth1");
  }
  [[nodiscard]] Flow good(const std::string& group) { return {sender, first, group, family_.good}; }
  [[nodiscard]] Flow bad(const std::string& group) { return {sender, first, group, family_.bad}; }
  [[nodiscard]] Flow control() { return good(family_.control_group); }

 private:
  const ExceptCase& family_;
};

Json routes(const Daemon& daemon) {
  const auto result = daemon.ctl({"-j", "show", "routes"});
  INFO(result);
  REQUIRE(result.exit_code == 0);
  return Json::parse(result.out)["routes"];
}

/// Whether the list has a blocked row of the source.
bool lists_blocked(const Json& list, const std::string& source) {
  return std::ranges::any_of(
      list, [&](const Json& row) { return row["source"] == source && row["oifs"].empty(); });
}

TEST_CASE("one excepted source is blocked before its first packet, the others pass") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field lab(family);
    Daemon daemon(lab.router(),
                  lab.control_rule() + fmt::format("mroute from eth0 except {} group {} to eth1\n",
                                                   family.bad, family.group));
    CHECK(lists_blocked(routes(daemon)["ssm"], family.bad));
    CHECK(lists_blocked(routes(daemon)["kernel"], family.bad));
    Flow control = lab.control();
    Flow good = lab.good(family.group);
    Flow bad = lab.bad(family.group);
    CHECK(control.passes());
    CHECK(good.passes());
    CHECK(bad.blocked(control));
  }
}

TEST_CASE("an excepted range is blocked in a range of groups, the others pass") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field lab(family);
    Daemon daemon(lab.router(),
                  lab.control_rule() + fmt::format("mroute from eth+ except {} group {} to eth1\n",
                                                   family.bad_range, family.groups));
    CHECK(lists_blocked(routes(daemon)["asm"], family.bad_range));
    Flow control = lab.control();
    Flow good = lab.good(family.group);
    Flow bad = lab.bad(family.group);
    CHECK(control.passes());
    CHECK(good.passes());
    CHECK(bad.blocked(control));
    CHECK(daemon.eventually([&] { return lists_blocked(routes(daemon)["kernel"], family.bad); }));
  }
}

TEST_CASE("a reload changes who is excepted, and nobody else notices") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    Field lab(family);
    const auto config = [&](const std::string& except) {
      return lab.control_rule() +
             fmt::format("mroute from eth0 {}group {} to eth1\n", except, family.group);
    };
    Daemon daemon(lab.router(), config("except " + family.bad_range + " "));
    Flow control = lab.control();
    Flow bad = lab.bad(family.group);
    REQUIRE(control.passes());
    CHECK(bad.blocked(control));

    Bystander bystander(lab.sender, lab.first, family.control_group);
    daemon.write_config(config(""));
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(bad.passes());
    daemon.write_config(config("except " + family.bad + " "));
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(bad.blocked(control));
    CHECK(bystander.undisturbed());
  }
}

TEST_CASE("removing a route removes what it excepts") {
  const auto& family = kCases[0];
  Field lab(family);
  Daemon daemon(lab.router(),
                lab.control_rule() + fmt::format("mroute from eth0 except {} group {} to eth1\n"
                                                 "mroute from eth0 group {} to eth1\n",
                                                 family.bad, family.group, family.groups));
  Flow control = lab.control();
  Flow bad = lab.bad(family.group);
  REQUIRE(control.passes());
  CHECK(bad.blocked(control));
  REQUIRE(daemon.ctl({"remove", "eth0", family.group}).exit_code == 0);
  CHECK_FALSE(lists_blocked(routes(daemon)["ssm"], family.bad));
  CHECK(bad.passes());
}

TEST_CASE("a scope lets groups of its kind through and no others") {
  Lab lab;
  const auto flow = [&](const std::string& group) {
    return Flow(lab.sender, lab.first, group, "fd00:1::2");
  };
  Daemon daemon(lab.router(), "mroute from eth0 group ff00::/8 scope >= site to eth1\n");
  Flow site = flow("ff15::1:1");
  Flow global = flow("ff1e::1:1");
  Flow ssm = flow("ff38::1:1");
  CHECK(site.passes());
  CHECK(global.passes());
  CHECK(ssm.passes());
  for (const char* group : {"ff14::1:1", "ff03::1:1", "ff34::1:1"}) {
    CAPTURE(group);
    Flow narrow = flow(group);
    CHECK(narrow.blocked(site));
  }
}

// --- join ----------------------------------------------------------------------------------------

/// The groups that the kernel lists for the interface, as `show groups` has them.
bool is_joined(const Daemon& daemon, const std::string& iif, const std::string& group) {
  const auto result = daemon.ctl({"-j", "show", "groups"});
  INFO(result);
  REQUIRE(result.exit_code == 0);
  const Json groups = Json::parse(result.out)["groups"]["kernel"];
  return std::ranges::any_of(
      groups, [&](const Json& row) { return row["iif"] == iif && row["group"] == group; });
}

TEST_CASE("a route joins what it forwards, on every interface it matches, now and later") {
  Lab lab;
  Daemon daemon(lab.router(), "mroute from eth+ except 10.1.0.66 group 239.1.1.1 to eth1 join\n"
                              "mroute from eth0 join group ff1e::101 to eth1\n");
  const auto igmp = [&] { return lab.router().read_proc_net("igmp"); };
  CHECK(contains(igmp(), "010101EF"));
  CHECK(contains(lab.router().read_proc_net("igmp6"), "ff1e0000000000000000000000000101"));
  CHECK(is_joined(daemon, "eth0", "239.1.1.1"));
  CHECK(is_joined(daemon, "eth2", "239.1.1.1"));
  CHECK(is_joined(daemon, "eth0", "ff1e::101"));
  CHECK_FALSE(is_joined(daemon, "eth1", "ff1e::101"));

  lab.net.plug("eth7", lab.second);
  CHECK(daemon.eventually([&] { return is_joined(daemon, "eth7", "239.1.1.1"); }));
  REQUIRE(daemon.ctl({"remove", "eth+", "239.1.1.1"}).exit_code == 0);
  CHECK_FALSE(contains(igmp(), "010101EF"));
  daemon.write_config("");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK_FALSE(contains(lab.router().read_proc_net("igmp6"), "ff1e0000000000000000000000000101"));
}

// --- Mistakes ------------------------------------------------------------------------------------

TEST_CASE("what no kernel does is accepted, and a warning says what will not happen") {
  Lab lab;
  Daemon daemon(lab.router(), "");
  const std::vector<std::vector<std::string>> kAccepted = {{"add", "eth0", "224.0.0.5", "eth1"},
                                                           {"add", "eth0", "ff02::5", "eth1"}};
  for (const auto& words : kAccepted) {
    const auto added = daemon.ctl(words);
    CHECK(added.exit_code == 0);
    CHECK(contains(added.err, "no kernel forwards groups of this scope"));
    CHECK(contains(daemon.log(), words[2] + "\": no kernel forwards"));
    // Scripts get no output for success.
    const auto old = daemon.ctl_as("smcroutectl", words);
    CHECK(old.exit_code == 0);
    CHECK(old.out + old.err == "");
  }
  daemon.write_config("mroute from eth0 group 224.0.0.5 to eth0\n");
  const auto reload = daemon.ctl({"reload"});
  CHECK(reload.exit_code == 0);
  CHECK(contains(reload.err, "no kernel forwards groups of this scope"));
  CHECK(contains(reload.err, "inbound and outbound"));
}

TEST_CASE("what stands for too much is refused before anything is changed") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"));
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  REQUIRE(flow.passes());
  const std::pair<const char*, const char*> kMistakes[] = {
      {"mgroup from eth0 group 225.0.0.0/8\n", "stands for more than 65536"},
      {"mroute from eth0 group ff0e::/16 to eth1 join\n", "stands for more than 65536"},
      {"mroute from eth0 except 0.0.0.0/0 group 239.1.1.2 to eth1\n", "leave no source"},
      {"mroute from eth0 group 239.1.1.0/24 to eth1 native\n", "only for a single group"},
  };
  for (const auto& [text, reason] : kMistakes) {
    CAPTURE(text);
    daemon.write_config(text);
    const auto reload = daemon.ctl({"reload"});
    CHECK(reload.exit_code == 78);
    CHECK(contains(reload.err, reason));
    CHECK(contains(reload.err, "mcastd.conf:1:"));
    CHECK(flow.passes());
  }
  const auto join = daemon.ctl({"join", "eth0", "225.0.0.0/8"});
  CHECK(join.exit_code != 0);
  CHECK(contains(join.err, "stands for more than 65536"));
  CHECK(flow.passes());
}

}  // namespace
}  // namespace mcast::testing
