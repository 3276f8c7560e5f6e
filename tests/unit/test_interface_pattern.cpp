// SPDX-License-Identifier: BSD-2-Clause
#include "core/interface_pattern.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace mcast;

namespace {

InterfacePattern pattern(const char* text) {
  return InterfacePattern::parse(text).value();
}

}  // namespace

TEST_CASE("a plain name matches itself only") {
  CHECK(pattern("eth1").matches("eth1"));
  CHECK_FALSE(pattern("eth1").matches("eth10"));
  CHECK_FALSE(pattern("eth1").matches("eth"));
  CHECK_FALSE(pattern("eth1").is_wildcard());
}

TEST_CASE("a name that ends in a plus matches every name that begins so") {
  CHECK(pattern("eth+").matches("eth0"));
  CHECK(pattern("eth+").matches("eth15"));
  CHECK(pattern("eth+").matches("eth"));
  CHECK_FALSE(pattern("eth+").matches("veth0"));
  CHECK(pattern("+").matches("wg0"));
  CHECK(pattern("eth+").is_wildcard());
  CHECK(pattern("eth+").stem() == "eth");
  CHECK(pattern("eth+").to_string() == "eth+");
  CHECK(pattern("eth+") != pattern("eth"));
}

TEST_CASE("a plus elsewhere is part of the name") {
  CHECK_FALSE(pattern("a+b").is_wildcard());
  CHECK(pattern("a+b").matches("a+b"));
  CHECK(pattern("a++").stem() == "a+");
}

TEST_CASE("an alias name means its base interface") {
  CHECK(pattern("eth0:1") == pattern("eth0"));
  CHECK(pattern("eth0:lan-service-one").to_string() == "eth0");
  CHECK_FALSE(InterfacePattern::parse(":1"));
  CHECK_FALSE(InterfacePattern::parse("eth0:1+"));
  CHECK_FALSE(InterfacePattern::parse("eth+:1"));
}

TEST_CASE("names that no kernel takes are refused") {
  for (const char* text : {"", "a/b", "a b", "a\tb", "\x01", ".", "..", "abcdefghijklmnop"}) {
    CAPTURE(text);
    CHECK_FALSE(InterfacePattern::parse(text));
  }
  CHECK(InterfacePattern::parse("abcdefghijklmno"));
  CHECK(InterfacePattern::parse("abcdefghijklmno+"));
  CHECK_FALSE(InterfacePattern::parse("abcdefghijklmnop+"));
  CHECK_FALSE(InterfacePattern::parse(std::string_view("a\0b", 3)));
  CHECK(InterfacePattern::parse("abcdefghijklmnopq").error().message ==
        "an interface name has at most 15 characters, this one has 17");
}

TEST_CASE("an exact name is taken as it is") {
  CHECK(InterfacePattern::exact("eth+").matches("eth+"));
  CHECK_FALSE(InterfacePattern::exact("eth+").matches("eth0"));
}
