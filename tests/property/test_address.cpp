// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "core/address.hpp"
#include "core/config.hpp"

using namespace mcast;

namespace {

/// Addresses with runs of zeros, which is where IPv6 text is difficult; never IPv4-mapped.
rc::Gen<Address> v6_addresses() {
  const auto byte = rc::gen::weightedOneOf<std::uint8_t>(
      {{3, rc::gen::just<std::uint8_t>(0)}, {2, rc::gen::arbitrary<std::uint8_t>()}});
  return rc::gen::suchThat(
      rc::gen::map(rc::gen::container<std::array<std::uint8_t, 16>>(byte),
                   [](const auto& octets) { return Address::from_v6(octets); }),
      [](const Address& address) { return address.family() == Family::ipv6; });
}

rc::Gen<Address> v4_addresses() {
  return rc::gen::map(
      rc::gen::container<std::array<std::uint8_t, 4>>(rc::gen::arbitrary<std::uint8_t>()),
      [](const auto& octets) { return Address::from_v4(octets); });
}

rc::Gen<Address> addresses() {
  return rc::gen::oneOf(v4_addresses(), v6_addresses());
}

rc::Gen<Prefix> prefixes() {
  return rc::gen::map(rc::gen::pair(addresses(), rc::gen::inRange(0U, 129U)), [](const auto& pair) {
    return Prefix(pair.first, std::min(pair.second, pair.first.bits()));
  });
}

}  // namespace

TEST_CASE("an address survives being written and read") {
  CHECK(rc::check([] {
    const Address address = *addresses();
    RC_ASSERT(Address::parse(address.to_string()).value() == address);
  }));
}

TEST_CASE("an address is written as others read it") {
  CHECK(rc::check([] {
    const Address address = *addresses();
    std::array<std::uint8_t, 16> octets{};
    const int family = address.family() == Family::ipv4 ? AF_INET : AF_INET6;
    RC_ASSERT(inet_pton(family, address.to_string().c_str(), octets.data()) == 1);
    RC_ASSERT(
        std::ranges::equal(address.octets(), std::span(octets).first(address.octets().size())));
  }));
}

TEST_CASE("IPv6 text is the shortest there is") {
  CHECK(rc::check([] {
    const Address address = *v6_addresses();
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, address.octets().data(), text.data(), text.size());
    const std::string theirs = text.data();
    // inet_ntop(3) writes ::/96 with a dotted quad, RFC 5952 does not.
    RC_PRE(theirs.find('.') == std::string::npos);
    RC_ASSERT(address.to_string() == theirs);
  }));
}

TEST_CASE("a prefix survives being written and read") {
  CHECK(rc::check([] {
    const Prefix prefix = *prefixes();
    RC_ASSERT(Prefix::parse(prefix.to_string()).value() == prefix);
  }));
}

TEST_CASE("a prefix contains exactly what shares its bits") {
  CHECK(rc::check([] {
    const Prefix prefix = *prefixes();
    const Address address = *addresses();
    const bool same = address.family() == prefix.family() &&
                      Prefix(address, prefix.length()).address() == prefix.address();
    RC_ASSERT(prefix.contains(address) == same);
    RC_ASSERT(prefix.contains(prefix.address()));
    RC_ASSERT(prefix.contains(Prefix(prefix.address())));
  }));
}

TEST_CASE("the addresses of a prefix are within it, ascending") {
  CHECK(rc::check([] {
    const Prefix prefix = *prefixes();
    const std::uint64_t n = *rc::gen::inRange<std::uint64_t>(0, prefix.size());
    RC_ASSERT(prefix.contains(prefix.at(n)));
    RC_ASSERT(n == 0 || prefix.at(n - 1) < prefix.at(n));
    RC_ASSERT(prefix.at(0) == prefix.address());
  }));
}

TEST_CASE("arbitrary text never gets past a parser unnoticed") {
  CHECK(rc::check([] {
    const std::string text = *rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("0123456789abcdef:.:./%+ ")));
    if (const auto prefix = Prefix::parse(text)) {
      RC_ASSERT(Prefix::parse(prefix->to_string()).value() == *prefix);
    }
    if (const auto pattern = InterfacePattern::parse(text)) {
      RC_ASSERT(pattern->stem().size() <= kMaxInterfaceName);
      RC_ASSERT(InterfacePattern::parse(pattern->to_string()).value() == *pattern);
    }
  }));
}
