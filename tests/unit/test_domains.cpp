// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "cli/domains.hpp"

using namespace mcast;
using namespace mcast::cli;

namespace {

using Kind = ipc::DomainWords::Kind;

const KnownDomains kKnown{
    .tables = {TableId(254), TableId(253), TableId(100), TableId(10), TableId(253)},
    .declared = {{"video", TableId(100)}, {"", TableId(101)}},
    .vrfs = {{"red", TableId(10)}, {"blue", TableId(20)}}};

std::string refusal(Kind kind, std::string name, const KnownDomains& known = kKnown) {
  const auto table = find_table({kind, std::move(name)}, known);
  REQUIRE_FALSE(table);
  CHECK(table.error().code == ErrorCode::not_found);
  return table.error().message;
}

}  // namespace

TEST_CASE("a table is found by number and by name, a VRF by name") {
  CHECK(find_table({Kind::table, "253"}, kKnown) == TableId(253));
  CHECK(find_table({Kind::table, "100"}, kKnown) == TableId(100));
  CHECK(find_table({Kind::table, "101"}, kKnown) == TableId(101));
  CHECK(find_table({Kind::table, "20"}, kKnown) == TableId(20));
  CHECK(find_table({Kind::table, "video"}, kKnown) == TableId(100));
  CHECK(find_table({Kind::vrf, "blue"}, kKnown) == TableId(20));
}

TEST_CASE("what does not exist is refused by what does") {
  CHECK(refusal(Kind::table, "99") ==
        "table \"99\": no such routing table is in use; there are 10 (vrf red), "
        "20 (vrf blue), 100 (video), 101, 253, 254");
  CHECK(refusal(Kind::table, "vidoe") ==
        "table \"vidoe\": no such routing table is in use; did you mean \"video\"?");
  CHECK(refusal(Kind::table, "red") ==
        "table \"red\": no routing table, but a VRF has this name; say \"vrf red\"");
  CHECK(refusal(Kind::vrf, "video") ==
        "vrf \"video\": no VRF, but a routing table has this name; say \"table video\"");
  CHECK(refusal(Kind::vrf, "bleu") == "vrf \"bleu\": no such VRF; did you mean \"blue\"?");
  CHECK(refusal(Kind::vrf, "purple") == "vrf \"purple\": no such VRF; there are red, blue");
  CHECK(refusal(Kind::vrf, "red", {}) == "vrf \"red\": no such VRF; this host has none");
  CHECK(refusal(Kind::table, "", {}) ==
        "table \"\": no such routing table is in use; there is none");
  // The name of what has none.
  refusal(Kind::table, "");
  // More than a number holds, and what only begins as one.
  refusal(Kind::table, "4294967549");
  refusal(Kind::table, "100x");
}

TEST_CASE("a host with many tables is described in one line of bounded length") {
  KnownDomains many;
  for (std::uint32_t id = 100; id < 300; ++id) many.tables.emplace_back(id);
  const auto message = refusal(Kind::table, "9", many);
  CHECK(message.ends_with("110, 111 and 188 more"));
}
