// SPDX-License-Identifier: BSD-2-Clause
#include "core/config_words.hpp"

#include <doctest/doctest.h>

#include "core/config.hpp"

using namespace mcast;

namespace {

using Words = std::vector<std::string>;

const std::vector<TableRule> kTables{
    {.id = TableId(7), .name = {}, .iifs = {}, .where = {}},
    {.id = TableId(10), .name = "blue", .iifs = {}, .where = {}},
};

std::string to_text(const Domain& domain) {
  if (domain.kind == Domain::Kind::vrf) return "vrf " + domain.vrf + ' ';
  if (domain.kind == Domain::Kind::automatic) return {};
  return "table " + std::to_string(domain.table.value) + ' ';
}

std::string route(const Words& words) {
  const auto parsed = parse_route_words(words, kTables);
  if (!parsed) return parsed.error().message;
  std::string out = to_text(parsed->path.domain) + parsed->path.iif.to_string() + ' ' +
                    parsed->source.to_string() + ' ' + parsed->group.to_string();
  for (const auto& oif : parsed->path.oifs) out += ' ' + oif.to_string();
  return out;
}

std::string join(const Words& words) {
  const auto parsed = parse_join_words(words, kTables);
  if (!parsed) return parsed.error().message;
  return to_text(parsed->domain) + parsed->iif.to_string() + ' ' +
         (parsed->source ? parsed->source->to_string() : "*") + ' ' + parsed->group.to_string();
}

}  // namespace

TEST_CASE("the second word is a source if an address follows it") {
  CHECK(route({"eth0", "10.0.0.9", "225.1.2.3", "eth1", "eth2"}) ==
        "eth0 10.0.0.9 225.1.2.3 eth1 eth2");
  CHECK(route({"eth0", "225.1.2.3", "eth1"}) == "eth0 0.0.0.0/0 225.1.2.3 eth1");
  CHECK(route({"eth0", "225.1.2.3"}) == "eth0 0.0.0.0/0 225.1.2.3");
  CHECK(route({"eth0", "0.0.0.0", "225.1.2.0/24", "lan+"}) == "eth0 0.0.0.0/0 225.1.2.0/24 lan+");
  CHECK(route({"eth0", "::", "ff2e::42"}) == "eth0 ::/0 ff2e::42");
  CHECK(route({"eth0", "ff2e::42", "eth0.100"}) == "eth0 ::/0 ff2e::42 eth0.100");
  CHECK(join({"eth0", "225.1.2.3"}) == "eth0 * 225.1.2.3");
  CHECK(join({"eth0", "10.0.0.9", "232.1.2.3/30"}) == "eth0 10.0.0.9 232.1.2.0/30");
  CHECK(join({"eth0", "0.0.0.0", "225.1.2.3"}) == "eth0 * 225.1.2.3");
}

TEST_CASE("outbound interfaces named twice count once") {
  CHECK(route({"eth0", "225.1.2.3", "eth1", "eth2", "eth1"}) ==
        "eth0 0.0.0.0/0 225.1.2.3 eth1 eth2");
}

TEST_CASE("commands are checked like lines of a file") {
  CHECK(route({}) == "the inbound interface and the group are missing");
  CHECK(route({"eth0"}) == "the group is missing");
  CHECK(route({"eth0", "eth1"}) == "\"eth1\": not an IPv4 or IPv6 address");
  CHECK(route({"eth0", "10.0.0.9", "eth1"}) ==
        "\"10.0.0.9\": not a multicast group; groups are 224.0.0.0 to 239.255.255.255");
  CHECK(route({"eth0", "225.1.2.3", "10.0.0.9"}) ==
        "\"10.0.0.9\": not a multicast group; are source and group swapped?");
  CHECK(route({"eth0", "10.0.0.9", "225.1.2.300", "eth1"}) ==
        "\"225.1.2.300\": each part of an IPv4 address is at most 255");
  CHECK(route({"10.0.0.9", "225.1.2.3", "eth1"}) ==
        "\"10.0.0.9\": an address stands where an interface name belongs");
  CHECK(route({"eth0", "10.0.0.9", "ff2e::1"}) ==
        "\"10.0.0.9\": an IPv4 source cannot send to the IPv6 group ff2e::1");
  CHECK(route({"eth0", "225.1.2.3", "much-too-long-name"}) ==
        "\"much-too-long-name\": an interface name has at most 15 characters, this one has 18");
  CHECK(join({"eth0", "225.1.2.3", "eth1"}) ==
        "\"eth1\": a group is joined on one interface; nothing follows the group");
}

TEST_CASE("errors of words tell usage from bad values") {
  CHECK(parse_route_words({}).error().code == ErrorCode::usage);
  CHECK(parse_join_words({"eth0", "225.1.2.3", "eth1"}).error().code == ErrorCode::usage);
  CHECK(parse_route_words({"eth0", "10.0.0.9"}).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("a word can look like an address without being one") {
  for (const char* word :
       {"225.1.2.3", "225.1.2.300", "225.1.2", "225.1.2.0/24", "::", "fe80::1%eth0"}) {
    CHECK(looks_like_address(word));
  }
  for (const char* word : {"", "eth0", "eth0.100", "eth0:1", "1", "1.2", "wg-10.0.0.1"}) {
    CHECK_FALSE(looks_like_address(word));
  }
}

TEST_CASE("a command that does less than it says is accepted with a warning") {
  const auto warnings = [](const Words& words) {
    return warnings_about(parse_route_words(words).value());
  };
  CHECK(warnings({"eth0", "224.0.0.5", "eth1"}) ==
        Words{"\"224.0.0.5\": no kernel forwards groups of this scope"});
  CHECK(warnings({"eth0", "ff02::/16", "eth1"}).size() == 1);
  CHECK(warnings({"eth0", "225.1.2.3", "eth0", "eth1"}) ==
        Words{"\"eth0\": inbound and outbound, traffic is sent back where it came from"});
  CHECK(warnings({"eth0", "224.0.0.0/8", "eth1"}).empty());
  CHECK(warnings({"eth+", "ff05::1", "eth+"}).empty());
}

TEST_CASE("a table or VRF comes first") {
  CHECK(route({"table", "5", "eth0", "10.0.0.9", "225.1.2.3", "eth1"}) ==
        "table 5 eth0 10.0.0.9 225.1.2.3 eth1");
  CHECK(route({"vrf", "red", "eth0", "225.1.2.3"}) == "vrf red eth0 0.0.0.0/0 225.1.2.3");
  CHECK(route({"table", "blue", "eth0", "225.1.2.3"}) == "table 10 eth0 0.0.0.0/0 225.1.2.3");
  CHECK(join({"table", "999999999", "eth0", "225.1.2.3"}) == "table 999999999 eth0 * 225.1.2.3");
  CHECK(join({"vrf", "red", "eth0", "10.0.0.9", "225.1.2.3"}) == "vrf red eth0 10.0.0.9 225.1.2.3");
}

TEST_CASE("interfaces may be called like the words for tables") {
  CHECK(route({"table", "225.1.2.3", "vrf", "table"}) == "table 0.0.0.0/0 225.1.2.3 vrf table");
  CHECK(route({"vrf", "10.0.0.9", "225.1.2.3"}) == "vrf 10.0.0.9 225.1.2.3");
  CHECK(route({"vrf", "vrf", "vrf", "225.1.2.3"}) == "vrf vrf vrf 0.0.0.0/0 225.1.2.3");
  CHECK(join({"table", "ff2e::42"}) == "table * ff2e::42");
}

TEST_CASE("a table or VRF that a command cannot mean is refused") {
  CHECK(route({"table"}) == "the group is missing");
  CHECK(route({"table", "5"}) == "the inbound interface and the group are missing");
  CHECK(route({"table", "5", "eth0"}) == "the group is missing");
  CHECK(route({"table", "bleu", "eth0", "225.1.2.3"}) ==
        "\"bleu\": no table is declared by this name; did you mean \"blue\"?");
  CHECK(route({"table", "", "eth0", "225.1.2.3"}) ==
        "\"\": no table is declared by this name; write its number, or a line \"table NUMBER name "
        "NAME\"");
  CHECK(join({"table", "0", "eth0", "225.1.2.3"}) ==
        "\"0\": the number of an IPv4 table is from 1 to 999999999");
  CHECK(join({"table", "100000000", "eth0", "ff2e::42"}) ==
        "\"100000000\": the number of an IPv6 table is from 1 to 99999999 (IPv4: 999999999)");
  CHECK(join({"vrf", "red+", "eth0", "ff2e::42"}) ==
        "\"red+\": a line is about one VRF; write its name in full");
  CHECK(route({"table", "5", "vrf", "red", "eth0", "225.1.2.3"}) ==
        "table and vrf on one line: a VRF's table is its own; keep one of them");
  CHECK(route({"vrf", "red", "vrf", "blue", "eth0", "225.1.2.3"}) == "\"vrf\" is given twice");
  CHECK(join({"vrf", "red", "eth0", "225.1.2.3", "eth1"}) ==
        "\"eth1\": a group is joined on one interface; nothing follows the group");
}
