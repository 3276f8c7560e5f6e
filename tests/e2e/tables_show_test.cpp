// SPDX-License-Identifier: BSD-2-Clause
//
// What the client shows and changes where the daemon serves several routing tables.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

/// Traffic from eth0 goes to table 100, all other to the default table; 101 has what is said so.
constexpr const char* kConfig = "table 100 name video iif eth0\n"
                                "table 101\n"
                                "mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1 eth2\n"
                                "mroute table 101 from eth1 source 10.1.0.1 group 225.1.3.9\n"
                                "mroute from eth2 source 10.2.0.1 group 225.1.3.9 to eth1\n"
                                "mroute from eth0 group 225.1.4.0/24 to eth1\n"
                                "mroute from eth1 group ff1e::/64 to eth2\n"
                                "mroute table video from wg0 group 239.5.5.5 to eth1\n"
                                "mroute vrf red from eth1 group 239.5.5.6 to eth2\n"
                                "mgroup from eth0 group 225.1.2.3\n"
                                "mgroup from eth1 group 225.1.2.4\n";

struct Screen {
  Lab lab;
  Daemon daemon{lab.router(), kConfig};

  std::string show(std::vector<std::string> words, const std::string& options = "-pt") {
    words.insert(words.begin(), {options, "show"});
    const auto result = daemon.ctl(words);
    INFO(result);
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
    return result.out;
  }
  Json json(const std::vector<std::string>& words) { return Json::parse(show(words, "-j")); }
  /// What is told about a command that fails.
  std::string refusal(const std::vector<std::string>& words, int exit_code) {
    const auto result = daemon.ctl(words);
    INFO(result);
    CHECK(result.exit_code == exit_code);
    CHECK(result.out.empty());
    CHECK(result.err.find('\n') == result.err.size() - 1);
    return result.err;
  }
};

constexpr const char* kVideo = "(*, 225.1.4.0/24)                          eth0 video  eth1\n"
                               "(*, ff1e::/64)                             eth1 254    eth2\n";
constexpr const char* kExact = "(10.0.0.9, 225.1.2.3)                      eth0 video  eth1 eth2\n"
                               "(10.1.0.1, 225.1.3.9)                      eth1 101   \n"
                               "(10.2.0.1, 225.1.3.9)                      eth2 253    eth1\n";

TEST_CASE("routes of several tables say which is theirs, in every list of the command") {
  Screen screen;
  const std::string rows = std::string(kVideo) + kExact + kExact;
  CHECK(screen.show({}) == rows);
  CHECK(screen.show({"routes"}) == rows);
  const std::string text = screen.show({"routes"}, "-p");
  const std::string heading = "\nROUTE (S,G)                                IIF  TABLE  OIFS\n";
  std::size_t headings = 0;
  for (auto at = text.find(heading); at != std::string::npos; at = text.find(heading, at + 1))
    ++headings;
  CHECK(headings == 3);
  const std::string detail = screen.show({"routes"}, "-pd");
  CHECK(contains(detail, "\nROUTE (S,G)                                IIF  TABLE    PACKETS"
                         "      BYTES  OIFS\n"));
  CHECK(contains(detail, "\n(10.1.0.1, 225.1.3.9)                      eth1 101            0"
                         "          0 \n"));
}

TEST_CASE("groups and interfaces of several tables say which is theirs") {
  Screen screen;
  const std::string groups = "(*, 225.1.2.3)                             eth0             video\n"
                             "(*, 225.1.2.4)                             eth1             253\n";
  CHECK(screen.show({"groups"}) == groups);
  CHECK(screen.show({"groups"}, "-ptd") == groups + groups);
  CHECK(contains(screen.show({"groups"}, "-p"),
                 "\nGROUP (S,G)                                IIF              TABLE\n"));
  CHECK(contains(screen.show({"interfaces"}, "-p"), "\n INDEX PHYINT  VIF  MIF  TABLE\n"));
  const std::string interfaces = screen.show({"interfaces"});
  const auto row = [&](const char* name, const char* rest) {
    return fmt::format("{:>6} {:<6} {}\n", screen.lab.router().index_of(name), name, rest);
  };
  CHECK(contains(interfaces, row("eth0", "   0  N/A  video")));
  CHECK(contains(interfaces, row("eth1", "   1    0  253")));
  const std::string detail = screen.show({"interfaces"}, "-ptd");
  CHECK(contains(detail, row("eth0", "   0  N/A  video  up")));
  CHECK(contains(detail, "\nIPv4 table 100 (video): 3 of 32 slots"));
  CHECK(contains(detail, "\nIPv4 table 101: 1 of 32 slots"));
}

TEST_CASE("pending rules are shown with the words they were written with") {
  Screen screen;
  CHECK(screen.show({"pending"}, "-ptd") ==
        "mroute  table video from wg0 group 239.5.5.5 to eth1  # interface wg0 does not exist\n"
        "mroute  vrf red from eth1 group 239.5.5.6 to eth2  # VRF red does not exist\n");
}

TEST_CASE("tables that no listed row is of make no column") {
  Screen screen;
  screen.daemon.write_config("table 100 name video iif wg0\n"
                             "mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n"
                             "mroute from eth0 source fd00:1::9 group ff1e::1 to eth1\n");
  REQUIRE(screen.daemon.ctl({"reload"}).exit_code == 0);
  const std::string rows = "(10.0.0.9, 225.1.2.3)                      eth0  eth1\n"
                           "(fd00:1::9, ff1e::1)                       eth0  eth1\n";
  CHECK(screen.show({"routes"}) == rows + rows);
  CHECK(contains(screen.show({"interfaces"}, "-p"), "\n INDEX PHYINT  VIF  MIF\n"));
  // They are in tables 253 and 254 all the same.
  const Json routes = screen.json({"routes"})["routes"]["kernel"];
  REQUIRE(routes.size() == 2);
  CHECK(routes[0]["table"] == 253);
  CHECK(routes[1]["table"] == 254);
}

TEST_CASE("JSON tells every table by its number") {
  Screen screen;
  const auto tables = [](const Json& list) {
    std::vector<Json> numbers;
    for (const Json& item : list) numbers.push_back(item.at("table"));
    return numbers;
  };
  using Numbers = std::vector<Json>;
  const Json routes = screen.json({"routes"})["routes"];
  CHECK(tables(routes["asm"]) == Numbers{100, 254});
  CHECK(tables(routes["ssm"]) == Numbers{100, 101, 253});
  CHECK(tables(routes["kernel"]) == Numbers{100, 101, 253});
  const Json groups = screen.json({"groups"})["groups"];
  CHECK(tables(groups["conf"]) == Numbers{100, 253});
  CHECK(tables(groups["kernel"]) == Numbers{100, 253});
  const Json pending = screen.json({"pending"})["pending"];
  CHECK(tables(pending) == Numbers{100, nullptr});
  CHECK(pending[0]["domain"] == Json{{"kind", "table"}, {"name", "video"}});
  CHECK(pending[1]["domain"] == Json{{"kind", "vrf"}, {"name", "red"}});
  for (const Json& interface : screen.json({"interfaces"})["interfaces"]) {
    CHECK(interface["table"] == (interface["name"] == "eth0" ? 100 : 253));
  }
  for (const Json& table : screen.json({"interfaces"})["tables"]) {
    CHECK(table["name"] == (table["table"] == 100 ? "video" : ""));
    CHECK(table["default"] == (table["table"] >= 253));
  }
}

TEST_CASE("what is shown may be that of one table, which then needs no column") {
  Screen screen;
  const std::string exact = "(10.0.0.9, 225.1.2.3)                      eth0  eth1 eth2\n";
  const std::string video =
      "(*, 225.1.4.0/24)                          eth0  eth1\n" + exact + exact;
  for (const char* name : {"100", "video"}) CHECK(screen.show({"table", name}) == video);
  CHECK(screen.show({"routes", "table", "video"}) == video);
  CHECK(screen.show({"r", "t", "video"}) == video);
  CHECK(screen.daemon.ctl_as("smcroutectl", {"-pt", "show", "table", "video"}).out == video);
  const std::string stop = "(10.1.0.1, 225.1.3.9)                      eth1 \n";
  CHECK(screen.show({"table", "101"}) == stop + stop);
  CHECK(screen.show({"table", "254"}) == "(*, ff1e::/64)                             eth1  eth2\n");
  CHECK(screen.show({"groups", "table", "video"}) ==
        "(*, 225.1.2.3)                             eth0\n");
  CHECK(screen.show({"pending", "table", "video"}) ==
        "mroute  table video from wg0 group 239.5.5.5 to eth1\n");
  CHECK(screen.show({"pending", "table", "101"}) == "No pending routes or groups\n");
  const std::string interfaces = screen.show({"interfaces", "table", "video"}, "-ptd");
  CHECK(contains(interfaces, " eth0 "));
  CHECK_FALSE(contains(interfaces, " eth1 "));
  CHECK_FALSE(contains(interfaces, "table 101"));
  for (const char* number : {"253", "254"}) {
    const std::string others = screen.show({"interfaces", "table", number});
    CHECK(contains(others, " eth1 "));
    CHECK_FALSE(contains(others, " eth0 "));
  }
  const Json json = screen.json({"table", "video"})["routes"];
  CHECK(json["kernel"].size() == 1);
  CHECK(json["asm"].size() == 1);
}

TEST_CASE("a table or VRF that does not exist is named with what does") {
  Screen screen;
  for (const char* what : {"routes", "groups", "interfaces", "pending"}) {
    CHECK(contains(screen.refusal({"show", what, "table", "vidoe"}, 65), "did you mean \"video\""));
    CHECK(contains(screen.refusal({"-j", "show", what, "table", "99"}, 65),
                   "there are 100 (video), 101, 253, 254"));
    CHECK(contains(screen.refusal({"show", what, "vrf", "red"}, 65), "no such VRF"));
  }
  CHECK(contains(screen.refusal({"show", "vrf", "video"}, 65), "say \"table video\""));
  CHECK(contains(screen.refusal({"flush", "table", "99"}, 65), "no such routing table"));
  CHECK(contains(screen.refusal({"show", "table"}, 64), "is missing"));
  CHECK(contains(screen.refusal({"add", "table", "vidoe", "eth0", "225.1.1.1"}, 64),
                 "did you mean \"video\""));
  CHECK(contains(screen.refusal({"add", "table", "0", "eth0", "225.1.1.1"}, 64), "\"0\""));
  CHECK(contains(screen.refusal({"add", "table", "10"}, 64), "help add"));
}

TEST_CASE("commands say where a route or join belongs, and removing one says it too") {
  Screen screen;
  const auto done = [&](const std::vector<std::string>& words) {
    const auto result = screen.daemon.ctl(words);
    INFO(result);
    CHECK(result.exit_code == 0);
    CHECK(result.out.empty());
  };
  done({"add", "table", "101", "eth1", "10.1.0.2", "239.1.1.1", "eth2"});
  done({"add", "table", "video", "eth1", "10.1.0.2", "239.1.1.1", "eth0"});
  CHECK(contains(screen.show({"table", "101"}),
                 "(10.1.0.2, 239.1.1.1)                      eth1  eth2\n"));
  CHECK(contains(screen.show({"table", "video"}),
                 "(10.1.0.2, 239.1.1.1)                      eth1  eth0\n"));
  screen.refusal({"remove", "eth1", "10.1.0.2", "239.1.1.1"}, 65);
  done({"del", "table", "101", "eth1", "10.1.0.2", "239.1.1.1"});
  CHECK_FALSE(contains(screen.show({"table", "101"}), "239.1.1.1"));
  CHECK(contains(screen.show({"table", "100"}), "239.1.1.1"));

  done({"join", "table", "video", "eth0", "239.1.1.2"});
  CHECK(contains(screen.show({"groups", "table", "video"}), "(*, 239.1.1.2)"));
  screen.refusal({"leave", "eth0", "239.1.1.2"}, 65);
  done({"leave", "table", "video", "eth0", "239.1.1.2"});
  CHECK_FALSE(contains(screen.show({"groups"}), "239.1.1.2"));

  done({"add", "vrf", "blue", "eth1", "239.1.1.3", "eth2"});
  CHECK(contains(screen.show({"pending"}), "mroute  vrf blue from eth1 group 239.1.1.3 to eth2\n"));
}

TEST_CASE("a batch is one transaction over all tables") {
  Screen screen;
  const std::string before = screen.show({"routes"});
  const std::string good = "add table 101 eth1 10.1.0.2 239.1.1.1 eth2\n"
                           "remove eth0 10.0.0.9 225.1.2.3\n"
                           "add vrf red eth2 10.3.0.2 239.1.1.1 eth1\n"
                           "add eth2 10.3.0.2 239.1.1.1 eth1\n";
  const auto bad = screen.daemon.ctl({"-b"}, good + "remove table 101 eth1 10.9.0.9 239.1.1.1\n");
  CHECK(bad.exit_code == 65);
  CHECK(contains(bad.err, "line 5: "));
  CHECK(screen.show({"routes"}) == before);
  REQUIRE(screen.daemon.ctl({"-b"}, good).exit_code == 0);
  const std::string after = screen.show({"routes"});
  CHECK(contains(after, "(10.1.0.2, 239.1.1.1)                      eth1 101    eth2\n"));
  CHECK(contains(after, "(10.3.0.2, 239.1.1.1)                      eth2 253    eth1\n"));
  CHECK_FALSE(contains(after, "10.0.0.9"));
}

TEST_CASE("flush of one table leaves what others have learned") {
  Screen screen;
  REQUIRE(screen.daemon.ctl({"add", "eth2", "225.1.5.0/24", "eth1"}).exit_code == 0);
  Flow video(screen.lab.sender, screen.lab.first, "225.1.4.1");
  Flow other(screen.lab.second, screen.lab.first, "225.1.5.1");
  CHECK(video.passes());
  CHECK(other.passes());
  const auto learned = [&](const char* table) {
    const Json kernel = screen.json({"table", table})["routes"]["kernel"];
    return std::ranges::count_if(kernel, [](const Json& route) {
      return route["group"] == "225.1.4.1" || route["group"] == "225.1.5.1";
    });
  };
  CHECK(learned("100") == 1);
  CHECK(learned("253") == 1);
  CHECK(screen.daemon.ctl({"flush", "table", "video"}).exit_code == 0);
  CHECK(learned("100") == 0);
  CHECK(learned("253") == 1);
  CHECK(video.passes());
  CHECK(screen.daemon.ctl({"flush"}).exit_code == 0);
  CHECK(learned("253") == 0);
}

}  // namespace
}  // namespace mcast::testing
