// SPDX-License-Identifier: BSD-2-Clause
#include "core/exceptions.hpp"

#include <doctest/doctest.h>

#include <array>
#include <utility>

using namespace mcast;

namespace {

Prefix prefix(const char* text) {
  return Prefix::parse(text).value();
}

std::vector<Prefix> prefixes(const std::vector<const char*>& texts) {
  std::vector<Prefix> list;
  for (const char* text : texts) list.push_back(prefix(text));
  return list;
}

std::vector<std::string> outside(const ScopeRange& range, const char* group) {
  std::vector<std::string> list;
  for (const Prefix& p : groups_outside(range, prefix(group))) list.push_back(p.to_string());
  return list;
}

}  // namespace

TEST_CASE("scopes are known by name and by number") {
  const std::pair<const char*, unsigned> kNames[] = {
      {"interface", 1},    {"link", 2},    {"realm", 3}, {"admin", 4}, {"site", 5},
      {"organization", 8}, {"global", 14}, {"1", 1},     {"14", 14}};
  for (const auto& [name, number] : kNames) {
    CAPTURE(name);
    const auto range = parse_scope("=", name);
    REQUIRE(range);
    CHECK(range->first == number);
    CHECK(range->last == number);
  }
  CHECK(parse_scope(">=", "site")->first == 5);
  CHECK(parse_scope(">=", "site")->last == 15);
  CHECK(parse_scope("<=", "site")->first == 0);
  CHECK(parse_scope("<=", "site")->last == 5);
  for (const char* bad : {"", "0", "15", "-1", "5x", "sites and more", "0x5", "99999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_scope("=", bad));
  }
  for (const char* bad : {"", ">", "<", "==", "=>", "!="}) CHECK_FALSE(parse_scope(bad, "site"));
}

TEST_CASE("what a scope leaves out of a prefix is exactly the groups of other scopes") {
  // Every pair of flags and scope, against every range and prefix that leaves some of them open.
  for (unsigned first = 0; first < 16; ++first) {
    for (unsigned last = first; last < 16; ++last) {
      for (const char* group : {"ff00::/8", "ff10::/9", "ff30::/12", "ff38::/13", "ff04::/14",
                                "ff0e::/15", "ff05::/16", "ff3e::/32", "ff05::1"}) {
        const ScopeRange range{static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(last)};
        const Prefix whole = prefix(group);
        const auto found = groups_outside(range, whole);
        for (unsigned byte = 0; byte < 256; ++byte) {
          std::array<std::uint8_t, 16> bytes{0xff, static_cast<std::uint8_t>(byte)};
          // Within the prefix beyond its first two bytes.
          for (std::size_t i = 2; i < 16; ++i) bytes[i] = whole.address().octets()[i];
          const Address address = Address::from_v6(bytes);
          if (!whole.contains(address)) continue;
          std::size_t hits = 0;
          for (const Prefix& p : found) hits += p.contains(address) ? 1U : 0U;
          REQUIRE(hits == (range.contains(byte & 15U) ? 0U : 1U));
        }
      }
    }
  }
}

TEST_CASE("few prefixes stand for the groups of other scopes") {
  CHECK(outside({5, 15}, "ff30::/12") == std::vector<std::string>{"ff30::/14", "ff34::/16"});
  CHECK(outside({4, 15}, "ff00::/8").size() == 16);
  CHECK(outside({5, 5}, "ff00::/8").size() == 16 * 4);
  CHECK(outside({5, 15}, "ff05::/16").empty());
  CHECK(outside({6, 15}, "ff05:1::/32") == std::vector<std::string>{"ff05:1::/32"});
}

TEST_CASE("prefixes cover another one if together they leave nothing of it") {
  const Prefix any = Prefix::any(Family::ipv4);
  CHECK(cover(any, prefixes({"0.0.0.0/1", "128.0.0.0/1"})));
  CHECK(cover(any, prefixes({"128.0.0.0/2", "192.0.0.0/2", "10.0.0.0/8", "0.0.0.0/1"})));
  CHECK_FALSE(cover(any, prefixes({"128.0.0.0/2", "0.0.0.0/1"})));
  CHECK_FALSE(cover(any, {}));
  CHECK(cover(prefix("10.0.0.0/30"), prefixes({"10.0.0.3", "10.0.0.1", "10.0.0.0", "10.0.0.2"})));
  CHECK_FALSE(cover(prefix("10.0.0.0/30"), prefixes({"10.0.0.1", "10.0.0.2", "10.0.0.1"})));
  CHECK(cover(prefix("2001:db8::/32"), prefixes({"2001:db8::/33", "2001:db8:8000::/33"})));
  CHECK_FALSE(cover(prefix("2001:db8::/32"), prefixes({"2001:db8::/33", "2001:db9::/33"})));
  CHECK(cover(prefix("10.0.0.1"), prefixes({"10.0.0.1"})));
}
