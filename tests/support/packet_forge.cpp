// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/packet_forge.hpp"

#include "tests/support/traffic.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <stdexcept>

namespace mcast::testing {
namespace {

constexpr std::uint8_t kHops = 8;
constexpr std::uint16_t kSourcePort = 40'000;

struct Payload {
  std::uint64_t flow;
  std::uint64_t sequence;
};

bool is_v4(const std::string& address) {
  return address.find(':') == std::string::npos;
}

template <class Address>
Address parse(int family, const std::string& text) {
  Address address{};
  if (::inet_pton(family, text.c_str(), &address) != 1)
    throw std::runtime_error("not an address: " + text);
  return address;
}

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

/// RFC 1071, to be folded and inverted.
std::uint32_t sum(std::span<const std::byte> data, std::uint32_t start = 0) {
  for (std::size_t i = 0; i + 1 < data.size(); i += 2) {
    start += std::to_integer<std::uint32_t>(data[i]) << 8;
    start += std::to_integer<std::uint32_t>(data[i + 1]);
  }
  return start;
}

std::uint16_t checksum(std::uint32_t total) {
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return htons(static_cast<std::uint16_t>(~total));
}

void append(std::vector<std::byte>& packet, std::span<const std::byte> part) {
  packet.insert(packet.end(), part.begin(), part.end());
}

/// `pseudo` is the sum of what the checksum covers besides, protocol and length excepted.
udphdr make_udp(std::uint32_t pseudo, const Payload& payload) {
  udphdr udp{};
  udp.source = htons(kSourcePort);
  udp.dest = htons(kTestPort);
  constexpr std::uint16_t kLength = sizeof(udphdr) + sizeof(Payload);
  udp.len = htons(kLength);
  pseudo += IPPROTO_UDP + kLength;
  udp.check = checksum(sum(bytes_of(payload), sum(bytes_of(udp), pseudo)));
  return udp;
}

std::vector<std::byte> make_v4(const PacketForge::Addresses& flow, const Payload& payload) {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof ip / 4;
  ip.tot_len = htons(sizeof ip + sizeof(udphdr) + sizeof payload);
  ip.ttl = kHops;
  ip.protocol = IPPROTO_UDP;
  ip.saddr = parse<in_addr>(AF_INET, flow.source).s_addr;
  ip.daddr = parse<in_addr>(AF_INET, flow.group).s_addr;
  ip.check = checksum(sum(bytes_of(ip)));
  const udphdr udp = make_udp(sum(bytes_of(ip.daddr), sum(bytes_of(ip.saddr))), payload);
  std::vector<std::byte> packet;
  append(packet, bytes_of(ip));
  append(packet, bytes_of(udp));
  append(packet, bytes_of(payload));
  return packet;
}

std::vector<std::byte> make_v6(const PacketForge::Addresses& flow, const Payload& payload) {
  ip6_hdr ip{};
  ip.ip6_vfc = 6 << 4;
  ip.ip6_plen = htons(sizeof(udphdr) + sizeof payload);
  ip.ip6_nxt = IPPROTO_UDP;
  ip.ip6_hlim = kHops;
  ip.ip6_src = parse<in6_addr>(AF_INET6, flow.source);
  ip.ip6_dst = parse<in6_addr>(AF_INET6, flow.group);
  const udphdr udp = make_udp(sum(bytes_of(ip.ip6_dst), sum(bytes_of(ip.ip6_src))), payload);
  std::vector<std::byte> packet;
  append(packet, bytes_of(ip));
  append(packet, bytes_of(udp));
  append(packet, bytes_of(payload));
  return packet;
}

/// Where a multicast packet goes on the link: RFC 1112, RFC 2464.
sockaddr_ll link_address(const PacketForge::Packet& packet, int interface) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = interface;
  to.sll_halen = ETH_ALEN;
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned char>(packet.bytes[i]); };
  if (packet.family == AF_INET) {
    to.sll_protocol = htons(ETH_P_IP);
    const std::array<unsigned char, ETH_ALEN> mac{
        0x01, 0x00, 0x5e, static_cast<unsigned char>(at(17) & 0x7f), at(18), at(19)};
    std::ranges::copy(mac, to.sll_addr);
  } else {
    to.sll_protocol = htons(ETH_P_IPV6);
    const std::array<unsigned char, ETH_ALEN> mac{0x33, 0x33, at(36), at(37), at(38), at(39)};
    std::ranges::copy(mac, to.sll_addr);
  }
  return to;
}

}  // namespace

PacketForge::PacketForge(const NetNamespace& host, const std::string& interface) {
  std::random_device device;
  flow_ = (std::uint64_t{device()} << 32) | device();
  host.run([&] {
    socket_ = Fd(check_call(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "packet socket"));
    interface_ = static_cast<int>(host.index_of(interface));
  });
}

PacketForge::Packet PacketForge::make(const Addresses& addresses) {
  const Payload payload{flow_, next_++};
  if (is_v4(addresses.group)) return {AF_INET, make_v4(addresses, payload)};
  return {AF_INET6, make_v6(addresses, payload)};
}

std::vector<PacketForge::Packet> PacketForge::make(std::span<const Addresses> flows) {
  std::vector<Packet> packets;
  for (const Addresses& flow : flows) packets.push_back(make(flow));
  return packets;
}

void PacketForge::send(const Packet& packet) const {
  send(std::span(&packet, 1));
}

void PacketForge::send(std::span<const Packet> packets) const {
  constexpr std::size_t kAtOnce = 512;
  while (!packets.empty()) {
    const auto now = packets.first(std::min(kAtOnce, packets.size()));
    std::vector<sockaddr_ll> to;
    std::vector<iovec> data;
    std::vector<mmsghdr> messages(now.size());
    for (const Packet& packet : now) {
      to.push_back(link_address(packet, interface_));
      data.push_back({const_cast<std::byte*>(packet.bytes.data()), packet.bytes.size()});
    }
    for (std::size_t i = 0; i < now.size(); ++i) {
      messages[i].msg_hdr.msg_name = &to[i];
      messages[i].msg_hdr.msg_namelen = sizeof to[i];
      messages[i].msg_hdr.msg_iov = &data[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent =
        ::sendmmsg(socket_.get(), messages.data(), static_cast<unsigned>(messages.size()), 0);
    if (sent < 0 && (errno == ENOBUFS || errno == EINTR)) continue;
    packets = packets.subspan(static_cast<std::size_t>(check_call(sent, "sendmmsg")));
  }
}

std::vector<std::string> count_up(const std::string& first, std::size_t count) {
  const int family = is_v4(first) ? AF_INET : AF_INET6;
  std::array<std::uint8_t, sizeof(in6_addr)> address{};
  const std::size_t length = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  if (::inet_pton(family, first.c_str(), address.data()) != 1)
    throw std::runtime_error("not an address: " + first);
  std::vector<std::string> all;
  while (all.size() < count) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    all.emplace_back(::inet_ntop(family, address.data(), text.data(), text.size()));
    for (std::size_t i = length; i-- > 0 && ++address[i] == 0;) {
    }
  }
  return all;
}

}  // namespace mcast::testing
