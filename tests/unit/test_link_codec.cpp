// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <net/if.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "netlink/link_codec.hpp"

using namespace mcast;
using namespace mcast::netlink;

namespace {

/// Builds one message the way the kernel does, with libmnl.
class Builder {
 public:
  static Builder link(std::uint16_t type, int index, unsigned flags = 0,
                      unsigned char family = AF_UNSPEC) {
    Builder builder(type);
    auto* header =
        static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(builder.header(), sizeof(ifinfomsg)));
    header->ifi_family = family;
    header->ifi_index = index;
    header->ifi_flags = flags;
    return builder;
  }
  static Builder address(std::uint16_t type, unsigned index, unsigned char family,
                         unsigned char length, unsigned char flags = 0) {
    Builder builder(type);
    auto* header =
        static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(builder.header(), sizeof(ifaddrmsg)));
    header->ifa_family = family;
    header->ifa_index = index;
    header->ifa_prefixlen = length;
    header->ifa_flags = flags;
    return builder;
  }
  Builder& text(std::uint16_t type, const std::string& value) {
    mnl_attr_put_strz(header(), type, value.c_str());
    return *this;
  }
  Builder& number(std::uint16_t type, std::uint32_t value) {
    mnl_attr_put_u32(header(), type, value);
    return *this;
  }
  Builder& bytes(std::uint16_t type, const std::vector<std::uint8_t>& value) {
    mnl_attr_put(header(), type, value.size(), value.data());
    return *this;
  }
  Builder& ip(std::uint16_t type, const char* value) {
    const Address parsed = *Address::parse(value);
    mnl_attr_put(header(), type, parsed.octets().size(), parsed.octets().data());
    return *this;
  }
  template <class Fill>
  Builder& nest(std::uint16_t type, Fill fill) {
    nlattr* nested = mnl_attr_nest_start(header(), type);
    fill(*this);
    mnl_attr_nest_end(header(), nested);
    return *this;
  }
  nlmsghdr* header() { return static_cast<nlmsghdr*>(static_cast<void*>(buffer_.data())); }

 private:
  explicit Builder(std::uint16_t type) : buffer_(4096) {
    mnl_nlmsg_put_header(buffer_.data())->nlmsg_type = type;
  }
  std::vector<std::uint8_t> buffer_;
};

const std::vector<std::uint8_t> kMac{2, 0, 0, 0, 0, 1};
const std::vector<std::uint8_t> kOtherMac{2, 0, 0, 0, 0, 2};

}  // namespace

TEST_CASE("a link message tells name, flags, master and alternative names") {
  auto message = Builder::link(RTM_NEWLINK, 7, IFF_UP | IFF_MULTICAST | IFF_POINTOPOINT)
                     .text(IFLA_IFNAME, "wg0")
                     .number(IFLA_MASTER, 3)
                     .nest(IFLA_PROP_LIST, [](Builder& b) {
                       b.text(IFLA_ALT_IFNAME, "one").text(IFLA_ALT_IFNAME, "another-long-name");
                     });
  const auto decoded = decode_link(*message.header());
  REQUIRE(decoded);
  CHECK_FALSE(decoded->removed);
  const Link& link = decoded->link;
  CHECK(link.index == IfIndex(7));
  CHECK(link.name == "wg0");
  CHECK(link.up);
  CHECK(link.multicast);
  CHECK(link.point_to_point);
  CHECK_FALSE(link.loopback);
  CHECK(link.master == IfIndex(3));
  CHECK(link.altnames == std::vector<std::string>{"one", "another-long-name"});
}

TEST_CASE("a VRF tells its table, its member what kind of master it has") {
  auto vrf =
      Builder::link(RTM_NEWLINK, 8).text(IFLA_IFNAME, "red").nest(IFLA_LINKINFO, [](Builder& info) {
        info.text(IFLA_INFO_KIND, "vrf").nest(IFLA_INFO_DATA, [](Builder& data) {
          data.number(IFLA_VRF_TABLE, 1010);
        });
      });
  const auto decoded = decode_link(*vrf.header());
  REQUIRE(decoded);
  CHECK(decoded->link.kind == "vrf");
  CHECK(decoded->link.vrf_table == TableId(1010));

  auto member = Builder::link(RTM_NEWLINK, 9)
                    .text(IFLA_IFNAME, "eth0")
                    .number(IFLA_MASTER, 8)
                    .nest(IFLA_LINKINFO, [](Builder& info) {
                      info.text(IFLA_INFO_KIND, "veth").text(IFLA_INFO_SLAVE_KIND, "vrf");
                    });
  CHECK(decode_link(*member.header())->link.master_is_vrf);
  CHECK(decode_link(*member.header())->link.vrf_table == TableId(0));
}

TEST_CASE("messages about ports of a bridge, and partial ones, are none of the interface") {
  auto port_left = Builder::link(RTM_DELLINK, 7, 0, AF_BRIDGE).text(IFLA_IFNAME, "eth0");
  CHECK_FALSE(decode_link(*port_left.header()));
  auto wireless =
      Builder::link(RTM_NEWLINK, 7, IFF_UP).text(IFLA_IFNAME, "wlan0").bytes(IFLA_WIRELESS, {1, 2});
  CHECK_FALSE(decode_link(*wireless.header()));
  auto nameless = Builder::link(RTM_NEWLINK, 7, IFF_UP);
  CHECK_FALSE(decode_link(*nameless.header()));
}

TEST_CASE("a removed link needs no more than its index") {
  auto message = Builder::link(RTM_DELLINK, 7);
  const auto decoded = decode_link(*message.header());
  REQUIRE(decoded);
  CHECK(decoded->removed);
  CHECK(decoded->link.index == IfIndex(7));
}

TEST_CASE("identity follows the hardware address, unless that is a member's") {
  const auto identity = [](const char* kind, const std::vector<std::uint8_t>& mac) {
    auto message = Builder::link(RTM_NEWLINK, 7)
                       .text(IFLA_IFNAME, "x")
                       .bytes(IFLA_ADDRESS, mac)
                       .nest(IFLA_LINKINFO, [&](Builder& b) { b.text(IFLA_INFO_KIND, kind); });
    return decode_link(*message.header())->identity;
  };
  CHECK(identity("veth", kMac) == identity("veth", kMac));
  CHECK(identity("veth", kMac) != identity("veth", kOtherMac));
  CHECK(identity("veth", kMac) != identity("macvlan", kMac));
  CHECK(identity("bridge", kMac) == identity("bridge", kOtherMac));
  auto hardware = Builder::link(RTM_NEWLINK, 7)
                      .text(IFLA_IFNAME, "eth0")
                      .bytes(IFLA_ADDRESS, kOtherMac)
                      .bytes(IFLA_PERM_ADDRESS, kMac);
  auto renumbered = Builder::link(RTM_NEWLINK, 7)
                        .text(IFLA_IFNAME, "eth0")
                        .bytes(IFLA_ADDRESS, kMac)
                        .bytes(IFLA_PERM_ADDRESS, kMac);
  CHECK(decode_link(*hardware.header())->identity == decode_link(*renumbered.header())->identity);
}

TEST_CASE("an address message tells the local address") {
  auto peer = Builder::address(RTM_NEWADDR, 5, AF_INET, 32)
                  .ip(IFA_ADDRESS, "10.0.0.2")
                  .ip(IFA_LOCAL, "10.0.0.1");
  CHECK(decode_address(*peer.header()) ==
        AddressMessage{false, IfIndex(5), *Address::parse("10.0.0.1"), 32});
  auto v6 = Builder::address(RTM_DELADDR, 5, AF_INET6, 64).ip(IFA_ADDRESS, "fd00::1");
  CHECK(decode_address(*v6.header()) ==
        AddressMessage{true, IfIndex(5), *Address::parse("fd00::1"), 64});
}

TEST_CASE("an address does not count before duplicate address detection is done") {
  const auto decoded = [](std::uint16_t type, unsigned char flags) {
    auto message = Builder::address(type, 5, AF_INET6, 64, flags).ip(IFA_ADDRESS, "fe80::1");
    return decode_address(*message.header()).has_value();
  };
  CHECK_FALSE(decoded(RTM_NEWADDR, IFA_F_TENTATIVE));
  CHECK_FALSE(decoded(RTM_NEWADDR, IFA_F_TENTATIVE | IFA_F_DADFAILED));
  CHECK(decoded(RTM_NEWADDR, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC));
  CHECK(decoded(RTM_NEWADDR, 0));
  CHECK(decoded(RTM_DELADDR, IFA_F_TENTATIVE));
}

TEST_CASE("addresses of the wrong length or of other families are dropped") {
  auto short_one = Builder::address(RTM_NEWADDR, 5, AF_INET, 24).bytes(IFA_LOCAL, {10, 0, 0});
  CHECK_FALSE(decode_address(*short_one.header()));
  auto mixed = Builder::address(RTM_NEWADDR, 5, AF_INET6, 24).ip(IFA_LOCAL, "10.0.0.1");
  CHECK_FALSE(decode_address(*mixed.header()));
  auto other = Builder::address(RTM_NEWADDR, 5, AF_PACKET, 24).ip(IFA_LOCAL, "10.0.0.1");
  CHECK_FALSE(decode_address(*other.header()));
  auto nothing = Builder::address(RTM_NEWADDR, 5, AF_INET, 24);
  CHECK_FALSE(decode_address(*nothing.header()));
}

TEST_CASE("numbers of the wrong length count as absent") {
  auto message = Builder::link(RTM_NEWLINK, 7).text(IFLA_IFNAME, "x").bytes(IFLA_MASTER, {1, 0});
  CHECK(decode_link(*message.header())->link.master == IfIndex(0));
}

TEST_CASE("a name without its end is as long as its attribute") {
  auto message = Builder::link(RTM_NEWLINK, 7).bytes(IFLA_IFNAME, {'e', 't', 'h', '0'});
  CHECK(decode_link(*message.header())->link.name == "eth0");
}

TEST_CASE("every cut of a datagram is read without harm, and whole messages before it count") {
  auto first = Builder::link(RTM_NEWLINK, 7).text(IFLA_IFNAME, "a");
  auto second =
      Builder::link(RTM_NEWLINK, 8).text(IFLA_IFNAME, "b").nest(IFLA_LINKINFO, [](Builder& b) {
        b.text(IFLA_INFO_KIND, "veth");
      });
  const std::size_t whole = first.header()->nlmsg_len;
  std::vector<std::uint8_t> datagram(whole + second.header()->nlmsg_len);
  std::memcpy(datagram.data(), first.header(), whole);
  std::memcpy(datagram.data() + whole, second.header(), second.header()->nlmsg_len);
  for (std::size_t length = 0; length <= datagram.size(); ++length) {
    // Exactly as long, for sanitizers.
    const std::vector<std::uint8_t> cut(datagram.begin(),
                                        datagram.begin() + static_cast<std::ptrdiff_t>(length));
    std::size_t found = 0;
    for_each_message(cut, [&](const nlmsghdr& m) { found += decode_link(m) ? 1U : 0U; });
    CHECK(found == (length < whole ? 0U : length < datagram.size() ? 1U : 2U));
  }
}

TEST_CASE("a message that claims more than two gigabytes ends the datagram") {
  auto message = Builder::link(RTM_NEWLINK, 7).text(IFLA_IFNAME, "x");
  const std::size_t length = message.header()->nlmsg_len;
  message.header()->nlmsg_len = 0x80000010;
  const auto* bytes = static_cast<const std::uint8_t*>(static_cast<void*>(message.header()));
  std::size_t found = 0;
  for_each_message(std::span(bytes, length), [&](const nlmsghdr&) { ++found; });
  CHECK(found == 0);
}

TEST_CASE("attributes that claim more than the message has end it") {
  auto message = Builder::link(RTM_NEWLINK, 7).text(IFLA_IFNAME, "x").number(IFLA_MASTER, 9);
  auto* last = static_cast<nlattr*>(mnl_nlmsg_get_payload_tail(message.header())) - 2;
  last->nla_len = 200;
  const auto decoded = decode_link(*message.header());
  REQUIRE(decoded);
  CHECK(decoded->link.name == "x");
  CHECK(decoded->link.master == IfIndex(0));
}
