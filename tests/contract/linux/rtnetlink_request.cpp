// SPDX-License-Identifier: BSD-2-Clause
#include "tests/contract/linux/rtnetlink_request.hpp"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <system_error>

namespace mcast::testing {
namespace {

void request(const NetNamespace& net, std::uint16_t type, std::uint16_t flags,
             const std::function<void(nlmsghdr*)>& fill) {
  alignas(nlmsghdr) std::array<std::uint8_t, 8192> buffer{};
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  header->nlmsg_seq = 1;
  fill(header);
  net.run([&] {
    const std::unique_ptr<mnl_socket, int (*)(mnl_socket*)> socket(mnl_socket_open(NETLINK_ROUTE),
                                                                   &mnl_socket_close);
    if (mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) {
      throw std::system_error(errno, std::generic_category(), "rtnetlink");
    }
    const auto length = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (length < 0 || mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 1,
                                 mnl_socket_get_portid(socket.get()), nullptr, nullptr) < 0) {
      throw std::system_error(errno, std::generic_category(), "rtnetlink");
    }
  });
}

ifinfomsg* put_link_header(nlmsghdr* header) {
  return static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
}

void change_altname(const NetNamespace& net, std::uint16_t type, std::uint16_t flags,
                    const std::string& name, const std::string& altname) {
  request(net, type, flags, [&](nlmsghdr* header) {
    put_link_header(header)->ifi_index = static_cast<int>(net.index_of(name));
    nlattr* list = mnl_attr_nest_start(header, IFLA_PROP_LIST);
    mnl_attr_put_strz(header, IFLA_ALT_IFNAME, altname.c_str());
    mnl_attr_nest_end(header, list);
  });
}

}  // namespace

void add_altname(const NetNamespace& net, const std::string& name, const std::string& altname) {
  change_altname(net, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, name, altname);
}

void remove_altname(const NetNamespace& net, const std::string& name, const std::string& altname) {
  change_altname(net, RTM_DELLINKPROP, 0, name, altname);
}

void set_queue_length(const NetNamespace& net, const std::string& name, unsigned length) {
  request(net, RTM_NEWLINK, 0, [&](nlmsghdr* header) {
    put_link_header(header)->ifi_index = static_cast<int>(net.index_of(name));
    mnl_attr_put_u32(header, IFLA_TXQLEN, length);
  });
}

void add_bridge_with_index(const NetNamespace& net, const std::string& name, unsigned index) {
  request(net, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [&](nlmsghdr* header) {
    ifinfomsg* link = put_link_header(header);
    link->ifi_index = static_cast<int>(index);
    link->ifi_flags = IFF_UP;
    link->ifi_change = IFF_UP;
    mnl_attr_put_strz(header, IFLA_IFNAME, name.c_str());
    nlattr* info = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(header, info);
  });
}

}  // namespace mcast::testing
