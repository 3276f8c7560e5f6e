// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "platform/posix/memberships.hpp"
#include "tests/support/net_namespace.hpp"

using namespace mcast;
using mcast::platform::Memberships;
using mcast::testing::NetNamespace;

namespace {

/// The kernel's own list of the groups an interface receives.
std::size_t kernel_groups(const NetNamespace& net, Family family, const std::string& word) {
  std::istringstream lines(net.read_proc_net(family == Family::ipv4 ? "igmp" : "igmp6"));
  std::string line;
  std::size_t count = 0;
  while (std::getline(lines, line)) count += line.find(word) != std::string::npos ? 1U : 0U;
  return count;
}

std::size_t kernel_sources(const NetNamespace& net, Family family, const std::string& word) {
  std::istringstream lines(net.read_proc_net(family == Family::ipv4 ? "mcfilter" : "mcfilter6"));
  std::string line;
  std::size_t count = 0;
  while (std::getline(lines, line)) count += line.find(word) != std::string::npos ? 1U : 0U;
  return count;
}

/// Many groups and sources of one family, with the text the kernel shows of the groups.
struct Kind {
  Family family;
  const char* prefix;
  const char* sources;
  const char* ssm_group;
  const char* groups_shown;
  const char* group_shown;
};
const Kind kKinds[] = {
    {Family::ipv4, "225.7.0.0/16", "10.9.0.0/16", "232.1.1.1", "07E1", "0xe8010101"},
    {Family::ipv6, "ff0e::7:0/112", "fd00:9::/112", "ff3e::8:1", "ff0e000000000000000000000007",
     "ff3e0000000000000000000000080001"},
};

struct Host {
  NetNamespace net;
  Memberships memberships;
  IfIndex link;

  Host() {
    // The kernel's lists of sources lack the interfaces on which another group was joined last, as
    // an IPv6 address of its own would do.
    net.write_sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
    net.add_veth("a0", net, "a1");
    link = IfIndex(net.index_of("a0"));
  }
  Result<void> join(const Address& group, std::optional<Address> source = std::nullopt) {
    return net.run([&] { return memberships.join({link, source, group}); });
  }
  Result<void> leave(const Address& group, std::optional<Address> source = std::nullopt) {
    return net.run([&] { return memberships.leave({link, source, group}); });
  }
};

}  // namespace

TEST_CASE("more groups than a socket may hold are joined, and all of them left again") {
  for (const auto& kind : kKinds) {
    Host host;
    const Prefix groups = *Prefix::parse(kind.prefix);
    constexpr std::uint64_t kMany = 500;
    for (std::uint64_t i = 1; i <= kMany; ++i) REQUIRE(host.join(groups.at(i)));
    CHECK(kernel_groups(host.net, kind.family, kind.groups_shown) == kMany);
    const auto sockets = host.memberships.socket_count();
    CHECK(sockets > 1);
    CHECK(sockets <= kMany / 20);

    // Room that became free is used again.
    for (std::uint64_t i = 1; i <= kMany; i += 2) REQUIRE(host.leave(groups.at(i)));
    CHECK(kernel_groups(host.net, kind.family, kind.groups_shown) == kMany / 2);
    for (std::uint64_t i = 1; i <= kMany; i += 2) REQUIRE(host.join(groups.at(i)));
    CHECK(host.memberships.socket_count() == sockets);

    for (std::uint64_t i = 1; i <= kMany; ++i) REQUIRE(host.leave(groups.at(i)));
    CHECK(kernel_groups(host.net, kind.family, kind.groups_shown) == 0);
    CHECK(host.memberships.socket_count() == 0);
  }
}

TEST_CASE("five thousand joins of each kind need no change of the default limits") {
  for (const auto& kind : kKinds) {
    Host host;
    const bool v4 = kind.family == Family::ipv4;
    const Prefix groups = *Prefix::parse(kind.prefix);
    const Prefix ssm_groups = *Prefix::parse(v4 ? "232.7.0.0/16" : "ff3e::7:0/112");
    const char* const ssm_shown = v4 ? "0xe807" : "ff3e000000000000000000000007";
    const Address group = *Address::parse(kind.ssm_group);
    const Prefix sources = *Prefix::parse(kind.sources);
    constexpr std::uint64_t kMany = 5000;
    constexpr std::uint64_t kSources = 1000;
    Memberships& joins = host.memberships;
    const IfIndex link = host.link;
    host.net.run([&] {
      for (std::uint64_t i = 0; i < kMany; ++i) {
        REQUIRE(joins.join({link, std::nullopt, groups.at(i)}));
        REQUIRE(joins.join({link, sources.at(1), ssm_groups.at(i)}));
      }
      for (std::uint64_t i = 0; i < kSources; ++i)
        REQUIRE(joins.join({link, sources.at(i), group}));
    });
    CHECK(kernel_groups(host.net, kind.family, kind.groups_shown) == kMany);
    CHECK(kernel_sources(host.net, kind.family, ssm_shown) == kMany);
    CHECK(kernel_sources(host.net, kind.family, kind.group_shown) == kSources);

    host.net.run([&] {
      for (std::uint64_t i = kSources; i-- > 0;) {
        REQUIRE(joins.leave({link, sources.at(i), group}));
      }
      for (std::uint64_t i = kMany; i-- > 0;) {
        REQUIRE(joins.leave({link, sources.at(1), ssm_groups.at(i)}));
        REQUIRE(joins.leave({link, std::nullopt, groups.at(i)}));
      }
    });
    CHECK(kernel_groups(host.net, kind.family, kind.groups_shown) == 0);
    CHECK(joins.socket_count() == 0);
  }
}

TEST_CASE("a group is joined for more sources than a socket may hold") {
  for (const auto& kind : kKinds) {
    Host host;
    const Address group = *Address::parse(kind.ssm_group);
    const Prefix sources = *Prefix::parse(kind.sources);
    constexpr std::uint64_t kMany = 200;
    for (std::uint64_t i = 1; i <= kMany; ++i) REQUIRE(host.join(group, sources.at(i)));
    CHECK(kernel_sources(host.net, kind.family, kind.group_shown) == kMany);
    for (std::uint64_t i = 1; i <= kMany; i += 2) REQUIRE(host.leave(group, sources.at(i)));
    CHECK(kernel_sources(host.net, kind.family, kind.group_shown) == kMany / 2);
    for (std::uint64_t i = 2; i <= kMany; i += 2) REQUIRE(host.leave(group, sources.at(i)));
    CHECK(kernel_sources(host.net, kind.family, kind.group_shown) == 0);
    CHECK(host.memberships.socket_count() == 0);
  }
}

TEST_CASE("any source and one source of the same group live side by side") {
  for (const auto& kind : kKinds) {
    Host host;
    const Address group = *Address::parse(kind.ssm_group);
    const Address source = Prefix::parse(kind.sources)->at(1);
    REQUIRE(host.join(group));
    REQUIRE(host.join(group, source));
    REQUIRE(host.leave(group));
    CHECK(kernel_sources(host.net, kind.family, kind.group_shown) == 1);
    REQUIRE(host.join(group));
    REQUIRE(host.leave(group, source));
    REQUIRE(host.leave(group));
    CHECK(host.memberships.socket_count() == 0);
  }
}

TEST_CASE("joining twice and leaving what is not joined succeed without a call") {
  Host host;
  const Address group = *Address::parse("225.1.1.1");
  REQUIRE(host.join(group));
  REQUIRE(host.join(group));
  CHECK(host.memberships.change_count() == 1);
  REQUIRE(host.leave(group));
  REQUIRE(host.leave(group));
  CHECK(host.memberships.change_count() == 2);
}

TEST_CASE("memberships on an interface that is gone are given up, and made anew on the next one") {
  for (const auto& kind : kKinds) {
    Host host;
    const Prefix groups = *Prefix::parse(kind.prefix);
    const Prefix sources = *Prefix::parse(kind.sources);
    const Address ssm = *Address::parse(kind.ssm_group);
    const auto for_all = [&](const auto& act) {
      for (std::uint64_t i = 1; i <= 30; ++i) REQUIRE(act(groups.at(i), std::nullopt));
      for (std::uint64_t i = 1; i <= 30; ++i) REQUIRE(act(ssm, sources.at(i)));
    };
    const auto join = [&](auto group, std::optional<Address> s) { return host.join(group, s); };
    const auto leave = [&](auto group, std::optional<Address> s) { return host.leave(group, s); };
    for_all(join);
    const auto sockets = host.memberships.socket_count();
    host.net.remove_link("a0");
    for_all(leave);
    CHECK(host.memberships.socket_count() == 0);

    host.net.add_veth("a0", host.net, "a1");
    host.link = IfIndex(host.net.index_of("a0"));
    for_all(join);
    CHECK(host.memberships.socket_count() == sockets);
    CHECK(kernel_groups(host.net, kind.family, kind.groups_shown) == 30);
    CHECK(kernel_sources(host.net, kind.family, kind.group_shown) == 30);
  }
}

TEST_CASE("half of the sources left after the interface went away, the others later") {
  Host host;
  const Address group = *Address::parse("232.1.1.1");
  const Prefix sources = *Prefix::parse("10.9.0.0/24");
  for (std::uint64_t i = 1; i <= 4; ++i) REQUIRE(host.join(group, sources.at(i)));
  const IfIndex old = host.link;
  host.net.remove_link("a0");
  REQUIRE(host.leave(group, sources.at(1)));
  host.net.add_veth("a0", host.net, "a1");
  host.link = IfIndex(host.net.index_of("a0"));
  REQUIRE(host.join(group, sources.at(1)));
  host.link = old;
  for (std::uint64_t i = 2; i <= 4; ++i) REQUIRE(host.leave(group, sources.at(i)));
  CHECK(kernel_sources(host.net, Family::ipv4, "0xe8010101") == 1);
  CHECK(host.memberships.socket_count() == 1);
}

TEST_CASE("an interface that does not exist is named, and nothing is left behind") {
  Host host;
  host.link = IfIndex(4321);
  for (const char* group : {"225.1.1.1", "ff0e::1"}) {
    const auto refused = host.join(*Address::parse(group));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::no_such_interface);
    CHECK(refused.error().message.find("interface 4321") != std::string::npos);
    CHECK(refused.error().message.find(group) != std::string::npos);
  }
  CHECK(host.memberships.socket_count() == 0);
}

TEST_CASE("a limit that no other socket gets round names the settings that raise it") {
  Host host;
  host.net.write_sysctl("net/ipv4/igmp_max_memberships", "0");
  const auto refused = host.join(*Address::parse("225.1.1.1"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::limit_reached);
  CHECK(refused.error().message.find("net.ipv4.igmp_max_memberships") != std::string::npos);
}

TEST_CASE("sources that the kernel would not survive are refused without asking it") {
  for (const auto& kind : kKinds) {
    NetNamespace net;
    net.add_veth("a0", net, "a1");
    const IfIndex link(net.index_of("a0"));
    Memberships memberships(3);
    const Address group = *Address::parse(kind.ssm_group);
    const Prefix sources = *Prefix::parse(kind.sources);
    net.run([&] {
      REQUIRE(memberships.join({link, std::nullopt, group}));
      for (std::uint64_t i = 1; i <= 3; ++i) {
        REQUIRE(memberships.join({link, sources.at(i), group}));
      }
      const auto calls = memberships.change_count();
      const auto refused = memberships.join({link, sources.at(4), group});
      REQUIRE_FALSE(refused);
      CHECK(refused.error().code == ErrorCode::limit_reached);
      CHECK(refused.error().message.find("a0") != std::string::npos);
      CHECK(memberships.change_count() == calls);

      // Another group has its own limit, and room that became free is used again.
      CHECK(memberships.join(
          {link, sources.at(4),
           *Address::parse(kind.family == Family::ipv4 ? "232.1.1.2" : "ff3e::8:2")}));
      REQUIRE(memberships.leave({link, sources.at(1), group}));
      CHECK(memberships.join({link, sources.at(4), group}));
    });
  }
}
