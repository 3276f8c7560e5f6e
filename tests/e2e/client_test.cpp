// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>
#include <net/if.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

/// The widths of the columns follow the longest name of the host, here five letters.
struct NamedLab : Lab {
  NamedLab() { net.plug("wlan0", second); }
};

constexpr const char* kConfig = "phyint eth0 enable\n"
                                "mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1 eth2\n"
                                "mroute from eth1 source 10.1.0.1 group 225.1.3.9\n"
                                "mroute from eth0 group 225.1.3.0/24 to eth1 eth2\n"
                                "mgroup from eth0 group 225.1.2.3\n"
                                "mgroup from eth0 source 10.0.0.9 group 232.1.2.0/30\n"
                                "mgroup from eth0 group ff2e::42\n";

constexpr const char* kRule =
    "===============================================================================\n";
constexpr const char* kLine =
    "_______________________________________________________________________________\n";

std::string output(const Daemon& daemon, const std::vector<std::string>& words) {
  const auto result = daemon.ctl_as("smcroutectl", words);
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  return result.out;
}

/// One row per interface of the namespace: a kernel may add tunnels of its own to each.
std::string interface_rows(const NetNamespace& net) {
  std::string rows;
  net.run([&] {
    struct if_nameindex* list = ::if_nameindex();
    for (auto* entry = list; entry->if_index != 0; ++entry) {
      const std::string_view name = entry->if_name;
      const std::string_view slot = name == "eth0"   ? "0"
                                    : name == "eth1" ? "1"
                                    : name == "eth2" ? "2"
                                                     : "N/A";
      rows += fmt::format("{:>6} {:<6} {:>4} {:>4}\n", entry->if_index, name, slot,
                          name == "eth0" ? "0" : "N/A");
    }
    ::if_freenameindex(list);
  });
  return rows;
}

TEST_CASE("show interfaces prints the columns that scripts scrape") {
  NamedLab lab;
  Daemon daemon(lab.router(), kConfig);
  const std::string rows = interface_rows(lab.router());
  CHECK(output(daemon, {"-p", "show", "interfaces"}) ==
        std::string(kRule) + " INDEX PHYINT  VIF  MIF\n" + kRule + rows);
  CHECK(output(daemon, {"-p", "-t", "show", "interfaces"}) == rows);
}

TEST_CASE("show groups prints the columns that scripts scrape") {
  NamedLab lab;
  Daemon daemon(lab.router(), kConfig);
  const std::string rows = "(*, 225.1.2.3)                             eth0\n"
                           "(10.0.0.9, 232.1.2.0/30)                   eth0\n"
                           "(*, ff2e::42)                              eth0\n";
  CHECK(output(daemon, {"-p", "show", "groups"}) ==
        std::string(kLine) + "Group Memberships Table\n" + kRule +
            "GROUP (S,G)                                IIF             \n" + kRule + rows);
  CHECK(output(daemon, {"-p", "-t", "show", "groups"}) == rows);
  const std::string detail = output(daemon, {"-p", "-d", "show", "groups"});
  CHECK(contains(detail, "Kernel Group Membership Table\n"));
  for (int i = 0; i < 4; ++i)
    CHECK(contains(detail, fmt::format("(10.0.0.9, 232.1.2.{})                      eth0\n", i)));
}

TEST_CASE("show routes prints the three tables that scripts scrape") {
  NamedLab lab;
  Daemon daemon(lab.router(), kConfig);
  const std::string heading =
      std::string(kRule) + "ROUTE (S,G)                                IIF    OIFS\n" + kRule;
  const std::string range = "(*, 225.1.3.0/24)                          eth0   eth1 eth2\n";
  const std::string exact = "(10.0.0.9, 225.1.2.3)                      eth0   eth1 eth2\n"
                            "(10.1.0.1, 225.1.3.9)                      eth1  \n";
  const std::string whole = std::string(kLine) + "(*,G) Template Rules\n" + heading + range +
                            kLine + "(S,G) Rules\n" + heading + exact + kLine +
                            "Kernel MFC Table\n" + heading + exact;
  CHECK(output(daemon, {"-p", "show", "routes"}) == whole);
  CHECK(output(daemon, {"-p", "show"}) == whole);
  CHECK(output(daemon, {"-p", "-t", "show", "routes"}) == range + exact + exact);
  const std::string detail = output(daemon, {"-p", "-d", "show", "routes"});
  CHECK(contains(detail,
                 "ROUTE (S,G)                                IIF      PACKETS      BYTES  OIFS\n"));
  CHECK(contains(detail,
                 "(10.1.0.1, 225.1.3.9)                      eth1           0          0 \n"));
}

TEST_CASE("show pending prints the rules that wait, as they were written") {
  Lab lab;
  Daemon daemon(lab.router(), "mroute from wg0 source 10.1.0.2 group 239.5.5.5 to eth1\n");
  const std::string pending = output(daemon, {"-p", "show", "pending"});
  CHECK(pending.starts_with("PENDING ROUTES AND GROUPS\n"));
  CHECK(contains(pending, "mroute  from wg0 source 10.1.0.2 group 239.5.5.5 to eth1"));
  daemon.write_config("");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(output(daemon, {"-p", "show", "pending"}) == "No pending routes or groups\n");
}

TEST_CASE("headings carry no control characters unless they go to a terminal") {
  NamedLab lab;
  Daemon daemon(lab.router(), kConfig);
  for (const char* what : {"routes", "groups", "interfaces", "pending"})
    CHECK_FALSE(contains(output(daemon, {"-p", "show", what}), "\x1b"));
}

TEST_CASE("JSON has every field of the compatible format") {
  Lab lab;
  Daemon daemon(lab.router(),
                std::string(kConfig) + "mroute from wg0 source 10.1.0.2 group 239.5.5.5 to eth1\n");
  const auto show = [&](const char* what) {
    return Json::parse(output(daemon, {"-j", "show", what}));
  };
  const auto has = [](const Json& list, const Json& wanted) {
    for (const Json& item : list) {
      Json trimmed = Json::object();
      for (const auto& [key, value] : wanted.items())
        if (item.contains(key)) trimmed[key] = item[key];
      if (trimmed == wanted) return true;
    }
    return false;
  };

  const Json interfaces = show("interfaces")["interfaces"];
  CHECK(has(interfaces,
            {{"index", lab.router().index_of("eth0")}, {"name", "eth0"}, {"vif", 0}, {"mif", 0}}));
  CHECK(has(interfaces, {{"index", 1}, {"name", "lo"}, {"vif", nullptr}, {"mif", nullptr}}));

  const Json groups = show("groups")["groups"];
  CHECK(has(groups["conf"], {{"source", nullptr}, {"group", "225.1.2.3"}, {"iif", "eth0"}}));
  CHECK(has(groups["conf"], {{"source", "10.0.0.9"}, {"group", "232.1.2.0/30"}, {"iif", "eth0"}}));
  CHECK(has(groups["kernel"], {{"source", "10.0.0.9"}, {"group", "232.1.2.3"}, {"iif", "eth0"}}));

  const Json routes = show("routes")["routes"];
  CHECK(has(routes["asm"], {{"source", nullptr},
                            {"group", "225.1.3.0/24"},
                            {"iif", "eth0"},
                            {"oifs", {"eth1", "eth2"}}}));
  CHECK(has(routes["ssm"], {{"source", "10.0.0.9"},
                            {"group", "225.1.2.3"},
                            {"iif", "eth0"},
                            {"oifs", {"eth1", "eth2"}}}));
  CHECK(has(routes["kernel"], {{"source", "10.0.0.9"},
                               {"group", "225.1.2.3"},
                               {"iif", "eth0"},
                               {"oifs", {"eth1", "eth2"}},
                               {"packets", 0},
                               {"bytes", 0}}));
  CHECK(has(
      routes["kernel"],
      {{"source", "10.1.0.1"}, {"group", "225.1.3.9"}, {"iif", "eth1"}, {"oifs", Json::array()}}));

  CHECK(has(show("pending")["pending"], {{"kind", "mroute"},
                                         {"iif", "wg0"},
                                         {"source", "10.1.0.2"},
                                         {"group", "239.5.5.5"},
                                         {"oifs", {"eth1"}}}));
}

TEST_CASE("a command may be shortened to any prefix that is not ambiguous") {
  NamedLab lab;
  Daemon daemon(lab.router(), kConfig);
  CHECK(output(daemon, {"-p", "s", "g"}) == output(daemon, {"-p", "show", "groups"}));
  CHECK(output(daemon, {"-p", "sh", "int"}) == output(daemon, {"-p", "show", "interfaces"}));
  CHECK(contains(output(daemon, {"ver"}), MCASTD_VERSION));
  const auto ambiguous = daemon.ctl({"re"});
  CHECK(ambiguous.exit_code == 64);
  CHECK(contains(ambiguous.err, "remove"));
  CHECK(contains(ambiguous.err, "reload"));
}

TEST_CASE("a batch is read from standard input") {
  Lab lab;
  Daemon daemon(lab.router(), "");
  const auto result = daemon.ctl({"-b"}, "# comment\n"
                                         "add eth0 10.1.0.2 239.1.1.1 eth1\n"
                                         "\n"
                                         "add eth0 10.1.0.2 239.1.1.2 eth1 eth2\n"
                                         "remove eth0 10.1.0.2 239.1.1.2 eth1\n"
                                         "join eth0 239.1.1.1\n");
  INFO(result);
  CHECK(result.exit_code == 0);
  CHECK(result.out.empty());
  Flow one(lab.sender, lab.first, "239.1.1.1");
  Flow two(lab.sender, lab.second, "239.1.1.2");
  Flow removed(lab.sender, lab.first, "239.1.1.2");
  CHECK(one.passes());
  CHECK(two.passes());
  CHECK(removed.blocked(one));
}

TEST_CASE("removing the last outbound interface leaves a stop filter, removing the route nothing") {
  NamedLab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"));
  CHECK(daemon.ctl({"remove", "eth0", "10.1.0.2", "239.1.1.1", "eth1"}).exit_code == 0);
  CHECK(contains(output(daemon, {"-p", "-t", "show"}),
                 "(10.1.0.2, 239.1.1.1)                      eth0  \n"));
  CHECK(daemon.ctl({"remove", "eth0", "10.1.0.2", "239.1.1.1"}).exit_code == 0);
  CHECK(output(daemon, {"-p", "-t", "show"}).empty());
}

TEST_CASE("help lists every command, and explains each") {
  const NetNamespace net;
  const auto help = run_program(net, {built_program("mcastctl"), "help"});
  CHECK(help.exit_code == 0);
  for (const char* command :
       {"add", "remove", "join", "leave", "flush", "kill", "reload", "version", "help", "show"}) {
    CAPTURE(std::string(command));
    CHECK(contains(help.out, command));
    const auto one = run_program(net, {built_program("mcastctl"), "help", command});
    CHECK(one.exit_code == 0);
    CHECK(contains(one.out, command));
  }
}

}  // namespace
}  // namespace mcast::testing
