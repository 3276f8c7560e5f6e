// SPDX-License-Identifier: BSD-2-Clause
//
// Routing tables and VRFs in a configuration.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "tests/unit/memory_files.hpp"

using namespace mcast;
using mcast::testing::lines_of;
using mcast::testing::MemoryFiles;
using mcast::testing::parse_text;

namespace {

using Lines = std::vector<std::string>;

Domain table(std::uint32_t id) {
  return {.kind = Domain::Kind::table, .table = TableId(id), .vrf = {}};
}
Domain vrf(std::string name) {
  return {.kind = Domain::Kind::vrf, .table = {}, .vrf = std::move(name)};
}

/// Of the routes, exceptions included.
std::vector<Domain> domains_of(const Config& config) {
  std::vector<Domain> domains;
  for (const RouteRule& rule : config.routes) domains.push_back(config.paths[rule.path].domain);
  return domains;
}

Config parse(const std::string& text) {
  ParsedConfig parsed = parse_text(text);
  CHECK(lines_of(parsed) == Lines{});
  return std::move(parsed.config);
}

/// Each text gets exactly one error, which is this.
void check_each(const std::vector<std::pair<const char*, const char*>>& cases) {
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const auto parsed = parse_text(text);
    CHECK_FALSE(parsed.valid());
    CHECK(lines_of(parsed) == Lines{std::string("f:") + expected});
  }
}

}  // namespace

TEST_CASE("a table has a number, a name and interfaces") {
  const Config config = parse("table 10 name red iif eth0 vlan+\n"
                              "table 99999999 iif +\n"
                              "table 12\n");
  REQUIRE(config.tables.size() == 3);
  CHECK(config.tables[0].id == TableId(10));
  CHECK(config.tables[0].name == "red");
  CHECK(config.tables[0].iifs ==
        std::vector{InterfacePattern::exact("eth0"), InterfacePattern::wildcard("vlan")});
  CHECK(config.tables[1].where.line == 2);
  CHECK(config.tables[1].iifs == std::vector{InterfacePattern::wildcard("")});
  CHECK(config.tables[2].name.empty());
  CHECK(config.tables[2].iifs.empty());
  CHECK_FALSE(config.auto_tables);
}

TEST_CASE("tables auto has a range") {
  const Config config = parse("tables auto 100-131");
  REQUIRE(config.auto_tables);
  CHECK(config.auto_tables->first == TableId(100));
  CHECK(config.auto_tables->last == TableId(131));
  CHECK(config.auto_tables->where.line == 1);
  CHECK(parse("tables auto 256-511").auto_tables);
  CHECK(parse("tables auto 5-5").auto_tables);
  CHECK(parse("table 99\ntable 132\ntables auto 100-131\n").auto_tables);
}

TEST_CASE("routes say where they belong, anywhere before their outputs") {
  CHECK(domains_of(parse("mroute from a group 225.1.1.1 to b\n"
                         "mroute table 10 from a group 225.1.1.1 to b\n"
                         "mroute from a group 225.1.1.1 table 11 to b\n"
                         "mroute from a vrf red group 225.1.1.1 to b\n")) ==
        std::vector{Domain{}, table(10), table(11), vrf("red")});
}

TEST_CASE("equal paths of different domains differ, those of equal ones do not") {
  const Config config = parse("mroute from a group 225.1.1.1 to b\n"
                              "mroute from a group 225.1.1.1 to b vrf\n"
                              "mroute vrf red from a group 225.1.1.1 to b\n"
                              "mroute table 10 from a group 225.1.1.1 to b\n"
                              "mroute table 010 from a group 225.1.1.2 to b\n"
                              "mroute vrf red from a group 225.1.1.2 to b\n");
  CHECK(config.paths.size() == 4);
  CHECK(config.paths[config.routes[1].path].oifs.back() == InterfacePattern::exact("vrf"));
  CHECK(config.routes[3].path == config.routes[4].path);
  CHECK(config.routes[2].path == config.routes[5].path);
}

TEST_CASE("exceptions, joins and interfaces have the domain of their line") {
  const Config config = parse("mroute vrf red from a except 10.0.0.1 group 225.1.1.1 to b join\n"
                              "mroute table 10 from a group ff00::/8 scope >= site to b\n"
                              "mgroup vrf red from a group 225.1.1.2\n"
                              "mgroup from a group 225.1.1.2 table 10\n"
                              "phyint a vrf red disable\n"
                              "phyint a table 10\n"
                              "phyint vrf\n"
                              "phyint table vrf red\n");
  const auto domains = domains_of(config);
  REQUIRE(domains.size() > 3);
  CHECK(domains[0] == vrf("red"));
  CHECK(domains[1] == vrf("red"));
  for (std::size_t i = 2; i < domains.size(); ++i) CHECK(domains[i] == table(10));
  REQUIRE(config.joins.size() == 3);
  CHECK(config.joins[0].domain == vrf("red"));
  CHECK(config.joins[1].domain == vrf("red"));
  CHECK(config.joins[2].domain == table(10));
  REQUIRE(config.interfaces.size() == 4);
  CHECK(config.interfaces[0].domain == vrf("red"));
  CHECK(config.interfaces[1].domain == table(10));
  CHECK(config.interfaces[1].enable == true);
  CHECK(config.interfaces[2].interface == InterfacePattern::exact("vrf"));
  CHECK(config.interfaces[3].interface == InterfacePattern::exact("table"));
  CHECK(config.interfaces[3].domain == vrf("red"));
}

TEST_CASE("a table is used by its name before and after the line that gives it") {
  MemoryFiles files{{"f", "mroute table 7 from a group 225.1.1.3 to b\n"
                          "mroute table blue from a except 10.0.0.1 group 225.1.1.1 to b join\n"
                          "mgroup table blue from a group 225.1.1.9\n"
                          "phyint a table blue\n"
                          "include g\n"
                          "mroute table blue from a group 225.1.1.2 to b\n"
                          "mroute table 7 from a group 225.1.1.4 to b\n"
                          "mroute table other from a group 225.1.1.5 to b\n"
                          "table 8 name other\n"},
                    {"g", "table 7 name blue\n"}};
  const ParsedConfig parsed = parse_config(files, "f");
  CHECK(lines_of(parsed) == Lines{});
  const Config& config = parsed.config;
  CHECK(domains_of(config) ==
        std::vector{table(7), table(7), table(7), table(7), table(7), table(8)});
  CHECK(config.routes[0].path == config.routes[1].path);
  CHECK(config.routes[0].path == config.routes[3].path);
  CHECK(config.paths[config.routes[2].path].oifs.empty());
  CHECK(config.paths[config.routes[1].path].oifs.size() == 1);
  CHECK(config.joins[0].domain == table(7));
  CHECK(config.joins[1].domain == table(7));
  CHECK(config.interfaces[0].domain == table(7));
}

TEST_CASE("a route may choose a table that no line declares") {
  CHECK(domains_of(parse("mroute table 999999999 from a group 225.1.1.1 to b\n"
                         "mroute table 99999999 from a group ff2e::1 to b\n"
                         "mgroup table 999999999 from a group 225.1.1.1\n")) ==
        std::vector{table(999'999'999), table(99'999'999)});
}

TEST_CASE("the numbers of tables have limits, which differ by family") {
  check_each({
      {"table 0",
       R"(1:7: "0": a table of both families has a number from 1 to 99999999 (IPv4 alone: 999999999))"},
      {"table 100000000",
       R"(1:7: "100000000": a table of both families has a number from 1 to 99999999 (IPv4 alone: 999999999))"},
      {"table 99999999999999999999",
       R"(1:7: "99999999999999999999": a table of both families has a number from 1 to 99999999 (IPv4 alone: 999999999))"},
      {"phyint eth0 table 100000000",
       R"(1:19: "100000000": a table of both families has a number from 1 to 99999999 (IPv4 alone: 999999999))"},
      {"mroute table 1000000000 from a group 225.1.1.1 to b",
       R"(1:14: "1000000000": the number of an IPv4 table is from 1 to 999999999)"},
      {"mroute from a group ff2e::1 table 100000000 to b",
       R"(1:35: "100000000": the number of an IPv6 table is from 1 to 99999999 (IPv4: 999999999))"},
      {"mgroup from a group ff2e::1 table 0",
       R"(1:35: "0": the number of an IPv6 table is from 1 to 99999999 (IPv4: 999999999))"},
  });
}

TEST_CASE("the line of a table is refused with the reason") {
  check_each({
      {"table", "1:1: table needs its number after it"},
      {"table red",
       R"(1:7: "red": a table is declared by its number; write "table NUMBER name red")"},
      {"table -5",
       R"(1:7: "-5": a table is declared by its number; write "table NUMBER name NAME")"},
      {"table auto 100-131", R"(1:7: "auto": belongs to tables, as in "tables auto 100-131")"},
      {"table 5 name", R"(1:9: "name" needs the name of the table after it)"},
      {"table 5 name 6", R"(1:14: "6": a number cannot be the name of a table)"},
      {"table 5 name iif eth0", R"(1:14: "iif": a keyword cannot be the name of a table)"},
      {"table 5 name 1st",
       R"(1:14: "1st": the name of a table is made of letters, digits, "_", "-" and ".", a letter first)"},
      {"table 5 name abcdefghijklmnopqrstuvwxyzabcdef",
       R"(1:14: "abcdefghijklmnopqrstuvwxyzabcdef": the name of a table has at most 31 characters)"},
      {"table 5 name red name blue", R"(1:18: "name" is given twice in one line)"},
      {"table 5 iif", R"(1:9: "iif" needs interface names after it)"},
      {"table 5 eth0",
       R"(1:9: "eth0": unexpected; write "iif" before the interfaces whose traffic the table takes)"},
      {"table 5 nmae red", R"(1:9: "nmae": no such keyword; did you mean "name"?)"},
      {"table 5 iif eth0 name red",
       R"(1:18: "name" comes too late: "iif" takes the rest of the line as interfaces)"},
      {"table 5 iif 10.0.0.1",
       R"(1:13: "10.0.0.1": an address stands where an interface name belongs)"},
      {"tabel 5", R"(1:1: "tabel": no such keyword; did you mean "table"?)"},
  });
}

TEST_CASE("what two tables claim is refused, naming the first") {
  check_each({
      {"table 5\ntable 5 name red",
       R"(2:7: "5": the table is declared already at f:1; keep one line for it, with all of its interfaces)"},
      {"table 5 name red\n\ntable 6 name red",
       R"(3:1: "red": table 5 at f:1 has this name already; choose another one)"},
      {"table 5 iif eth0 lan+\ntable 6 iif eth1 lan+",
       R"(2:18: "lan+": its traffic goes to another table already, at f:1; an interface has one table)"},
      {"table 5 iif eth0\ntable 6 iif eth0:1",
       R"(2:13: "eth0:1": its traffic goes to another table already, at f:1; an interface has one table)"},
  });
  // An exact name is stronger than the wildcard.
  CHECK(parse("table 5 iif lan+\ntable 6 iif lan1 lan1+\n").tables.size() == 2);
  CHECK(lines_of(parse_text("table 5 iif eth0 eth0")) ==
        Lines{R"(f:1:18: warning: "eth0": named twice)"});
}

TEST_CASE("a range of tables is refused with the reason") {
  check_each({
      {"tables", R"(1:1: tables needs "auto" and a range after it, as in "tables auto 100-131")"},
      {"tables 5 iif eth0",
       R"(1:1: "tables": no such keyword before a number; did you mean "table"?)"},
      {"tables atuo 100-131", R"(1:8: "atuo": did you mean "auto"?)"},
      {"tables some", R"(1:8: "some": only auto can stand here, as in "tables auto 100-131")"},
      {"tables auto", R"(1:8: "auto" needs a range after it, as in "tables auto 100-131")"},
      {"tables auto 100", R"(1:13: "100": a range is FIRST-LAST, as in "tables auto 100-131")"},
      {"tables auto 100-", R"(1:13: "100-": a range is FIRST-LAST, as in "tables auto 100-131")"},
      {"tables auto 100-120-131",
       R"(1:13: "100-120-131": a range is FIRST-LAST, as in "tables auto 100-131")"},
      {"tables auto 100 - 131", R"(1:17: "-": nothing follows here)"},
      {"tables auto 131-100",
       R"(1:13: "131-100": ends before it begins; the lower number comes first)"},
      {"tables auto 0-10",
       R"(1:13: "0": a table of both families has a number from 1 to 99999999 (IPv4 alone: 999999999))"},
      {"tables auto 1000-1256",
       R"(1:13: "1000-1256": 257 tables; each costs time for every packet, so at most 256 are allowed)"},
      {"tables auto 250-253",
       R"(1:13: "250-253": 253 to 255 are the kernel's default, main and local tables; leave them out)"},
      {"tables auto 255-300",
       R"(1:13: "255-300": 253 to 255 are the kernel's default, main and local tables; leave them out)"},
      {"tables auto 100-131\ntables auto 200-231",
       "2:1: tables auto is given already at f:1; keep one of the lines"},
      {"tables auto 100-131\ntable 131",
       R"(1:13: "100-131": holds table 131 of f:2; choose a range that holds no other table)"},
      {"mroute from a table 100 group 225.1.1.1 to b\ntables auto 100-131",
       R"(2:13: "100-131": holds table 100 of f:1; choose a range that holds no other table)"},
  });
}

TEST_CASE("a table or VRF that a line cannot mean is refused") {
  check_each({
      {"mroute table 5 vrf red from a group 225.1.1.1 to b",
       "1:16: table and vrf on one line: a VRF's table is its own; keep one of them"},
      {"phyint a vrf red table 5",
       "1:18: table and vrf on one line: a VRF's table is its own; keep one of them"},
      {"mgroup table 5 from a group 225.1.1.1 table 6",
       R"(1:39: "table" is given twice in one line)"},
      {"phyint a vrf red vrf blue", R"(1:18: "vrf" is given twice in one line)"},
      {"mroute from a group 225.1.1.1 table",
       R"(1:31: "table" needs the number or name of a table after it)"},
      {"mroute table from a group 225.1.1.1",
       R"(1:14: "table" needs the number or name of a table after it, not "from")"},
      {"mgroup vrf group 225.1.1.1",
       R"(1:12: "vrf" needs the name of a VRF after it, not "group")"},
      {"mroute from a group 225.1.1.1 to b vrf red",
       R"(1:36: "vrf" comes too late: "to" takes the rest of the line as interfaces; move it before "to")"},
      {"mroute vrf red+ from a group 225.1.1.1 to b",
       R"(1:12: "red+": a line is about one VRF; write its name in full)"},
      {"mroute vrf red:1 from a group 225.1.1.1 to b", R"(1:12: "red:1": a VRF has no alias name)"},
      {"mroute vrf 10.0.0.1 from a group 225.1.1.1 to b",
       R"(1:12: "10.0.0.1": an address stands where the name of a VRF belongs)"},
      {"mroute vrf a_name_too_long_ from a group 225.1.1.1 to b",
       R"(1:12: "a_name_too_long_": an interface name has at most 15 characters, this one has 16)"},
      {"mgroup vrf a/b from a group 225.1.1.1",
       R"(1:12: "a/b": an interface name has no "/", ":", white space or control characters)"},
      {"phyint vrf red enable", "1:1: phyint needs an interface name after it"},
      {"mroute tabel 5 from a group 225.1.1.1",
       R"(1:8: "tabel": no such keyword; did you mean "table"?)"},
      {"mgroup from a b group 225.1.1.1",
       R"(1:15: "b": unexpected; source, group, table or vrf can stand here)"},
  });
}

TEST_CASE("a name that no table has is an error where it is first used") {
  check_each({
      {"table 5 name blue\nmroute table bleu from a group 225.1.1.1 to b",
       R"(2:14: "bleu": no table is declared by this name; did you mean "blue"?)"},
      {"mroute table red from a group 225.1.1.1 to b\n\nphyint a table red\ntable 5 name blue",
       R"(1:14: "red": no table is declared by this name; write its number, or a line "table NUMBER name NAME")"},
  });
}

TEST_CASE("lines of different domains neither repeat nor contradict each other") {
  parse("table 5 name blue\n"
        "phyint a enable ttl-threshold 5\n"
        "phyint a disable ttl-threshold 6 table blue\n"
        "phyint a enable ttl-threshold 7 vrf red\n"
        "mroute from a group 225.1.1.1 to b\n"
        "mroute from a group 225.1.1.1 table 5\n"
        "mroute from a group 225.1.1.1 vrf red native to c\n"
        "mroute from a group 225.1.1.1 vrf green learned to c\n"
        "mgroup from a group 225.1.1.1\n"
        "mgroup from a group 225.1.1.1 vrf red\n");
  check_each({
      {"phyint a enable vrf red\nphyint a disable vrf red",
       R"(2: "a": disabled here, but enabled at f:1; keep one of them)"},
      {"phyint a enable table x\nphyint a disable table 5\ntable 5 name x",
       R"(2: "a": disabled here, but enabled at f:1; keep one of them)"},
      {"mroute vrf red from a group 225.1.1.1 native to b\n"
       "mroute vrf red from a group 225.1.1.1 learned to c",
       "2: learned here, but native at f:1, which is a part of the same route; keep one of them"},
  });
  CHECK(lines_of(parse_text("mroute table x from a group 225.1.1.1 to b\n"
                            "mroute table 5 from a group 225.1.1.1 to b\n"
                            "mgroup vrf red from a group 225.1.1.1\n"
                            "mgroup vrf red from a group 225.1.1.1\n"
                            "table 5 name x\n")) ==
        Lines{"f:2: warning: the same as f:1; one of the lines can go",
              "f:4: warning: the same as f:3; one of the lines can go"});
}

TEST_CASE("a threshold draws a warning if IPv6 routes of its domain or of any need it") {
  const auto warnings = [](const std::string& phyint) {
    return lines_of(parse_text("mroute table 5 from a group ff2e::1 to b\n"
                               "mroute from a group ff2e::1 to c\n" +
                               phyint))
        .size();
  };
  CHECK(warnings("phyint b ttl-threshold 5") == 1);
  CHECK(warnings("phyint b table 5 ttl-threshold 5") == 1);
  CHECK(warnings("phyint b table 6 ttl-threshold 5") == 0);
  CHECK(warnings("phyint b vrf red ttl-threshold 5") == 0);
  CHECK(warnings("phyint c vrf red ttl-threshold 5") == 1);
}
