// SPDX-License-Identifier: BSD-2-Clause
//
// When lists have a TABLE column, and what stands in it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/mcastctl_show.hpp"
#include "ipc/client.hpp"
#include "tests/unit/ipc_running_server.hpp"

using namespace mcast;
using namespace mcast::ipc;
using namespace mcast::testing;
using cli::List;
using cli::Question;

namespace {

using Table = std::optional<std::uint32_t>;

TableRow table(Family family, std::uint32_t id, std::string name, bool is_default = false) {
  TableRow row;
  row.family = family;
  row.table = id;
  row.name = std::move(name);
  row.is_default = is_default;
  return row;
}

RouteRow route(std::string group, Table id) {
  RouteRow row;
  row.group = std::move(group);
  row.iif = "eth0";
  row.oifs = {"eth1"};
  row.table = id;
  return row;
}

const std::vector<TableRow> kDefaults{table(Family::ipv4, 253, "", true),
                                      table(Family::ipv6, 254, "", true)};
const std::vector<TableRow> kSeveral{kDefaults[0], kDefaults[1],
                                     table(Family::ipv4, 100, "videowall"),
                                     table(Family::ipv6, 100, "videowall")};

/// What `question` prints, without headings unless asked for.
struct Screen {
  RunningServer server;

  std::string show(const Question& question) {
    auto client = Client::connect({.path = server.dir.socket(), .on_wait = {}});
    REQUIRE(client);
    std::string text;
    CHECK(cli::show(*client, question, [&](std::string_view piece) { text += piece; }));
    return text;
  }
  std::string rows(List list, bool detail = false) {
    return show({.list = list, .style = {.headings = false, .detail = detail}});
  }
  void give(const std::vector<TableRow>& tables, const std::vector<RouteRow>& routes) {
    server.with_stub([&](StubHandler& stub) {
      stub.tables = tables;
      stub.routes = routes;
    });
  }
};

}  // namespace

TEST_CASE("the default tables of both families are one: no column") {
  Screen screen;
  screen.give(kDefaults, {route("225.1.1.1", 253), route("ff2e::42", 254)});
  const std::string list = "(*, 225.1.1.1)                             eth0  eth1\n"
                           "(*, ff2e::42)                              eth0  eth1\n";
  CHECK(screen.rows(List::routes) == list + list + list);
  // Nor is there one because of tables that no row is of.
  screen.give(kSeveral, {route("225.1.1.1", 253), route("ff2e::42", 254)});
  CHECK(screen.rows(List::routes) == list + list + list);
  screen.give(kSeveral, {route("225.1.1.1", 100), route("ff2e::42", 100)});
  CHECK(screen.rows(List::routes) == list + list + list);
}

TEST_CASE("routes of several tables say theirs between IIF and OIFS, by name if there is one") {
  Screen screen;
  screen.give(kSeveral, {route("225.1.1.1", 253), route("ff2e::42", 100)});
  const std::string list = "(*, 225.1.1.1)                             eth0 253        eth1\n"
                           "(*, ff2e::42)                              eth0 videowall  eth1\n";
  CHECK(screen.rows(List::routes) == list + list + list);
  CHECK(screen.rows(List::routes, true)
            .starts_with("(*, 225.1.1.1)                             eth0 253                0     "
                         "     0  eth1\n"));
  const std::string text = screen.show({.list = List::routes});
  CHECK(text.find("\nROUTE (S,G)                                IIF TABLE      OIFS\n") !=
        std::string::npos);
  CHECK(screen.show({.list = List::routes, .style = {.detail = true}})
            .find("\nROUTE (S,G)                                IIF TABLE        PACKETS      BYTES"
                  "  OIFS\n") != std::string::npos);
}

TEST_CASE("all lists of one command have the same columns, however the tables are spread") {
  Screen screen;
  screen.server.with_stub([](StubHandler& stub) {
    stub.tables = kSeveral;
    stub.many = 10'000;  // exact routes of no table
    stub.routes = {route("225.1.1.1", 253), route("225.1.1.2", 100)};
  });
  const std::string text = screen.rows(List::routes);
  CHECK(text.starts_with("(*, 225.1.1.1)                             eth0 253        eth1\n"));
  CHECK(text.find("\n(10.0.0.9, 239.0.0.0)                      eth0 N/A        eth1 eth2\n") !=
        std::string::npos);
  CHECK(text.ends_with("(*, 225.1.1.2)                             eth0 videowall  eth1\n"));
}

TEST_CASE("interfaces say theirs after their slots, before their state") {
  Screen screen;
  screen.server.with_stub([](StubHandler& stub) {
    stub.tables = kSeveral;
    stub.interfaces = {{IfIndex(1), "lo", {}, {}, "up", 253}, {IfIndex(2), "eth0", 0, {}, "", 100}};
  });
  CHECK(screen.show({.list = List::interfaces}).find("\n INDEX PHYINT  VIF  MIF  TABLE\n") !=
        std::string::npos);
  CHECK(screen.rows(List::interfaces) == "     1 lo      N/A  N/A  253\n"
                                         "     2 eth0      0  N/A  videowall\n");
  CHECK(screen.show({.list = List::interfaces, .style = {.detail = true}})
            .find("\n INDEX PHYINT  VIF  MIF  TABLE      STATE\n") != std::string::npos);
  const std::string detail = screen.rows(List::interfaces, true);
  CHECK(detail.starts_with("     1 lo      N/A  N/A  253        up\n"
                           "     2 eth0      0  N/A  videowall\n"));
  CHECK(detail.find("\nIPv4 table 100 (videowall): 0 of 0 slots") != std::string::npos);
  screen.server.with_stub([](StubHandler& stub) { stub.interfaces[1].table = 253; });
  CHECK(screen.rows(List::interfaces) == "     1 lo      N/A  N/A\n     2 eth0      0  N/A\n");
}

TEST_CASE("the table of an interface that no rule has yet is known by its number") {
  Screen screen;
  screen.server.with_stub([](StubHandler& stub) {
    stub.tables = kDefaults;
    stub.interfaces = {{IfIndex(1), "lo", {}, {}, "up", 253}, {IfIndex(2), "eth0", 0, {}, "", 10}};
    stub.groups = {{{}, "225.1.1.1", "eth0", 10}, {{}, "225.1.1.1", "lo", 253}};
  });
  CHECK(screen.rows(List::interfaces).ends_with("     2 eth0      0  N/A  10\n"));
  CHECK(screen.rows(List::groups)
            .starts_with("(*, 225.1.1.1)                             eth0             10\n"));
}

TEST_CASE("groups say theirs after their interface") {
  Screen screen;
  screen.server.with_stub([](StubHandler& stub) {
    stub.tables = kSeveral;
    stub.groups = {{{}, "225.1.1.1", "eth0", 100}, {{}, "225.1.1.2", "eth+", {}}};
  });
  CHECK(screen.rows(List::groups) == "(*, 225.1.1.1)                             eth0\n"
                                     "(*, 225.1.1.2)                             eth+\n");
  screen.server.with_stub(
      [](StubHandler& stub) { stub.groups.push_back({{}, "ff2e::42", "eth1", 254}); });
  CHECK(screen.rows(List::groups) ==
        "(*, 225.1.1.1)                             eth0             videowall\n"
        "(*, 225.1.1.2)                             eth+             N/A\n"
        "(*, ff2e::42)                              eth1             254\n");
  CHECK(screen.show({.list = List::groups})
            .find("\nGROUP (S,G)                                IIF              TABLE\n") !=
        std::string::npos);
}

TEST_CASE("the daemon is told which table is meant, and columns are those of the whole host") {
  Screen screen;
  screen.server.with_stub([](StubHandler& stub) {
    stub.interfaces = {{IfIndex(1), "longername", {}, {}, "up", 253}};
    stub.tables = {kSeveral[2], kSeveral[3]};
    stub.routes = {route("225.1.1.1", 100)};
  });
  const Question question{.list = List::routes,
                          .only = DomainWords{DomainWords::Kind::vrf, "red"},
                          .style = {.headings = false}};
  const std::string line = "(*, 225.1.1.1)                             eth0        eth1\n";
  CHECK(screen.show(question) == line + line + line);
  CHECK(screen.server.with_stub([](const StubHandler& stub) { return stub.calls; }) ==
        std::vector<std::string>{"tables of vrf red", "interfaces", "routes 0 false of vrf red",
                                 "routes 1 false of vrf red", "routes 2 false of vrf red"});
}

TEST_CASE("a table that does not exist gives an error and no half a document") {
  RunningServer server;
  server.with_stub([](StubHandler& stub) {
    stub.failure = Failure{{ErrorCode::not_found, "no such table"}, {}, {}};
  });
  for (const auto list : {List::routes, List::groups, List::interfaces, List::pending}) {
    for (const bool json : {false, true}) {
      auto client = Client::connect({.path = server.dir.socket(), .on_wait = {}});
      REQUIRE(client);
      std::string text;
      const auto outcome = cli::show(
          *client,
          {.list = list, .only = DomainWords{DomainWords::Kind::table, "99"}, .json = json},
          [&](std::string_view piece) { text += piece; });
      REQUIRE_FALSE(outcome);
      CHECK(outcome.error().error.message == "no such table");
      CHECK(text.empty());
    }
  }
}
