// SPDX-License-Identifier: BSD-2-Clause
#include "netlink/multicast_rule_codec.hpp"

#include <fmt/format.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/route/route.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "netlink/attributes.hpp"

namespace mcast::netlink {

namespace {

constexpr std::string_view kLoopback = "lo";

/// What a rule says, as far as it matters to multicast.
struct Said {
  std::string iif;
  std::string oif;
  std::uint32_t table = 0;
  std::uint32_t priority = 0;
  std::uint8_t protocol = RTPROT_UNSPEC;
  bool restricted = false;  ///< it takes only some of the packets
  bool decorated = false;   ///< it says something that we never do
};

void read_attribute(const nlattr& attribute, Said& said) {
  switch (mnl_attr_get_type(&attribute)) {
    case FRA_IIFNAME:
      said.iif = text_of(attribute);
      break;
    case FRA_OIFNAME:
      said.oif = text_of(attribute);
      break;
    case FRA_TABLE:
      said.table = number_of(attribute);
      break;
    case FRA_PRIORITY:
      said.priority = number_of(attribute);
      break;
    case FRA_PROTOCOL:
      if (mnl_attr_get_payload_len(&attribute) == 1) said.protocol = mnl_attr_get_u8(&attribute);
      break;
    case FRA_SUPPRESS_PREFIXLEN:
      // The kernel always tells it; -1 is none.
      said.decorated = said.decorated || number_of(attribute) != 0xffffffffU;
      break;
    case FRA_SUPPRESS_IFGROUP:
    case FRA_IP_PROTO:
    case FRA_SPORT_RANGE:
    case FRA_DPORT_RANGE:
      // Accepted and not asked about for multicast (ipmr_rule_match, ip6mr_rule_match).
      said.decorated = true;
      break;
    case FRA_PAD:
      break;
    default:
      // fwmark, l3mdev, and what later kernels have.
      said.restricted = true;
      break;
  }
}

std::optional<Family> family_of(const nlmsghdr& message) {
  const auto body = split<fib_rule_hdr>(message);
  if (!body) return std::nullopt;
  if (body->header.family == RTNL_FAMILY_IPMR) return Family::ipv4;
  if (body->header.family == RTNL_FAMILY_IP6MR) return Family::ipv6;
  return std::nullopt;
}

/// Whether packets that it takes go to a table, or nowhere.
bool decides(std::uint8_t action) {
  return action == FR_ACT_TO_TBL || action == FR_ACT_BLACKHOLE || action == FR_ACT_UNREACHABLE ||
         action == FR_ACT_PROHIBIT;
}

std::string_view verb(std::uint8_t action) {
  switch (action) {
    case FR_ACT_BLACKHOLE:
      return "blackhole ";
    case FR_ACT_UNREACHABLE:
      return "unreachable ";
    case FR_ACT_PROHIBIT:
      return "prohibit ";
    default:
      return "";
  }
}

std::string words_of(const Said& said, std::uint8_t action) {
  std::string words(verb(action));
  if (!said.iif.empty()) words += fmt::format("iif {} ", said.iif);
  if (!said.oif.empty()) words += fmt::format("oif {} ", said.oif);
  if (action == FR_ACT_TO_TBL) words += fmt::format("table {} ", said.table);
  return words + fmt::format("pref {}", said.priority);
}

std::string protocol_name(std::uint8_t protocol) {
  std::array<char, 32> name{};
  rtnl_route_proto2str(protocol, name.data(), name.size());
  const std::string_view text(name.data());
  return text.starts_with("0x") ? std::to_string(protocol) : std::string(text);
}

/// The packets that it takes. Those that this host sends count as arriving on the loopback
/// interface (ipmr_queue_xmit and ip_mr_output look for them so); those that arrive have no
/// outbound interface yet.
std::vector<std::pair<MulticastRule::Match, std::string>> packets_of(const Said& said) {
  using Match = MulticastRule::Match;
  const bool sends = said.iif.empty() || said.iif == kLoopback;
  const bool receives = said.oif.empty() && said.iif != kLoopback;
  std::vector<std::pair<Match, std::string>> packets;
  if (receives) packets.emplace_back(Match::inbound, said.iif);
  if (sends) packets.emplace_back(Match::sent, said.oif);
  return packets;
}

}  // namespace

bool is_multicast_rule(const nlmsghdr& message) {
  return (message.nlmsg_type == RTM_NEWRULE || message.nlmsg_type == RTM_DELRULE) &&
         family_of(message).has_value();
}

std::vector<KernelMulticastRule> decode_multicast_rule(const nlmsghdr& message) {
  std::vector<KernelMulticastRule> rules;
  if (message.nlmsg_type != RTM_NEWRULE) return rules;
  const auto family = family_of(message);
  if (!family) return rules;
  const auto body = split<fib_rule_hdr>(message);
  const fib_rule_hdr& header = body->header;
  Said said;
  for_each_attribute(body->attributes, body->length,
                     [&](const nlattr& attribute) { read_attribute(attribute, said); });
  if (said.restricted || (header.flags & FIB_RULE_INVERT) != 0 || !decides(header.action)) {
    return rules;
  }
  if (header.action != FR_ACT_TO_TBL) said.table = 0;
  for (auto& [match, interface] : packets_of(said)) {
    KernelMulticastRule rule;
    rule.rule = {{*family, TableId(said.table)}, match, std::move(interface)};
    rule.priority = said.priority;
    rule.ours = said.protocol == kMulticastRuleProtocol && said.priority == priority_of(match) &&
                !said.decorated && said.table != 0 && said.iif.empty() != said.oif.empty() &&
                said.iif != kLoopback;
    rule.made_by = protocol_name(said.protocol);
    rule.words = words_of(said, header.action);
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace mcast::netlink
