// SPDX-License-Identifier: BSD-2-Clause
#include "netlink/multicast_rule_codec.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace mcast;
using namespace mcast::netlink;

namespace {

using Match = MulticastRule::Match;

/// A rule as the kernel tells it: to table 10, of priority 800 and our protocol.
class Builder {
 public:
  explicit Builder(std::uint8_t family = RTNL_FAMILY_IPMR, std::uint16_t type = RTM_NEWRULE)
      : buffer_(1024) {
    mnl_nlmsg_put_header(buffer_.data())->nlmsg_type = type;
    auto* fixed =
        static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(message(), sizeof(fib_rule_hdr)));
    fixed->family = family;
    fixed->action = FR_ACT_TO_TBL;
    number(FRA_SUPPRESS_PREFIXLEN, 0xffffffff);
  }
  /// What is said by default besides; to be called last.
  Builder& complete(std::uint8_t protocol = kMulticastRuleProtocol, std::uint32_t priority = 800,
                    std::uint32_t table = 10) {
    mnl_attr_put_u8(message(), FRA_PROTOCOL, protocol);
    return number(FRA_PRIORITY, priority).number(FRA_TABLE, table);
  }
  Builder& text(std::uint16_t type, const std::string& value) {
    mnl_attr_put_strz(message(), type, value.c_str());
    return *this;
  }
  Builder& number(std::uint16_t type, std::uint32_t value) {
    mnl_attr_put_u32(message(), type, value);
    return *this;
  }
  Builder& octet(std::uint16_t type, std::uint8_t value) {
    mnl_attr_put_u8(message(), type, value);
    return *this;
  }
  fib_rule_hdr& fixed() { return *static_cast<fib_rule_hdr*>(mnl_nlmsg_get_payload(message())); }
  nlmsghdr* message() { return static_cast<nlmsghdr*>(static_cast<void*>(buffer_.data())); }
  std::vector<KernelMulticastRule> decode() { return decode_multicast_rule(*message()); }

 private:
  std::vector<std::uint8_t> buffer_;
};

constexpr TableKey kTable{Family::ipv4, TableId(10)};

}  // namespace

TEST_CASE("a rule of ours is known by protocol, priority and by saying nothing else") {
  const auto rules = Builder().text(FRA_IIFNAME, "eth0").complete().decode();
  REQUIRE(rules.size() == 1);
  CHECK(
      rules[0] ==
      KernelMulticastRule{
          {kTable, Match::inbound, "eth0"}, 800, true, "77", "iif eth0 table 10 pref 800", false});
  CHECK(Builder().text(FRA_OIFNAME, "eth0").complete(77, 801).decode().at(0).ours);
  const auto is_ours = [](Builder builder) {
    const auto decoded = builder.decode();
    return !decoded.empty() && decoded[0].ours;
  };
  CHECK_FALSE(is_ours(Builder().text(FRA_IIFNAME, "eth0").complete(4)));
  CHECK_FALSE(is_ours(Builder().text(FRA_IIFNAME, "eth0").complete(77, 801)));
  CHECK_FALSE(is_ours(Builder().text(FRA_IIFNAME, "eth0").complete(77, 800, 0)));
  CHECK_FALSE(is_ours(Builder().text(FRA_IIFNAME, "eth0").octet(FRA_IP_PROTO, 17).complete()));
  CHECK_FALSE(
      is_ours(Builder().number(FRA_SUPPRESS_PREFIXLEN, 8).text(FRA_IIFNAME, "e").complete()));
  CHECK_FALSE(is_ours(Builder().text(FRA_IIFNAME, "e").text(FRA_OIFNAME, "f").complete()));
  CHECK_FALSE(is_ours(Builder().complete()));
}

TEST_CASE("families of multicast rules are told apart, and from those for unicast") {
  CHECK(Builder(RTNL_FAMILY_IP6MR).complete().decode().at(0).rule.table.family == Family::ipv6);
  CHECK(is_multicast_rule(*Builder(RTNL_FAMILY_IPMR).message()));
  CHECK(is_multicast_rule(*Builder(RTNL_FAMILY_IP6MR, RTM_DELRULE).message()));
  CHECK_FALSE(is_multicast_rule(*Builder(AF_INET).message()));
  CHECK_FALSE(is_multicast_rule(*Builder(RTNL_FAMILY_IPMR, RTM_NEWROUTE).message()));
  CHECK(Builder(AF_INET).complete().decode().empty());
  CHECK(Builder(RTNL_FAMILY_IPMR, RTM_DELRULE).complete().decode().empty());
}

TEST_CASE("a rule tells which packets it takes") {
  const auto takes = [](Builder builder) {
    std::vector<std::pair<Match, std::string>> packets;
    for (const auto& rule : builder.decode()) {
      packets.emplace_back(rule.rule.match, rule.rule.interface);
    }
    return packets;
  };
  using Packets = std::vector<std::pair<Match, std::string>>;
  CHECK(takes(Builder().complete()) == Packets{{Match::inbound, ""}, {Match::sent, ""}});
  CHECK(takes(Builder().text(FRA_IIFNAME, "a").complete()) == Packets{{Match::inbound, "a"}});
  CHECK(takes(Builder().text(FRA_OIFNAME, "a").complete()) == Packets{{Match::sent, "a"}});
  CHECK(takes(Builder().text(FRA_IIFNAME, "lo").complete()) == Packets{{Match::sent, ""}});
  CHECK(takes(Builder().text(FRA_IIFNAME, "lo").text(FRA_OIFNAME, "a").complete()) ==
        Packets{{Match::sent, "a"}});
  CHECK(takes(Builder().text(FRA_IIFNAME, "a").text(FRA_OIFNAME, "b").complete()).empty());
  // Not asked about for multicast.
  CHECK(takes(Builder().text(FRA_IIFNAME, "a").octet(FRA_IP_PROTO, 17).complete()).size() == 1);
}

TEST_CASE("what takes only some packets is passed over") {
  CHECK(Builder().text(FRA_IIFNAME, "a").number(FRA_FWMARK, 1).complete().decode().empty());
  CHECK(Builder().octet(FRA_L3MDEV, 1).complete(2, 1000, 0).decode().empty());
  CHECK(Builder().text(FRA_IIFNAME, "a").number(FRA_MAX + 20, 1).complete().decode().empty());
  Builder inverted;
  inverted.text(FRA_IIFNAME, "a").complete();
  inverted.fixed().flags = FIB_RULE_INVERT;
  CHECK(inverted.decode().empty());
}

TEST_CASE("rules that lead nowhere take packets, jumps do not") {
  Builder builder;
  builder.text(FRA_IIFNAME, "a").complete(4, 5, 10);
  builder.fixed().action = FR_ACT_BLACKHOLE;
  REQUIRE(builder.decode().size() == 1);
  CHECK(builder.decode()[0].rule.table.id == TableId(0));
  CHECK(builder.decode()[0].words == "blackhole iif a pref 5");
  builder.fixed().action = FR_ACT_GOTO;
  CHECK(builder.decode().empty());
  builder.fixed().action = FR_ACT_NOP;
  CHECK(builder.decode().empty());
}

TEST_CASE("short messages are no rules") {
  Builder builder;
  builder.message()->nlmsg_len = NLMSG_HDRLEN + 4;
  CHECK(builder.decode().empty());
  CHECK_FALSE(is_multicast_rule(*builder.message()));
}
