// SPDX-License-Identifier: BSD-2-Clause
//
// What is said about mistakes, word for word: the messages are for people.
#include <doctest/doctest.h>

#include <utility>

#include "core/config.hpp"
#include "tests/unit/memory_files.hpp"

using namespace mcast;
using mcast::testing::lines_of;
using mcast::testing::parse_text;

namespace {

using Lines = std::vector<std::string>;

Lines say(const std::string& text) {
  return lines_of(parse_text(text));
}

/// Each text gets exactly one error, which is this.
void check_each(const std::vector<std::pair<const char*, const char*>>& cases) {
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const auto parsed = parse_text(text);
    CHECK_FALSE(parsed.valid());
    CHECK(lines_of(parsed) == Lines{std::string("f:1:") + expected});
  }
}

}  // namespace

TEST_CASE("a misspelt keyword gets a suggestion") {
  check_each({
      {"mroutes from eth0 group 225.1.2.3",
       R"(1: "mroutes": no such keyword; did you mean "mroute"?)"},
      {"Mgroup from eth0 group 225.1.2.3",
       R"(1: "Mgroup": no such keyword; did you mean "mgroup"?)"},
      {"mroute form eth0 group 225.1.2.3", R"(8: "form": no such keyword; did you mean "from"?)"},
      {"mroute from eth0 gruop 225.1.2.3",
       R"(18: "gruop": no such keyword; did you mean "group"?)"},
      {"mroute from eth0 soruce 10.0.0.1 group 225.1.2.3",
       R"(18: "soruce": no such keyword; did you mean "source"?)"},
      {"mroute from eth0 group 225.1.2.3 ot eth1",
       R"(34: "ot": no such keyword; did you mean "to"?)"},
      {"phyint eth0 enabel", R"(13: "enabel": no such keyword; did you mean "enable"?)"},
      {"phyint eth0 ttl-treshold 3",
       R"(13: "ttl-treshold": no such keyword; did you mean "ttl-threshold"?)"},
  });
}

TEST_CASE("a word that resembles nothing is told what can stand there") {
  check_each({
      {"interface eth0",
       R"(1: "interface": no such keyword; a line begins with phyint, mgroup, mroute, any-source, table, tables or include)"},
      {"mroute from eth0 eth1 group 225.1.2.3",
       R"(18: "eth1": unexpected; source, except, group, scope, table, vrf or to can stand here)"},
      {"phyint eth0 eth1",
       R"(13: "eth1": no such keyword; enable, disable, mrdisc, ttl-threshold, table or vrf can stand here)"},
  });
}

TEST_CASE("a forgotten keyword is named") {
  check_each({
      {"mroute eth0 group 225.1.2.3 to eth1",
       R"(8: "eth0": unexpected; write "from" before the inbound interface)"},
      {"mroute from eth0 225.1.2.3 to eth1",
       R"(18: "225.1.2.3": unexpected; write "group" before it)"},
      {"mroute from eth0 10.0.0.1 group 225.1.2.3 to eth1",
       R"(18: "10.0.0.1": unexpected; write "source" before it)"},
      {"mroute from eth0 group 225.1.2.3 eth1 eth2",
       R"(34: "eth1": unexpected; write "to" before the outbound interfaces)"},
      {"mroute from eth0 group 225.1.2.3 lo",
       R"(34: "lo": unexpected; write "to" before the outbound interfaces)"},
      {"mroute from eth0 to eth1", R"(1: mroute needs a group: write "group" and its address)"},
      {"mgroup group 225.1.2.3",
       R"(1: mgroup needs an inbound interface: write "from" and its name)"},
      {"mroute from eth0 to eth1 group 225.1.2.3",
       R"(26: "group" comes too late: "to" takes the rest of the line as interfaces; move it before "to")"},
      {"mroute group 225.1.2.3 to eth1 from eth0",
       R"(32: "from" comes too late: "to" takes the rest of the line as interfaces; move it before "to")"},
  });
}

TEST_CASE("a forgotten value is named") {
  check_each({
      {"mroute from", R"(8: "from" needs an interface name after it)"},
      {"mroute from group 225.1.2.3",
       R"(13: "from" needs an interface name after it, not "group")"},
      {"mroute from eth0 source group 225.1.2.3",
       R"(25: "source" needs an address after it, not "group")"},
      {"mroute from eth0 group", R"(18: "group" needs an address after it)"},
      {"mgroup from eth0 group 225.1.2.3 group 225.1.2.4",
       R"(34: "group" is given twice in one line)"},
      {"phyint", "1: phyint needs an interface name after it"},
      {"phyint enable", "1: phyint needs an interface name after it"},
      {"phyint eth0 ttl-threshold", R"(13: "ttl-threshold" needs a number from 1 to 255 after it)"},
      {"include", "1: include needs a file name or pattern after it"},
  });
}

TEST_CASE("a bad address is refused with the reason") {
  check_each({
      {"mroute from eth0 group 225.1.2.300",
       R"(24: "225.1.2.300": each part of an IPv4 address is at most 255)"},
      {"mroute from eth0 source 010.0.0.1 group 225.1.2.3",
       R"(25: "010.0.0.1": a leading zero is ambiguous (octal or decimal?); remove it)"},
      {"mroute from eth0 source eth1 group 225.1.2.3",
       R"(25: "eth1": not an IPv4 or IPv6 address)"},
      {"mroute from eth0 fe80::1%eth0 group ff2e::1",
       R"(18: "fe80::1%eth0": a zone (%INTERFACE) has no place here; name the interface by its own keyword)"},
      {"mroute from eth0 group 225.1.2.0/33",
       R"(24: "225.1.2.0/33": the prefix length of an IPv4 address is a number from 0 to 32)"},
  });
}

TEST_CASE("a group has to be multicast and a source must not be") {
  check_each({
      {"mroute from eth0 group 10.0.0.1",
       R"(24: "10.0.0.1": not a multicast group; groups are 224.0.0.0 to 239.255.255.255)"},
      {"mroute from eth0 group 2001:db8::1",
       R"(24: "2001:db8::1": not a multicast group; groups begin with ff)"},
      {"mroute from eth0 source 225.1.2.3 group 10.0.0.1",
       R"(41: "10.0.0.1": not a multicast group; are source and group swapped?)"},
      {"mroute from eth0 group 225.1.2.0/3",
       R"(24: "225.1.2.0/3": covers more than multicast; the shortest length is /4)"},
      {"mgroup from eth0 group ff2e::/7",
       R"(24: "ff2e::/7": covers more than multicast; the shortest length is /8)"},
      {"mroute from eth0 source 225.1.2.3 group 225.1.2.4",
       R"(25: "225.1.2.3": a multicast address cannot be a source)"},
      {"mroute from eth0 source 10.0.0.1 group ff2e::1",
       R"(25: "10.0.0.1": an IPv4 source cannot send to the IPv6 group ff2e::1)"},
      {"mroute from eth0 source :: group 225.1.2.3",
       R"(25: "::": an IPv6 source cannot send to the IPv4 group 225.1.2.3)"},
  });
}

TEST_CASE("a name that cannot be an interface is refused") {
  check_each({
      {"mroute from abcdefghijklmnop group 225.1.2.3",
       R"(13: "abcdefghijklmnop": an interface name has at most 15 characters, this one has 16)"},
      {"mroute from eth0 group 225.1.2.3 to eth1 10.0.0.1",
       R"(42: "10.0.0.1": an address stands where an interface name belongs)"},
      {"mroute from eth0 group 225.1.2.3 to eth1 \\ eth2",
       R"(42: "\": joins two lines only as the last character of the first)"},
      {"mgroup from eth0 group 225.1.2.3 to eth1",
       R"(34: "to": mgroup only joins, it has no outbound interfaces; use mroute to forward)"},
      {"phyint eth/0",
       R"(8: "eth/0": an interface name has no "/", ":", white space or control characters)"},
  });
}

TEST_CASE("a TTL threshold is within 1 and 255") {
  for (const char* number : {"0", "256", "-1", "+1", "1x", "99999999999"}) {
    CHECK(say(std::string("phyint eth0 ttl-threshold ") + number) ==
          Lines{std::string("f:1:27: \"") + number +
                "\": a TTL threshold is a number from 1 to 255"});
  }
}

TEST_CASE("phyint lines that contradict each other are an error naming both") {
  CHECK(say("phyint eth0 disable\n\nphyint eth0 enable\n") ==
        Lines{R"(f:3: "eth0": enabled here, but disabled at f:1; keep one of them)"});
  CHECK(say("phyint eth0 ttl-threshold 3\nphyint eth0 enable ttl-threshold 4\n") ==
        Lines{R"(f:2: "eth0": ttl-threshold 4 here, but 3 at f:1; keep one of them)"});
  CHECK(say("phyint eth0 enable disable") ==
        Lines{"f:1:20: enable and disable contradict each other; keep one of them"});
  CHECK(say("phyint eth0 ttl-threshold 3\nphyint eth0 mrdisc\nphyint eth+ disable\n").empty());
}

TEST_CASE("several mistakes are reported in one run") {
  CHECK(
      say("mroute from eth0 source 10.0.0.256 group 225.1.2.300 to a/b\nbogus\nmgroup\n").size() ==
      6);
}

TEST_CASE("a run of mistakes is cut off") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "bogus\n";
  const auto parsed = parse_text(text);
  CHECK_FALSE(parsed.valid());
  REQUIRE(parsed.diagnostics.size() == kMaxDiagnostics + 1);
  CHECK(parsed.diagnostics.back().to_string() == "too many errors: stopped after 50");
}

TEST_CASE("bytes that a terminal must not see are escaped") {
  CHECK(
      say("\x1b[2J") ==
      Lines{
          R"(f:1:1: "\x1b[2J": no such keyword; a line begins with phyint, mgroup, mroute, any-source, table, tables or include)"});
  const auto lines = say(std::string(100000, 'x'));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() < 400);
}

TEST_CASE("lines that repeat another are a warning naming both") {
  const Lines twice = {"f:3: warning: the same as f:1; one of the lines can go"};
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1\n\n"
            "mroute from eth0 source 0.0.0.0 group 225.1.2.3 to eth1\n") == twice);
  CHECK(say("mgroup from eth0 group 225.1.2.3\n\nssmgroup from eth0 group 225.1.2.3\n") == twice);
  CHECK(say("phyint eth0 enable\n\nphyint eth0 enable\n") == twice);
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1\n"
            "mroute from eth0 group 225.1.2.3 to eth2\n"
            "mroute from eth0 group 225.1.2.3/31 to eth1\n"
            "mroute from eth1 group 225.1.2.3 to eth2\n")
            .empty());
}

TEST_CASE("a stop filter beside a route for the same traffic is a warning") {
  const auto expect = [](const char* at, const char* other) {
    return Lines{std::string("f:") + at +
                 ": warning: blocks and forwards the same traffic together with f:" + other +
                 "; it is forwarded"};
  };
  CHECK(say("mroute from eth0 group 225.1.2.3\nmroute from eth0 group 225.1.2.3 to eth1\n") ==
        expect("2", "1"));
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1\nmroute from eth0 group 225.1.2.3 to\n") ==
        expect("2", "1"));
  CHECK(say("mroute from eth0 group 225.1.2.3\nmroute from eth1 group 225.1.2.3 to eth2\n"
            "mroute from eth0 source 10.0.0.1 group 225.1.2.3 to eth2\n")
            .empty());
}

TEST_CASE("what works but is seldom meant is a warning") {
  CHECK(
      say("mroute from eth0 group 225.1.2.3 to eth0 eth1") ==
      Lines{
          R"(f:1:37: warning: "eth0": inbound and outbound, traffic is sent back where it came from)"});
  CHECK(say("mroute from eth+ group 225.1.2.3 to eth+").empty());
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1 eth1") ==
        Lines{R"(f:1:42: warning: "eth1": named twice as outbound interface)"});
  for (const char* group : {"224.0.0.5", "224.0.0.0/25", "ff02::1", "ff01::/16"}) {
    CHECK(say(std::string("mroute from eth0 group ") + group + " to eth1") ==
          Lines{std::string("f:1:24: warning: \"") + group +
                "\": no kernel forwards groups of this scope"});
  }
  CHECK(say("mroute from eth0 group 224.0.0.0/8 to eth1").empty());
  CHECK(say("mgroup from eth0 group 224.0.0.5").empty());
}

TEST_CASE("each line gets its own warnings though lines share a path") {
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth0\nmroute from eth0 group 225.1.2.4 to eth0\n")
            .size() == 2);
}

TEST_CASE("warnings leave a configuration valid and are cut off") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "mroute from eth0 group 225.1.2.3 to eth1\n";
  const auto parsed = parse_text(text);
  CHECK(parsed.valid());
  REQUIRE(parsed.diagnostics.size() == kMaxDiagnostics + 1);
  CHECK(parsed.diagnostics.back().to_string() == "warning: 949 more warnings are not shown");
}

TEST_CASE("no input makes the time grow faster than its length") {
  // The steps of a quadratic parser would take minutes here.
  std::string oifs = "mroute from eth0 group 225.1.2.3 to";
  std::string lines;
  std::string phyints;
  for (int i = 0; i < 100000; ++i) {
    oifs += " e" + std::to_string(i);
    lines += "mroute from eth0 group 225.1.2.3 to e" + std::to_string(i) + "\n";
    phyints += "phyint e" + std::to_string(i) + "\n";
  }
  CHECK(parse_text(oifs).valid());
  CHECK(parse_text(lines).valid());
  CHECK(parse_text(phyints).valid());
  CHECK(parse_text(std::string(1000000, '\\')).diagnostics.size() == 1);
  CHECK_FALSE(parse_text(std::string(1000000, 'x')).valid());
}
