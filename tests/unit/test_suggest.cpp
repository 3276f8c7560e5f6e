// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "core/config.hpp"

using namespace mcast;

namespace {

const std::vector<std::string_view> kWords = {"phyint", "mgroup", "mroute", "from",  "source",
                                              "group",  "to",     "show",   "reload"};

std::string closest(std::string_view word) {
  return std::string(closest_match(word, kWords).value_or("-"));
}

}  // namespace

TEST_CASE("slips of the keyboard are recognised") {
  CHECK(closest("mroutes") == "mroute");
  CHECK(closest("mrote") == "mroute");
  CHECK(closest("form") == "from");
  CHECK(closest("gruop") == "group");
  CHECK(closest("soruce") == "source");
  CHECK(closest("ot") == "to");
  CHECK(closest("FROM") == "from");
  CHECK(closest("pyhint") == "phyint");
  CHECK(closest("relaod") == "reload");
}

TEST_CASE("the nearest candidate wins") {
  CHECK(closest("mgroup") == "mgroup");
  CHECK(closest("ngroup") == "mgroup");
  CHECK(closest("groups") == "group");
}

TEST_CASE("words that resemble nothing get no suggestion") {
  CHECK(closest("") == "-");
  CHECK(closest("lo") == "-");
  CHECK(closest("t") == "-");
  CHECK(closest("eth0") == "-");
  CHECK(closest("interface") == "-");
  CHECK(closest(std::string(100000, 'm')) == "-");
  CHECK_FALSE(closest_match("from", {}));
}
