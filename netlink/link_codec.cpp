// SPDX-License-Identifier: BSD-2-Clause
#include "netlink/link_codec.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>
#include <string_view>

#include "netlink/attributes.hpp"

namespace mcast::netlink {
namespace {

void read_altnames(const nlattr& list, Link& link) {
  for_each_nested(list, [&](const nlattr& property) {
    if (mnl_attr_get_type(&property) != IFLA_ALT_IFNAME) return;
    link.altnames.emplace_back(text_of(property));
  });
}

void read_link_info(const nlattr& info, Link& link) {
  const nlattr* data = nullptr;
  for_each_nested(info, [&](const nlattr& part) {
    switch (mnl_attr_get_type(&part)) {
      case IFLA_INFO_KIND:
        link.kind = text_of(part);
        break;
      case IFLA_INFO_DATA:
        data = &part;
        break;
      case IFLA_INFO_SLAVE_KIND:
        link.master_is_vrf = text_of(part) == "vrf";
        break;
      default:
        break;
    }
  });
  if (data == nullptr || link.kind != "vrf") return;
  for_each_nested(*data, [&](const nlattr& detail) {
    if (mnl_attr_get_type(&detail) == IFLA_VRF_TABLE) link.vrf_table = TableId(number_of(detail));
  });
}

/// Their hardware address follows their members.
bool borrows_address(std::string_view kind) {
  return kind == "bridge" || kind == "bond" || kind == "team";
}

struct HardwareAddresses {
  std::string_view current;
  std::string_view permanent;
};

std::string make_identity(const Link& link, const HardwareAddresses& addresses) {
  std::string identity = link.kind;
  identity += '\0';
  if (!addresses.permanent.empty()) {
    identity += addresses.permanent;
  } else if (!borrows_address(link.kind)) {
    identity += addresses.current;
  }
  return identity;
}

std::optional<Address> to_address(int family, std::string_view bytes) {
  std::array<std::uint8_t, 16> octets{};
  if (family == AF_INET && bytes.size() == 4) {
    std::memcpy(octets.data(), bytes.data(), 4);
    return Address::from_v4(std::span(octets).first<4>());
  }
  if (family == AF_INET6 && bytes.size() == 16) {
    std::memcpy(octets.data(), bytes.data(), 16);
    const auto address = Address::from_v6(octets);
    if (address.family() == Family::ipv6) return address;
  }
  return std::nullopt;
}

}  // namespace

std::optional<LinkMessage> decode_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return std::nullopt;
  const auto body = split<ifinfomsg>(message);
  if (!body || body->header.ifi_family != AF_UNSPEC || body->header.ifi_index <= 0) {
    return std::nullopt;
  }
  LinkMessage result;
  result.removed = message.nlmsg_type == RTM_DELLINK;
  Link& link = result.link;
  link.index = IfIndex(static_cast<std::uint32_t>(body->header.ifi_index));
  const unsigned flags = body->header.ifi_flags;
  link.up = (flags & IFF_UP) != 0;
  link.multicast = (flags & IFF_MULTICAST) != 0;
  link.loopback = (flags & IFF_LOOPBACK) != 0;
  link.point_to_point = (flags & IFF_POINTOPOINT) != 0;

  HardwareAddresses addresses;
  bool partial = false;
  for_each_attribute(body->attributes, body->length, [&](const nlattr& attribute) {
    switch (mnl_attr_get_type(&attribute)) {
      case IFLA_IFNAME:
        link.name = text_of(attribute);
        break;
      case IFLA_MASTER:
        link.master = IfIndex(number_of(attribute));
        break;
      case IFLA_ADDRESS:
        addresses.current = bytes_of(attribute);
        break;
      case IFLA_PERM_ADDRESS:
        addresses.permanent = bytes_of(attribute);
        break;
      case IFLA_PROP_LIST:
        read_altnames(attribute, link);
        break;
      case IFLA_LINKINFO:
        read_link_info(attribute, link);
        break;
      case IFLA_WIRELESS:
        partial = true;
        break;
      default:
        break;
    }
  });
  if (partial || (link.name.empty() && !result.removed)) return std::nullopt;
  result.identity = make_identity(link, addresses);
  return result;
}

namespace {

/// Not to be used before duplicate address detection is done, which is told by a further message.
bool is_tentative(const ifaddrmsg& header) {
  return (header.ifa_flags & IFA_F_TENTATIVE) != 0 && (header.ifa_flags & IFA_F_OPTIMISTIC) == 0;
}

}  // namespace

std::optional<AddressMessage> decode_address(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR && message.nlmsg_type != RTM_DELADDR) return std::nullopt;
  const auto body = split<ifaddrmsg>(message);
  if (!body || body->header.ifa_index == 0) return std::nullopt;
  if (message.nlmsg_type == RTM_NEWADDR && is_tentative(body->header)) return std::nullopt;
  std::optional<Address> local;
  std::optional<Address> address;
  for_each_attribute(body->attributes, body->length, [&](const nlattr& attribute) {
    const auto type = mnl_attr_get_type(&attribute);
    if (type == IFA_LOCAL) local = to_address(body->header.ifa_family, bytes_of(attribute));
    if (type == IFA_ADDRESS) address = to_address(body->header.ifa_family, bytes_of(attribute));
  });
  // On a point-to-point link IFA_ADDRESS is the peer's; most IPv6 messages have no IFA_LOCAL.
  if (!local) local = address;
  if (!local) return std::nullopt;
  return AddressMessage{message.nlmsg_type == RTM_DELADDR, IfIndex(body->header.ifa_index), *local,
                        body->header.ifa_prefixlen};
}

}  // namespace mcast::netlink
