// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/bursts.hpp"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstddef>
#include <string>

#include "netlink/link_codec.hpp"
#include "platform/bsd/route_codec.hpp"
#include "tests/support/route_messages.hpp"

namespace mcast::bench {

std::vector<std::uint8_t> rtnetlink_burst(unsigned count) {
  std::vector<std::uint8_t> datagram(std::size_t{count} * 256);
  std::size_t used = 0;
  for (unsigned n = 0; n < count; ++n) {
    nlmsghdr* message = mnl_nlmsg_put_header(datagram.data() + used);
    message->nlmsg_type = RTM_NEWLINK;
    auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
    header->ifi_index = static_cast<int>(n + 1);
    header->ifi_flags = IFF_UP | IFF_MULTICAST;
    mnl_attr_put_strz(message, IFLA_IFNAME, fmt::format("veth{}", n).c_str());
    mnl_attr_put_u32(message, IFLA_MTU, 1500);
    mnl_attr_put_u32(message, IFLA_MASTER, 0);
    const std::uint8_t mac[] = {
        2, 0, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
    mnl_attr_put(message, IFLA_ADDRESS, sizeof mac, mac);
    nlattr* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
    mnl_attr_nest_end(message, info);
    used += NLMSG_ALIGN(std::size_t{message->nlmsg_len});
  }
  datagram.resize(used);
  return datagram;
}

std::vector<std::uint8_t> routing_socket_burst(unsigned count) {
  std::vector<std::uint8_t> burst;
  for (unsigned n = 0; n < count; ++n) {
    const auto index = static_cast<std::uint16_t>(n / 4 + 1);
    const std::string name = fmt::format("epair{}a", index);
    const auto v4 = Address::from_v4(std::array<std::uint8_t, 4>{
        10, 0, static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index)});
    const auto v6 = Address::parse("fe80::ff:fe00:1").value();
    const std::array<testing::RouteBytes, 4> kinds{
        testing::announcement(false, index, name),
        testing::interface_info(index, platform::kInterfaceUp | platform::kInterfaceMulticast),
        testing::address_message(false, index, v4, name).bytes(),
        testing::address_message(false, index, v6, name).bytes()};
    const auto& message = kinds[n % kinds.size()];
    burst.insert(burst.end(), message.begin(), message.end());
  }
  return burst;
}

std::size_t decode_rtnetlink(const std::vector<std::uint8_t>& burst) {
  std::size_t told = 0;
  netlink::for_each_message(burst, [&](const nlmsghdr& message) {
    if (netlink::decode_link(message)) ++told;
  });
  return told;
}

std::size_t decode_routing_socket(const std::vector<std::uint8_t>& burst) {
  std::size_t told = 0;
  platform::for_each_route_message(burst, [&](const platform::RouteMessage&) { ++told; });
  return told;
}

}  // namespace mcast::bench
