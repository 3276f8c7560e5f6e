// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "platform/upcall_codec.hpp"

using namespace mcast;
using mcast::platform::decode_upcall;

namespace {

constexpr TableKey kTable4{Family::ipv4, TableId(253)};
constexpr TableKey kTable6{Family::ipv6, TableId(254)};

using Bytes = std::vector<std::uint8_t>;

/// As Linux writes it: the header of the packet with fields of struct igmpmsg laid over it, then 8
/// bytes of an IGMP header.
Bytes igmpmsg(std::uint8_t kind, std::uint8_t vif) {
  return {0x45, 0, 0,   28, 0, 0, 0x40, 0, kind, 0, vif, 0,    10,   0,
          0,    9, 225, 1,  2, 3, kind, 0, 0,    0, 0,   0x10, 0x20, 0};
}

Bytes mrt6msg(std::uint8_t kind, std::uint16_t mif) {
  Bytes bytes(40);
  bytes[1] = kind;
  std::memcpy(&bytes[2], &mif, sizeof mif);
  const auto source = *Address::parse("fd00::9");
  const auto group = *Address::parse("ff0e::1:2");
  std::ranges::copy(source.octets(), bytes.begin() + 8);
  std::ranges::copy(group.octets(), bytes.begin() + 24);
  return bytes;
}

/// As FreeBSD writes it: the header of the packet and nothing else, its checksum's second half
/// beside the interface, which is one byte.
Bytes bare_igmpmsg(std::uint8_t kind, std::uint8_t vif) {
  return {0x45, 0, 0, 100, 0x12, 0x34, 0, 0, kind, 0, vif, 0xc5, 10, 0, 0, 9, 225, 1, 2, 3};
}

/// The same of IPv6: over the payload's length, next header and hop limit lies only padding.
Bytes bare_mrt6msg(std::uint8_t kind, std::uint16_t mif) {
  Bytes bytes = mrt6msg(kind, mif);
  bytes[5] = 80;
  bytes[6] = 17;  // UDP
  bytes[7] = 64;
  return bytes;
}

}  // namespace

TEST_CASE("an IPv4 upcall tells kind, flow and interface") {
  const auto missing = decode_upcall(igmpmsg(1, 31), kTable4);
  REQUIRE(missing);
  CHECK(missing->kind == Upcall::Kind::no_cache);
  CHECK(missing->table == kTable4);
  CHECK(missing->flow.to_string() == "(10.0.0.9, 225.1.2.3)");
  CHECK(missing->arrived_on == VifIndex(31));
  CHECK(decode_upcall(igmpmsg(2, 0), kTable4)->kind == Upcall::Kind::wrong_vif);
}

TEST_CASE("an IPv6 upcall tells kind, flow and interface") {
  const auto missing = decode_upcall(mrt6msg(1, 7), kTable6);
  REQUIRE(missing);
  CHECK(missing->kind == Upcall::Kind::no_cache);
  CHECK(missing->table == kTable6);
  CHECK(missing->flow.to_string() == "(fd00::9, ff0e::1:2)");
  CHECK(missing->arrived_on == VifIndex(7));
  CHECK(decode_upcall(mrt6msg(2, 0), kTable6)->kind == Upcall::Kind::wrong_vif);
}

TEST_CASE("an upcall that is a bare header tells the same") {
  const auto missing = decode_upcall(bare_igmpmsg(1, 31), kTable4);
  REQUIRE(missing);
  CHECK(missing->kind == Upcall::Kind::no_cache);
  CHECK(missing->flow.to_string() == "(10.0.0.9, 225.1.2.3)");
  CHECK(missing->arrived_on == VifIndex(31));
  CHECK(decode_upcall(bare_igmpmsg(2, 0), kTable4)->kind == Upcall::Kind::wrong_vif);
  Bytes with_options = bare_igmpmsg(1, 4);
  with_options[0] = 0x46;
  with_options.insert(with_options.end(), {0x94, 4, 0, 0});  // router alert
  CHECK(decode_upcall(with_options, kTable4)->arrived_on == VifIndex(4));

  const auto missing6 = decode_upcall(bare_mrt6msg(1, 63), kTable6);
  REQUIRE(missing6);
  CHECK(missing6->flow.to_string() == "(fd00::9, ff0e::1:2)");
  CHECK(missing6->arrived_on == VifIndex(63));
  CHECK(decode_upcall(bare_mrt6msg(2, 1), kTable6)->kind == Upcall::Kind::wrong_vif);
}

TEST_CASE("every cut of a bare header is dropped") {
  const Bytes v4 = bare_igmpmsg(1, 1);
  CHECK(v4.size() == 20);
  for (std::size_t length = 0; length < v4.size(); ++length) {
    CHECK_FALSE(decode_upcall(std::span(v4).first(length), kTable4));
  }
  const Bytes v6 = bare_mrt6msg(1, 1);
  CHECK(v6.size() == 40);
  for (std::size_t length = 0; length < v6.size(); ++length) {
    CHECK_FALSE(decode_upcall(std::span(v6).first(length), kTable6));
  }
}

TEST_CASE("a packet from a socket that hears all of IGMP is no upcall, router alert and all") {
  // A membership report as FreeBSD hands it to a raw socket.
  Bytes report = bare_igmpmsg(1, 0);
  report[0] = 0x46;
  report[9] = 2;
  report.insert(report.end(), {0x94, 4, 0, 0, 0x22, 0, 0, 0, 0, 0, 0, 1});
  CHECK_FALSE(decode_upcall(report, kTable4));
}

TEST_CASE("packets that are no upcalls are told apart") {
  Bytes report = igmpmsg(1, 0);
  report[9] = 2;  // IPPROTO_IGMP: a host's report
  CHECK_FALSE(decode_upcall(report, kTable4));
  Bytes echo = mrt6msg(1, 0);
  echo[0] = 128;  // an ICMPv6 type
  CHECK_FALSE(decode_upcall(echo, kTable6));
}

TEST_CASE("kinds of upcalls that nobody asked for are dropped") {
  for (const std::uint8_t kind : Bytes{0, 3, 4, 255}) {
    CHECK_FALSE(decode_upcall(igmpmsg(kind, 0), kTable4));
    CHECK_FALSE(decode_upcall(mrt6msg(kind, 0), kTable6));
  }
}

TEST_CASE("every cut of an upcall that lacks something is dropped") {
  const Bytes v4 = igmpmsg(1, 1);
  for (std::size_t length = 0; length < v4.size(); ++length) {
    CHECK(decode_upcall(std::span(v4).first(length), kTable4).has_value() == (length >= 20));
  }
  const Bytes v6 = mrt6msg(1, 1);
  for (std::size_t length = 0; length < v6.size(); ++length) {
    CHECK_FALSE(decode_upcall(std::span(v6).first(length), kTable6));
  }
}

TEST_CASE("an interface number that no table has is dropped") {
  CHECK_FALSE(decode_upcall(igmpmsg(1, kMaxSlots), kTable4));
  CHECK_FALSE(decode_upcall(mrt6msg(1, 300), kTable6));
}

TEST_CASE("a checksum's half beside the IPv4 interface number is not part of it") {
  Bytes old_kernel = igmpmsg(1, 5);
  old_kernel[11] = 0xab;
  CHECK(decode_upcall(old_kernel, kTable4)->arrived_on == VifIndex(5));
}

TEST_CASE("addresses that must never become an entry are dropped") {
  Bytes unicast_group = igmpmsg(1, 0);
  unicast_group[16] = 10;
  CHECK_FALSE(decode_upcall(unicast_group, kTable4));
  Bytes any_source = igmpmsg(1, 0);
  std::fill_n(any_source.begin() + 12, 4, std::uint8_t{0});
  CHECK_FALSE(decode_upcall(any_source, kTable4));
  Bytes multicast_source = igmpmsg(1, 0);
  multicast_source[12] = 225;
  CHECK_FALSE(decode_upcall(multicast_source, kTable4));

  Bytes any_source6 = mrt6msg(1, 0);
  std::fill_n(any_source6.begin() + 8, 16, std::uint8_t{0});
  CHECK_FALSE(decode_upcall(any_source6, kTable6));
  Bytes mapped = any_source6;  // ::ffff:10.0.0.9 would pass for an IPv4 source
  mapped[18] = mapped[19] = 0xff;
  mapped[20] = 10;
  mapped[23] = 9;
  CHECK_FALSE(decode_upcall(mapped, kTable6));
}
