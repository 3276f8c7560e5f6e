// SPDX-License-Identifier: BSD-2-Clause
#include "core/address.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

using namespace mcast;

namespace {

Address address(const char* text) {
  return Address::parse(text).value();
}
Prefix prefix(const char* text) {
  return Prefix::parse(text).value();
}

std::string why_not(const char* text) {
  const auto parsed = Address::parse(text);
  return parsed ? "accepted as " + parsed->to_string() : parsed.error().message;
}

}  // namespace

TEST_CASE("an IPv4 address is four decimal parts") {
  CHECK(address("10.0.0.9").to_string() == "10.0.0.9");
  CHECK(address("255.255.255.255").to_string() == "255.255.255.255");
  CHECK(address("0.0.0.0").family() == Family::ipv4);
  CHECK(address("10.0.0.9").octets().size() == 4);
  CHECK(address("10.0.0.9").octets()[3] == 9);
  for (const char* text :
       {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.256", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.-4", "+1.2.3.4", "1.2.3.0x4", "a.b.c.d", "1.2.3.99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(Address::parse(text));
  }
}

TEST_CASE("a refused address says why") {
  CHECK(why_not("010.0.0.1") == "a leading zero is ambiguous (octal or decimal?); remove it");
  CHECK(why_not("10.0.0.00").find("leading zero") != std::string::npos);
  CHECK(why_not("10.0.0.256").find("at most 255") != std::string::npos);
  CHECK(why_not("10.0.0").find("four decimal parts") != std::string::npos);
  CHECK(why_not("example.net") == "not an IPv4 or IPv6 address");
  CHECK(why_not("::ffff:10.0.0.1").find("IPv4-mapped") != std::string::npos);
  CHECK(why_not("::ffff:0a00:1").find("IPv4-mapped") != std::string::npos);
  CHECK(why_not("fe80::1%eth0").find("zone") != std::string::npos);
  CHECK(why_not("1::2::3").find("once") != std::string::npos);
  CHECK(why_not("1:2:3:4:5:6:7").find("eight parts") != std::string::npos);
  CHECK(why_not("12345::").find("four hexadecimal digits") != std::string::npos);
}

TEST_CASE("IPv6 text is RFC 4291 in and RFC 5952 out") {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8::0:1", "2001:db8::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
      {"ff2e::0042", "ff2e::42"},
      {"0:0:0:0:0:0:0:0", "::"},
  };
  for (const auto& [in, out] : cases) {
    CAPTURE(in);
    CHECK(address(in).to_string() == out);
    CHECK(address(in).family() == Family::ipv6);
  }
}

TEST_CASE("malformed IPv6 text is refused") {
  for (const char* text : {":",
                           ":::",
                           "1:",
                           ":1",
                           "1:2",
                           "::1:",
                           ":1::",
                           "1::2::3",
                           "::g",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "::1.2.3",
                           "::1.2.3.4:5",
                           "1.2.3.4::",
                           "::00001",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::-1",
                           "::1 ",
                           "1: 2::"}) {
    CAPTURE(text);
    CHECK_FALSE(Address::parse(text));
  }
}

TEST_CASE("text is read as inet_pton(3) reads it") {
  // Everything built from these pieces; mapped addresses are the one deliberate difference.
  const std::vector<std::string> pieces = {"",  "0",  "1", "ff02",   "12345",
                                           ":", "::", ".", "1.2.3.4"};
  std::size_t accepted = 0;
  for (const auto& a : pieces) {
    for (const auto& b : pieces) {
      for (const auto& c : pieces) {
        for (const auto& d : pieces) {
          for (const auto& e : pieces) {
            const std::string text = a + b + c + d + e;
            in6_addr v6{};
            in_addr v4{};
            const bool is_v6 = inet_pton(AF_INET6, text.c_str(), &v6) == 1;
            const bool is_v4 = inet_pton(AF_INET, text.c_str(), &v4) == 1;
            const auto parsed = Address::parse(text);
            CAPTURE(text);
            if (is_v6 && IN6_IS_ADDR_V4MAPPED(&v6)) {
              CHECK_FALSE(parsed);
              continue;
            }
            REQUIRE(parsed.has_value() == (is_v4 || is_v6));
            if (!parsed) continue;
            ++accepted;
            const void* octets = is_v4 ? static_cast<const void*>(&v4) : &v6;
            REQUIRE(std::memcmp(parsed->octets().data(), octets, parsed->octets().size()) == 0);
          }
        }
      }
    }
  }
  CHECK(accepted > 100);
}

TEST_CASE("groups are told from other addresses") {
  CHECK(address("224.0.0.0").is_multicast());
  CHECK(address("239.255.255.255").is_multicast());
  CHECK_FALSE(address("223.255.255.255").is_multicast());
  CHECK_FALSE(address("240.0.0.0").is_multicast());
  CHECK(address("ff00::").is_multicast());
  CHECK_FALSE(address("fe80::1").is_multicast());
}

TEST_CASE("groups that no kernel forwards are known") {
  CHECK(address("224.0.0.5").is_link_scoped_group());
  CHECK(address("224.0.0.255").is_link_scoped_group());
  CHECK_FALSE(address("224.0.1.1").is_link_scoped_group());
  CHECK(address("ff01::1").is_link_scoped_group());
  CHECK(address("ff02::fb").is_link_scoped_group());
  CHECK(address("ff32::1").is_link_scoped_group());
  CHECK_FALSE(address("ff05::2").is_link_scoped_group());
  CHECK_FALSE(address("ff2e::42").is_link_scoped_group());
}

TEST_CASE("the unspecified addresses of the families differ") {
  CHECK(address("0.0.0.0").is_unspecified());
  CHECK(address("::").is_unspecified());
  CHECK_FALSE(address("0.0.0.1").is_unspecified());
  CHECK(address("0.0.0.0") != address("::"));
  CHECK(Address::unspecified(Family::ipv4) == address("0.0.0.0"));
  CHECK(Address::unspecified(Family::ipv6) == address("::"));
  static_assert(Address().family() == Family::ipv6);
  static_assert(Address::unspecified(Family::ipv4).family() == Family::ipv4);
}

TEST_CASE("a prefix clears host bits") {
  CHECK(prefix("225.1.2.3/24").to_string() == "225.1.2.0/24");
  CHECK(prefix("225.1.2.255/30").to_string() == "225.1.2.252/30");
  CHECK(prefix("225.1.2.3/32").to_string() == "225.1.2.3");
  CHECK(prefix("225.1.2.3").is_host());
  CHECK(prefix("10.1.2.3/0").to_string() == "0.0.0.0/0");
  CHECK(prefix("ff2e:1:2:3::9/60").to_string() == "ff2e:1:2::/60");
  CHECK(prefix("ff2e::42/128").to_string() == "ff2e::42");
  CHECK(prefix("2001:db8::1/0").to_string() == "::/0");
  CHECK(prefix("10.1.2.3/0") == Prefix::any(Family::ipv4));
  CHECK(Prefix::any(Family::ipv6).is_any());
}

TEST_CASE("a prefix length out of range is refused") {
  for (const char* text :
       {"225.0.0.0/33", "225.0.0.0/", "225.0.0.0/-1", "225.0.0.0/024", "225.0.0.0/255.0.0.0",
        "225.0.0.0/4294967328", "ff00::/129", "ff00::/8/8", "/8", "225.0.0.0/8 "}) {
    CAPTURE(text);
    CHECK_FALSE(Prefix::parse(text));
  }
  CHECK(Prefix::parse("ff00::/129").error().message ==
        "the prefix length of an IPv6 address is a number from 0 to 128");
}

TEST_CASE("a prefix contains the addresses of its family that share its bits") {
  CHECK(prefix("225.1.2.0/30").contains(address("225.1.2.3")));
  CHECK_FALSE(prefix("225.1.2.0/30").contains(address("225.1.2.4")));
  CHECK(prefix("0.0.0.0/0").contains(address("10.0.0.1")));
  CHECK_FALSE(prefix("::/0").contains(address("10.0.0.1")));
  CHECK(prefix("225.1.0.0/16").contains(prefix("225.1.2.0/24")));
  CHECK_FALSE(prefix("225.1.2.0/24").contains(prefix("225.1.0.0/16")));
  CHECK(prefix("225.1.2.0/24").contains(prefix("225.1.2.0/24")));
}

TEST_CASE("the addresses of a prefix can be counted and enumerated") {
  const Prefix four = prefix("225.1.2.252/30");
  CHECK(four.size() == 4);
  CHECK(four.at(0).to_string() == "225.1.2.252");
  CHECK(four.at(3).to_string() == "225.1.2.255");
  CHECK(prefix("225.1.0.0/16").at(0x1234).to_string() == "225.1.18.52");
  CHECK(prefix("0.0.0.0/0").size() == std::uint64_t{1} << 32);
  CHECK(prefix("10.0.0.1").size() == 1);
  CHECK(prefix("ff2e::/64").size() == std::uint64_t{1} << 63);
  CHECK(prefix("ff2e::/120").at(255).to_string() == "ff2e::ff");
}

TEST_CASE("a flow is written with a star for any source") {
  CHECK(FlowKey{address("10.0.0.9"), address("225.1.2.3")}.to_string() == "(10.0.0.9, 225.1.2.3)");
  CHECK(FlowKey{address("0.0.0.0"), address("225.1.2.3")}.to_string() == "(*, 225.1.2.3)");
  CHECK(FlowKey{address("::"), address("ff2e::42")}.to_string() == "(*, ff2e::42)");
}

TEST_CASE("flows that differ little have hashes that differ in their low bits") {
  // Tables index by the low bits: with 2^16 buckets and as many flows, about 63 % of the buckets
  // are hit by a random function.
  constexpr std::size_t kBuckets = 1 << 16;
  std::unordered_set<std::size_t> low;
  std::unordered_set<std::size_t> high;
  const Prefix groups = prefix("225.1.0.0/16");
  const Address source = address("10.0.0.9");
  for (std::uint64_t i = 0; i < kBuckets; ++i) {
    const std::size_t hash = std::hash<FlowKey>{}({source, groups.at(i)});
    low.insert(hash % kBuckets);
    high.insert(hash >> 48);
  }
  CHECK(low.size() > kBuckets / 2);
  CHECK(high.size() > kBuckets / 2);
  const FlowKey there{address("10.0.0.1"), address("225.0.0.1")};
  CHECK(std::hash<FlowKey>{}(there) == std::hash<FlowKey>{}(there));
}
