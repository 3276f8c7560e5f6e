// SPDX-License-Identifier: BSD-2-Clause
//
// `except`, `scope`, `join` and `native` of mroute lines, and `any-source`.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <utility>

#include "core/config.hpp"
#include "tests/unit/memory_files.hpp"

using namespace mcast;
using mcast::testing::lines_of;
using mcast::testing::parse_text;

namespace {

using Lines = std::vector<std::string>;

/// Every route of a valid text, as "IIF SOURCE GROUP OIF...", "!" before an exception and "*"
/// before a native one.
Lines routes(const std::string& text) {
  const auto parsed = parse_text(text);
  CHECK(lines_of(parsed) == Lines{});
  Lines out;
  for (const RouteRule& rule : parsed.config.routes) {
    const Path& path = parsed.config.paths[rule.path];
    std::string line = rule.exception ? "!" : rule.native ? "*" : "";
    line += path.iif.to_string() + ' ' + rule.source.to_string() + ' ' + rule.group.to_string();
    for (const auto& oif : path.oifs) line += ' ' + oif.to_string();
    out.push_back(line);
  }
  return out;
}

Lines joins(const std::string& text) {
  Lines out;
  for (const JoinRule& rule : parse_text(text).config.joins) {
    out.push_back(rule.iif.to_string() + ' ' + (rule.source ? rule.source->to_string() : "*") +
                  ' ' + rule.group.to_string() + (rule.by_route ? " by route" : ""));
  }
  return out;
}

Lines say(const std::string& text) {
  return lines_of(parse_text(text));
}

void check_errors(const std::vector<std::pair<std::string, const char*>>& cases) {
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const auto parsed = parse_text(text);
    CHECK_FALSE(parsed.valid());
    CHECK(lines_of(parsed) == Lines{std::string("f:1:") + expected});
  }
}

void check_warnings(const std::vector<std::pair<std::string, const char*>>& cases) {
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const auto parsed = parse_text(text);
    CHECK(parsed.valid());
    CHECK(lines_of(parsed) == Lines{std::string("f:1:") + expected});
  }
}

}  // namespace

// --- except --------------------------------------------------------------------------------------

TEST_CASE("excepted sources follow their route as stop filters") {
  CHECK(routes("mroute from eth0 except 10.0.0.66 group 225.1.2.3 to eth1") ==
        Lines{"eth0 0.0.0.0/0 225.1.2.3 eth1", "!eth0 10.0.0.66 225.1.2.3"});
  CHECK(routes("mroute from eth+ source 10.0.0.0/8 except 10.1.0.0/16,10.2.0.1 group 225.1.0.0/16 "
               "to lan+") == Lines{"eth+ 10.0.0.0/8 225.1.0.0/16 lan+",
                                   "!eth+ 10.1.0.0/16 225.1.0.0/16",
                                   "!eth+ 10.2.0.1 225.1.0.0/16"});
  CHECK(routes("mroute from eth0 group ff0e::/16 except 2001:db8::66 to eth1") ==
        Lines{"eth0 ::/0 ff0e::/16 eth1", "!eth0 2001:db8::66 ff0e::/16"});
}

TEST_CASE("blanks may stand around the commas of a list") {
  const Lines expected = {"eth0 0.0.0.0/0 225.1.2.3 eth1", "!eth0 10.0.0.1 225.1.2.3",
                          "!eth0 10.0.0.2 225.1.2.3"};
  for (const char* list : {"10.0.0.1,10.0.0.2", "10.0.0.1, 10.0.0.2", "10.0.0.1 ,10.0.0.2",
                           "10.0.0.1 , 10.0.0.2", "10.0.0.1,\\\n 10.0.0.2"}) {
    CAPTURE(list);
    CHECK(routes(fmt::format("mroute from eth0 except {} group 225.1.2.3 to eth1", list)) ==
          expected);
  }
}

TEST_CASE("exceptions know the line of their route and share one path") {
  const auto parsed = parse_text("\nmroute from eth0 except 10.0.0.1,10.0.0.2 group 225.1.2.3 to "
                                 "eth1\nmroute from eth0 except 10.0.0.1 group 225.1.2.4 to eth1");
  REQUIRE(parsed.config.routes.size() == 5);
  CHECK(parsed.config.routes[2].where == Location{0, 2});
  CHECK(parsed.config.routes[4].where == Location{0, 3});
  CHECK(parsed.config.paths.size() == 2);
}

TEST_CASE("a malformed list of exceptions is told what is wrong with it") {
  const std::string head = "mroute from eth0 source 10.0.0.0/8 ";
  check_errors({
      {head + "group 225.1.2.3 except",
       R"(52: "except" needs addresses after it, parted by commas)"},
      {head + "except group 225.1.2.3", R"(43: "except" needs addresses after it, not "group")"},
      {head + "except 10.0.0.1,,10.0.0.2 group 225.1.2.3 to eth1",
       R"(52: "except": an address is missing beside a comma)"},
      {head + "except 10.0.0.1, group 225.1.2.3 to eth1",
       R"(43: "except": an address is missing beside a comma)"},
      {head + "except 10.0.0.1 10.0.0.2 group 225.1.2.3 to eth1",
       R"(52: "10.0.0.2": part the addresses after "except" by commas)"},
      {head + "except 10.0.0.1 group 225.1.2.3 except 10.0.0.2 to eth1",
       R"(68: "except" is given twice in one line; part its addresses by commas)"},
      {head + "except 10.0.0.1,10.0.0.300 group 225.1.2.3 to eth1",
       R"(52: "10.0.0.300": each part of an IPv4 address is at most 255)"},
      {head + "except 225.1.2.4 group 225.1.2.3 to eth1",
       R"(43: "225.1.2.4": a multicast address cannot be a source)"},
      {head + "except fd00::1 group 225.1.2.3 to eth1",
       R"(43: "fd00::1": an IPv6 source cannot send to the IPv4 group 225.1.2.3)"},
      {head + "group 225.1.2.3 to eth1 except 10.0.0.1",
       R"(60: "except" comes too late: "to" takes the rest of the line as interfaces; move it before "to")"},
      {"mroute from eth0 excpet 10.0.0.1 group 225.1.2.3",
       R"(18: "excpet": no such keyword; did you mean "except"?)"},
      {"mgroup from eth0 group 225.1.2.3 except 10.0.0.1",
       R"(34: "except": belongs to mroute, mgroup has no such part)"},
  });
}

TEST_CASE("exceptions have to leave out something and to leave something") {
  const std::string head = "mroute from eth0 ";
  check_errors({
      {head + "source 10.0.0.0/8 except 11.0.0.1 group 225.1.2.3 to eth1",
       R"(43: "11.0.0.1": not within the source 10.0.0.0/8 of the route, so there is nothing to except)"},
      {head + "source 10.0.0.0/8 except 0.0.0.0 group 225.1.2.3 to eth1",
       R"(36: the exceptions leave no source that the route applies to; remove the route, or remove its "to" to block the group)"},
      {head + "except 128.0.0.0/1,0.0.0.0/1 group 225.1.2.3 to eth1",
       R"(18: the exceptions leave no source that the route applies to; remove the route, or remove its "to" to block the group)"},
      {head + "source 10.0.0.1 except 10.0.0.1 group 225.1.2.3 to eth1",
       R"(34: the exceptions leave no source that the route applies to; remove the route, or remove its "to" to block the group)"},
      {head + "except 10.0.0.1 group 225.1.2.3",
       R"(18: "except": what it leaves out is blocked, and this route blocks all; write outbound interfaces after "to", or a route without "to" for each source or range to block)"},
  });
}

TEST_CASE("what is excepted twice is warned of and counts once") {
  const std::string line =
      "mroute from eth0 except 10.1.2.3,10.1.0.0/16,10.2.0.1,10.2.0.1 group 225.1.2.3 to eth1";
  CHECK(say(line) == Lines{R"(f:1:25: warning: "10.1.2.3": excepted already by 10.1.0.0/16)",
                           R"(f:1:55: warning: "10.2.0.1": excepted twice)"});
  const auto parsed = parse_text(line);
  REQUIRE(parsed.config.routes.size() == 3);
  CHECK(parsed.config.routes[1].source.to_string() == "10.1.0.0/16");
  CHECK(parsed.config.routes[2].source.to_string() == "10.2.0.1");
}

TEST_CASE("lists of exceptions are bounded, alone and together") {
  const auto line = [](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += fmt::format(",10.0.{}.{}", i / 256, i % 256);
    return fmt::format("mroute from eth0 except {} group 225.1.2.3 to eth1\n", list.substr(1));
  };
  CHECK(parse_text(line(kMaxExceptions)).config.routes.size() == kMaxExceptions + 1);
  CHECK(
      say(line(kMaxExceptions + 1)) ==
      Lines{
          R"(f:1:18: "except" lists 1025 sources, at most 1024 are allowed; use shorter prefixes)"});

  std::string many;
  for (std::size_t i = 0; i < kMaxExceptionRules / 64 + 1; ++i) {
    many += fmt::format("mroute from e{} group ff00::/8 scope = site to eth1\n", i);
  }
  CHECK(say(many) == Lines{fmt::format("f:{}:{}: \"scope\": all exceptions together stand for more "
                                       "than 131072 stop filters; use shorter prefixes",
                                       kMaxExceptionRules / 64 + 1, 34)});
}

TEST_CASE("an explicit route for an excepted source wins, with a warning") {
  CHECK(say("mroute from eth0 except 10.0.0.66 group 225.1.2.3 to eth1\n"
            "mroute from eth0 source 10.0.0.66 group 225.1.2.3 to eth2\n") ==
        Lines{"f:2: warning: blocks and forwards the same traffic together with f:1; it is "
              "forwarded"});
}

TEST_CASE("statements may share an exception") {
  CHECK(say("mroute from eth0 except 10.0.0.66 group 225.1.2.3 to eth1\n"
            "mroute from eth0 except 10.0.0.66 group 225.1.2.3 to eth2\n") == Lines{});
}

TEST_CASE("an exception of one statement that another of the same route lacks is a warning") {
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1\n"
            "mroute from eth0 except 10.0.0.66 group 225.1.2.3 to eth2\n") ==
        Lines{"f:2: warning: blocks 10.0.0.66 for f:1 too, which forwards the same group from the "
              "same interface"});
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1\n"
            "mroute from eth1 except 10.0.0.66 group 225.1.2.3 to eth2\n"
            "mroute from eth0 source 10.0.0.0/8 except 10.0.0.66 group 225.1.2.3 to eth2\n") ==
        Lines{});
}

// --- scope ---------------------------------------------------------------------------------------

TEST_CASE("groups of other scopes follow their route as stop filters") {
  CHECK(routes("mroute from eth0 group ff30::/12 scope >= site to eth1") ==
        Lines{"eth0 ::/0 ff30::/12 eth1", "!eth0 ::/0 ff30::/14", "!eth0 ::/0 ff34::/16"});
  CHECK(routes("mroute from eth0 scope <= 8 source 2001:db8::/32 group ff30::/12 to eth1") ==
        Lines{"eth0 2001:db8::/32 ff30::/12 eth1", "!eth0 2001:db8::/32 ff39::/16",
              "!eth0 2001:db8::/32 ff3a::/15", "!eth0 2001:db8::/32 ff3c::/14"});
  CHECK(routes("mroute from eth0 except fd00::1 group ff30::/12 scope >= site to eth1") ==
        Lines{"eth0 ::/0 ff30::/12 eth1", "!eth0 fd00::1 ff30::/12", "!eth0 ::/0 ff30::/14",
              "!eth0 ::/0 ff34::/16"});
}

TEST_CASE("a scope that cannot be is told why") {
  const std::string head = "mroute from eth0 group ff00::/8 scope";
  check_errors({
      {head, R"(33: "scope" needs a comparison and a scope after it, as in "scope >= admin")"},
      {head + " >= ",
       R"(33: "scope" needs a comparison and a scope after it, as in "scope >= admin")"},
      {head + " > site to eth1", R"(39: ">": scopes are compared by >=, <= or =)"},
      {head + " >= admn to eth1", R"(42: "admn": no such scope; did you mean "admin"?)"},
      {head + " >= 15 to eth1",
       R"(42: "15": a scope is interface, link, realm, admin, site, organization, global or a number from 1 to 14)"},
      {head + " >= site scope <= global to eth1", R"(47: "scope" is given twice in one line)"},
      {head + " >= site",
       R"(33: "scope": what it leaves out is blocked, and this route blocks all; write outbound interfaces after "to", or a route without "to" for each source or range to block)"},
      {"mroute from eth0 group ff00::/8 to eth1 scope >= site",
       R"(41: "scope" comes too late: "to" takes the rest of the line as interfaces; move it before "to")"},
      {"mroute from eth0 group 225.1.0.0/16 scope >= site to eth1",
       R"(37: "scope": only IPv6 groups have one, 225.1.0.0/16 is IPv4; write the range of groups after "group")"},
      {"mroute from eth0 group ff03::/16 scope >= site to eth1",
       R"(34: "scope >= site" leaves out all of ff03::/16; the fourth digit of a group is its scope)"},
      {"mgroup from eth0 group ff05::1 scope >= site",
       R"(32: "scope": belongs to mroute, mgroup has no such part)"},
  });
  check_warnings({
      {"mroute from eth0 group ff05::/16 scope >= site to eth1",
       R"(34: warning: "scope >= site" leaves out nothing of ff05::/16)"},
      {head + " <= link to eth1",
       R"(42: warning: "link": no kernel forwards groups of this scope)"},
  });
}

// --- join ----------------------------------------------------------------------------------------

TEST_CASE("a route may join what it forwards, wherever the word stands") {
  for (const char* line : {"mroute from eth+ join group 225.1.2.3 to eth1",
                           "mroute join from eth+ group 225.1.2.3 to eth1",
                           "mroute from eth+ group 225.1.2.3 to eth1 join"}) {
    CAPTURE(line);
    CHECK(routes(line) == Lines{"eth+ 0.0.0.0/0 225.1.2.3 eth1"});
    CHECK(joins(line) == Lines{"eth+ * 225.1.2.3 by route"});
  }
  CHECK(joins("mroute from eth0 source 10.0.0.9 group 232.1.2.0/30 to eth1 join") ==
        Lines{"eth0 10.0.0.9 232.1.2.0/30 by route"});
  CHECK(joins("mroute from eth0 except 10.0.0.9 group 225.1.2.3 to eth1 join") ==
        Lines{"eth0 * 225.1.2.3 by route"});
  CHECK(joins("mroute from eth0 group 225.1.2.3 to eth1") == Lines{});
}

TEST_CASE("what routes and lines join alike is no repetition") {
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1 join\n"
            "mroute from eth0 group 225.1.2.3 to eth2 join\n"
            "mgroup from eth0 group 225.1.2.3\n") == Lines{});
}

TEST_CASE("options are names of interfaces where they can only be that") {
  CHECK(routes("mroute from join group 225.1.2.3 to native:1") ==
        Lines{"join 0.0.0.0/0 225.1.2.3 native"});
  CHECK(joins("mgroup group 225.1.2.3 from native") == Lines{"native * 225.1.2.3"});
  check_warnings({
      {"mroute from eth0 group 225.1.2.3 to join eth1",
       R"(37: warning: "join" is taken for the name of an interface; to mean the option, write it last or before "to")"},
      {"mroute from eth0 group 225.1.2.3 to join",
       R"(37: warning: "join": asks for what the route then blocks)"},
  });
  check_errors({
      {"mroute from eth0 join group 225.1.2.3 to eth1 join",
       R"(47: "join" is given twice in one line)"},
      {"mroute from eth0 group join to eth1",
       R"(24: "group" needs an address after it, not "join")"},
  });
}

TEST_CASE("what stands for too many joins is refused before anything is changed") {
  const char* const too_many =
      R"(24: "225.0.0.0/8": to join it stands for more than 65536 groups and sources; use longer prefixes)";
  check_errors({
      {"mgroup from eth0 group 225.0.0.0/8", too_many},
      {"mroute from eth0 group 225.0.0.0/8 to eth1 join", too_many},
      {"mgroup from eth0 source 10.0.0.0/9 group 232.1.0.0/22",
       R"(42: "232.1.0.0/22": to join it stands for more than 65536 groups and sources; use longer prefixes)"},
      {"mgroup from eth0 group ff05::/32",
       R"(24: "ff05::/32": to join it stands for more than 65536 groups and sources; use longer prefixes)"},
  });
  CHECK(say("mgroup from eth0 group 225.0.0.0/16").empty());
  std::string many;
  for (int i = 0; i < 6; ++i) many += fmt::format("mgroup from eth0 group 225.{}.0.0/16\n", i);
  CHECK(
      say(many) ==
      Lines{
          R"(f:5:24: "225.4.0.0/16": all lines together join more than 262144 groups and sources from here on; use longer prefixes)"});
}

// --- native, learned, any-source -----------------------------------------------------------------

TEST_CASE("a route for any source may be native") {
  CHECK(routes("mroute from eth0 group 225.1.2.3 to eth1") ==
        Lines{"eth0 0.0.0.0/0 225.1.2.3 eth1"});
  CHECK(routes("mroute from eth0 native group 225.1.2.3 to eth1") ==
        Lines{"*eth0 0.0.0.0/0 225.1.2.3 eth1"});
  CHECK(routes("mroute from eth0 except 10.0.0.66 group 225.1.2.3 to eth1 join native") ==
        Lines{"*eth0 0.0.0.0/0 225.1.2.3 eth1", "!eth0 10.0.0.66 225.1.2.3"});
  CHECK(routes("mroute from eth0 group ff0e::1 to eth1 learned") ==
        Lines{"eth0 ::/0 ff0e::1 eth1"});
}

TEST_CASE("any-source decides for routes that can be native and say nothing else") {
  const std::string lines = "mroute from eth0 group 225.1.2.3 to eth1\n"
                            "mroute from eth0 group 225.1.2.4 to eth1 learned\n"
                            "mroute from eth0 group 225.1.2.5 to eth1 native\n"
                            "mroute from eth0 group 225.1.2.0/24 to eth1\n"
                            "mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n"
                            "mroute from eth0 except 10.0.0.0/24 group 225.1.2.6 to eth1\n";
  const auto natives = [&](const std::string& text) {
    std::string out;
    for (const RouteRule& rule : parse_text(text).config.routes) out += rule.native ? '*' : '-';
    return out;
  };
  CHECK(natives(lines) == "--*----");
  CHECK(natives(lines + "any-source native\n") == "*-*----");
  CHECK(natives("any-source native\n" + lines) == "*-*----");
  CHECK(natives(lines + "any-source learned\n") == "--*----");
  CHECK(parse_text("any-source native").config.native_by_default);
  CHECK_FALSE(parse_text("any-source learned").config.native_by_default);
}

TEST_CASE("statements that add up to one route share what one of them says") {
  CHECK(routes("mroute from eth0 group 225.1.2.3 to eth1\n"
               "mroute from eth0 group 225.1.2.3 to eth2 native\n"
               "mroute from eth9 group 225.1.2.3 to eth2\n") ==
        Lines{"*eth0 0.0.0.0/0 225.1.2.3 eth1", "*eth0 0.0.0.0/0 225.1.2.3 eth2",
              "eth9 0.0.0.0/0 225.1.2.3 eth2"});
  CHECK(routes("any-source native\nmroute from eth0 group 225.1.2.3 to eth1\n"
               "mroute from eth0 group 225.1.2.3 to eth2 learned\n") ==
        Lines{"eth0 0.0.0.0/0 225.1.2.3 eth1", "eth0 0.0.0.0/0 225.1.2.3 eth2"});
  CHECK(say("mroute from eth0 group 225.1.2.3 to eth1 native\n"
            "mroute from eth0 group 225.1.2.3 to eth2 learned\n") ==
        Lines{"f:2: learned here, but native at f:1, which is a part of the same route; keep one "
              "of them"});
}

TEST_CASE("a route that cannot be native is told why") {
  check_errors({
      {"mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1 native",
       R"(58: "native": only for routes of any source; this one is for 10.0.0.9; remove the word)"},
      {"mroute from eth0 group 225.1.2.0/24 to eth1 native",
       R"(45: "native": only for a single group, the kernel has no entries for ranges as 225.1.2.0/24; remove the word)"},
      {"mroute from eth0 except 10.0.0.1,10.0.1.0/24 group 225.1.2.3 to eth1 native",
       R"(70: "native": the kernel can except single sources only, not 10.0.1.0/24; remove the word)"},
      {"mroute from eth0 native group 225.1.2.3 to eth1 learned",
       R"(49: native and learned contradict each other; keep one of them)"},
      {"any-source", "1: any-source needs native or learned after it"},
      {"any-source nativ", R"(12: "nativ": did you mean "native"?)"},
      {"any-source kernel", R"(12: "kernel": any-source is native or learned)"},
      {"any-source native always", R"(19: "always": nothing follows here)"},
      {"any-sorce native", R"(1: "any-sorce": no such keyword; did you mean "any-source"?)"},
  });
  check_warnings({
      {"mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1 learned",
       R"(58: warning: "learned" has no effect: one source and one group is installed without waiting for a packet)"},
  });
  CHECK(say("any-source native\nany-source learned") ==
        Lines{"f:2:12: any-source is learned here, but native at f:1; keep one of them"});
  CHECK(say("any-source native\nany-source native") ==
        Lines{"f:2:1: warning: the same as f:1; one of the lines can go"});
}

// --- ttl-threshold -------------------------------------------------------------------------------

TEST_CASE("a threshold is warned of where an IPv6 route may leave through its interface") {
  const auto warned = [](const std::string& oif, const std::string& phyint,
                         const std::string& group = "ff0e::1") {
    const Lines lines =
        say("mroute from eth0 group " + group + " to lan0 " + oif + "\nphyint " + phyint + "\n");
    if (lines.empty()) return false;
    const std::string name = phyint.substr(0, phyint.find(' '));
    CHECK(lines == Lines{"f:2: warning: \"" + name +
                         "\": the ttl-threshold applies to IPv4 only; the kernel ignores it for "
                         "the IPv6 route at f:1"});
    return true;
  };
  CHECK(warned("eth1", "eth1 ttl-threshold 2"));
  CHECK(warned("eth+", "eth1 ttl-threshold 2"));
  CHECK(warned("+", "eth1 ttl-threshold 2"));
  CHECK(warned("eth1", "eth+ ttl-threshold 2"));
  CHECK(warned("eth1+", "eth+ ttl-threshold 2"));
  CHECK(warned("eth+", "eth1+ ttl-threshold 2"));
  CHECK(warned("eth1", "+ ttl-threshold 2"));
  // Not every beginning of a name is a name.
  CHECK(warned("+", "..eth ttl-threshold 2"));
  CHECK_FALSE(warned("eth1", "..eth ttl-threshold 2"));
  CHECK_FALSE(warned("eth1", "eth1 ttl-threshold 2", "225.1.2.3"));
  CHECK_FALSE(warned("eth1", "eth1 ttl-threshold 1"));
  CHECK_FALSE(warned("eth1", "eth1"));
  CHECK_FALSE(warned("eth1", "eth0 ttl-threshold 2"));
  CHECK_FALSE(warned("eth10", "eth1 ttl-threshold 2"));
  CHECK_FALSE(warned("wan+", "eth+ ttl-threshold 2"));
}
