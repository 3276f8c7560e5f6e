// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "platform/discovery_codec.hpp"

using namespace mcast;
using mcast::platform::encode_message;
using mcast::platform::internet_checksum;
using mcast::platform::is_solicitation;
using Kind = AnnounceStep::Kind;

namespace {

using Bytes = std::vector<std::uint8_t>;

AnnounceStep step(Kind kind, Family family, std::uint8_t interval = 0) {
  return {.kind = kind, .link = {IfIndex(3), family}, .interval = interval};
}

/// As a raw socket delivers it, with a router alert.
Bytes solicitation4() {
  return {0x46, 0xc0, 0,   28, 0, 0, 0x40, 0, 1, 2, 0,    0, 10,   0,
          0,    9,    224, 0,  0, 2, 0x94, 4, 0, 0, 0x31, 0, 0xce, 0xff};
}

/// From fe80::1.
Bytes solicitation6() {
  return {152, 0, 0x6a, 0x3a};
}
platform::Ipv6Header header6() {
  return {.source = *Address::parse("fe80::1"),
          .destination = *Address::parse("ff02::2"),
          .hop_limit = 1};
}

}  // namespace

TEST_CASE("IPv4 messages are as RFC 4286 has them") {
  CHECK(encode_message(step(Kind::advertise, Family::ipv4, 20)) ==
        Bytes{0x30, 20, 0xcf, 0xeb, 0, 0, 0, 0});
  CHECK(encode_message(step(Kind::terminate, Family::ipv4)) == Bytes{0x32, 0, 0xcd, 0xff});
  for (const std::uint8_t interval : Bytes{4, 20, 180}) {
    CHECK(internet_checksum(encode_message(step(Kind::advertise, Family::ipv4, interval))) == 0);
  }
}

TEST_CASE("IPv6 messages leave the checksum to the kernel") {
  CHECK(encode_message(step(Kind::advertise, Family::ipv6, 180)) ==
        Bytes{151, 180, 0, 0, 0, 0, 0, 0});
  CHECK(encode_message(step(Kind::terminate, Family::ipv6)) == Bytes{153, 0, 0, 0});
}

TEST_CASE("listening is no message") {
  CHECK(encode_message(step(Kind::listen, Family::ipv4)).empty());
  CHECK(encode_message(step(Kind::stop_listening, Family::ipv6)).empty());
}

TEST_CASE("the groups are those assigned") {
  CHECK(platform::all_snoopers(Family::ipv4).to_string() == "224.0.0.106");
  CHECK(platform::all_snoopers(Family::ipv6).to_string() == "ff02::6a");
  CHECK(platform::all_routers(Family::ipv4).to_string() == "224.0.0.2");
  CHECK(platform::all_routers(Family::ipv6).to_string() == "ff02::2");
}

TEST_CASE("checksums of odd lengths and with carries") {
  CHECK(internet_checksum({}) == 0xffff);
  CHECK(internet_checksum(Bytes{1}) == 0xfeff);
  CHECK(internet_checksum(Bytes{0xff, 0xff, 0xff, 0xff, 0, 1}) == 0xfffe);
}

TEST_CASE("a sound IPv4 solicitation is taken, with or without options") {
  CHECK(is_solicitation(solicitation4()));
  Bytes plain = solicitation4();
  plain.erase(plain.begin() + 20, plain.begin() + 24);
  plain[0] = 0x45;
  plain[3] = 24;
  CHECK(is_solicitation(plain));
  Bytes padded = solicitation4();
  padded.resize(60);  // as a short Ethernet frame is
  CHECK(is_solicitation(padded));
}

TEST_CASE("an IPv4 packet that is not what RFC 4286 asks for is dropped") {
  struct Damage {
    const char* what;
    std::size_t at;
    std::uint8_t value;
  };
  for (const Damage& damage :
       {Damage{"version", 0, 0x66}, Damage{"header too short", 0, 0x44},
        Damage{"header beyond the packet", 0, 0x4f}, Damage{"total length too long", 3, 29},
        Damage{"total length too short", 3, 27}, Damage{"TTL", 8, 2}, Damage{"protocol", 9, 17},
        Damage{"destination", 19, 1}, Damage{"type", 24, 0x30}, Damage{"checksum", 27, 0xfe},
        Damage{"reserved, so the checksum", 25, 1}}) {
    CAPTURE(damage.what);
    Bytes packet = solicitation4();
    packet[damage.at] = damage.value;
    CHECK_FALSE(is_solicitation(packet));
  }
  const Bytes whole = solicitation4();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(is_solicitation(std::span(whole).first(length)));
  }
}

TEST_CASE("a sound IPv6 solicitation is taken, another is dropped") {
  CHECK(is_solicitation(solicitation6(), header6()));
  for (std::size_t at = 0; at < 4; ++at) {
    CAPTURE(at);
    Bytes message = solicitation6();
    ++message[at];
    CHECK_FALSE(is_solicitation(message, header6()));
  }
  CHECK_FALSE(is_solicitation(Bytes{152, 0, 0x6a}, header6()));
  CHECK_FALSE(is_solicitation(Bytes{}, header6()));
  CHECK_FALSE(is_solicitation(Bytes(70'000, 152), header6()));

  auto header = header6();
  header.hop_limit = 255;
  CHECK_FALSE(is_solicitation(solicitation6(), header));
  header = header6();
  header.source = *Address::parse("fe80::2");  // the checksum covers it
  CHECK_FALSE(is_solicitation(solicitation6(), header));
  header = header6();
  header.destination = *Address::parse("ff02::1");
  CHECK_FALSE(is_solicitation(solicitation6(), header));
}

TEST_CASE("an IPv6 solicitation from a source that is not link-local is dropped") {
  // fd80::1 and a checksum to match.
  auto header = header6();
  header.source = *Address::parse("fd80::1");
  CHECK_FALSE(is_solicitation(Bytes{152, 0, 0x6b, 0x3a}, header));
  header.source = *Address::parse("fe80::1");
  CHECK_FALSE(is_solicitation(Bytes{152, 0, 0x6b, 0x3a}, header));
}
