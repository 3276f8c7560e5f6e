// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "cli/mcastctl_render.hpp"
#include "cli/mcastctl_report.hpp"

using namespace mcast;
using namespace mcast::cli;

// What is expected here is what scripts written for SMCRoute read: trailing blanks belong to it.

namespace {

constexpr std::string_view kDouble =
    "===============================================================================\n";
constexpr std::string_view kSingle =
    "_______________________________________________________________________________\n";

std::string lines(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const auto part : parts) text += part;
  return text;
}

ipc::RouteRow route(std::optional<std::string> source, std::string group, std::string iif,
                    std::vector<std::string> oifs) {
  ipc::RouteRow row;
  row.source = std::move(source);
  row.group = std::move(group);
  row.iif = std::move(iif);
  row.oifs = std::move(oifs);
  return row;
}

}  // namespace

TEST_CASE("interfaces are listed as ever") {
  const TextStyle style;
  CHECK(interface_heading(style, 4) == lines({kDouble, " INDEX PHYINT  VIF  MIF\n", kDouble}));
  CHECK(to_text(style, ipc::InterfaceRow{IfIndex(1), "lo", {}, {}, "up"}, 4) ==
        "     1 lo      N/A  N/A\n");
  CHECK(to_text(style, ipc::InterfaceRow{IfIndex(3), "eth0", 0, 0, "up"}, 4) ==
        "     3 eth0      0    0\n");
  CHECK(interface_heading(style, 13) ==
        lines({kDouble, " INDEX PHYINT         VIF  MIF\n", kDouble}));
  CHECK(to_text(style, ipc::InterfaceRow{IfIndex(3), "longname00123", 1, 31, "up"}, 13) ==
        "     3 longname00123    1   31\n");
}

TEST_CASE("groups are listed as ever") {
  const TextStyle style;
  CHECK(title(style, "Group Memberships Table") == lines({kSingle, "Group Memberships Table\n"}));
  CHECK(group_heading(style) ==
        lines({kDouble, "GROUP (S,G)                                IIF             \n", kDouble}));
  CHECK(to_text(style, ipc::GroupRow{{}, "225.1.2.3", "eth0"}) ==
        "(*, 225.1.2.3)                             eth0\n");
  CHECK(to_text(style, ipc::GroupRow{"10.0.0.9", "232.1.2.0/30", "eth0"}) ==
        "(10.0.0.9, 232.1.2.0/30)                   eth0\n");
  CHECK(to_text(style, ipc::GroupRow{{}, "ff2e::42", "eth0"}) ==
        "(*, ff2e::42)                              eth0\n");
}

TEST_CASE("routes are listed as ever") {
  TextStyle style;
  const std::size_t width = 5;
  CHECK(route_heading(style, width) ==
        lines({kDouble, "ROUTE (S,G)                                IIF    OIFS\n", kDouble}));
  CHECK(to_text(style, route({}, "225.1.3.0/24", "eth0", {"eth1", "eth2"}), width) ==
        "(*, 225.1.3.0/24)                          eth0   eth1 eth2\n");
  CHECK(to_text(style, route("10.1.0.1", "225.1.3.9", "eth1", {}), width) ==
        "(10.1.0.1, 225.1.3.9)                      eth1  \n");
  style.detail = true;
  CHECK(route_heading(style, width) ==
        lines({kDouble,
               "ROUTE (S,G)                                IIF      PACKETS      BYTES  OIFS\n",
               kDouble}));
  auto counted = route("10.1.0.1", "225.1.3.9", "eth1", {});
  counted.counters = FlowCounters{2, 168, 0};
  CHECK(to_text(style, counted, width) ==
        "(10.1.0.1, 225.1.3.9)                      eth1           2        168 \n");
  counted.oifs = {"eth0"};
  CHECK(to_text(style, counted, width) ==
        "(10.1.0.1, 225.1.3.9)                      eth1           2        168  eth0\n");
}

TEST_CASE("a rule is as long as the heading it belongs to") {
  const TextStyle style{.detail = true};
  const std::string heading = route_heading(style, 13);
  CHECK(heading.starts_with(std::string(84, '=') + "\nROUTE (S,G) "));
  CHECK(heading.ends_with(" OIFS\n" + std::string(84, '=') + "\n"));
}

TEST_CASE("pending rules are listed as ever, with the reason in detail") {
  TextStyle style;
  CHECK(pending_heading(style) == "PENDING ROUTES AND GROUPS\n");
  const ipc::PendingRow row{ipc::PendingKind::mroute, "wg0", {}, "239.5.5.5", {"eth1"}, "no wg0"};
  CHECK(to_text(style, row) == "mroute  from wg0 group 239.5.5.5 to eth1\n");
  CHECK(
      to_text(style,
              ipc::PendingRow{ipc::PendingKind::mgroup, "wg0", "10.0.0.9", "232.1.1.1", {}, ""}) ==
      "mgroup  from wg0 source 10.0.0.9 group 232.1.1.1\n");
  CHECK(to_text(style, ipc::PendingRow{ipc::PendingKind::phyint, "wg0", {}, "", {}, ""}) ==
        "phyint  wg0\n");
  style.detail = true;
  CHECK(to_text(style, row) == "mroute  from wg0 group 239.5.5.5 to eth1  # no wg0\n");
  auto placed = row;
  placed.domain = ipc::DomainWords{ipc::DomainWords::Kind::table, "video"};
  CHECK(to_text(style, placed) ==
        "mroute  table video from wg0 group 239.5.5.5 to eth1  # no wg0\n");
  placed.kind = ipc::PendingKind::phyint;
  placed.oifs = {};
  placed.domain = ipc::DomainWords{ipc::DomainWords::Kind::vrf, "red"};
  CHECK(to_text(style, placed) == "phyint  wg0 vrf red  # no wg0\n");
}

TEST_CASE("headings are drawn on a terminal and left out on request") {
  const TextStyle drawn{.drawn = true, .width = 20};
  CHECK(title(drawn, "Title") == "\x1b[4m                    \x1b[0m\nTitle\n");
  CHECK(pending_heading(drawn) == "\x1b[7mPENDING ROUTES AND GROUPS\x1b[0m\n");
  CHECK(interface_heading(TextStyle{.drawn = true, .width = 30}, 4) ==
        "\x1b[7m INDEX PHYINT  VIF  MIF       \x1b[0m\n");
  const TextStyle none{.headings = false};
  CHECK(title(none, "Title").empty());
  CHECK(interface_heading(none, 4).empty());
  CHECK(group_heading(none).empty());
  CHECK(route_heading(none, 4).empty());
  CHECK(pending_heading(none).empty());
}

TEST_CASE("JSON has the fields that programs expect, in their order") {
  CHECK(to_json(ipc::InterfaceRow{IfIndex(3), "eth0", 0, {}, "up"}) ==
        R"({"index":3,"name":"eth0","vif":0,"mif":null,"state":"up","table":null})");
  CHECK(to_json(ipc::GroupRow{{}, "225.1.2.3", "eth0", 100}) ==
        R"({"source":null,"group":"225.1.2.3","iif":"eth0","table":100})");
  auto row = route("10.0.0.9", "225.1.2.3", "eth0", {"eth1", "eth2"});
  CHECK(to_json(row) ==
        R"({"source":"10.0.0.9","group":"225.1.2.3","iif":"eth0","oifs":["eth1","eth2"],)"
        R"("table":null})");
  row.oifs.clear();
  row.counters = FlowCounters{1, 2, 3};
  row.table = 253;
  CHECK(to_json(row) == R"({"source":"10.0.0.9","group":"225.1.2.3","iif":"eth0","oifs":[],)"
                        R"("packets":1,"bytes":2,"wrong_interface":3,"table":253})");
  CHECK(to_json(ipc::PendingRow{ipc::PendingKind::mroute, "wg0", {}, "239.5.5.5", {"eth1"}, "x"}) ==
        R"({"kind":"mroute","iif":"wg0","source":null,"group":"239.5.5.5","oifs":["eth1"],)"
        R"("reason":"x","table":null,"domain":null})");
  CHECK(to_json(ipc::PendingRow{ipc::PendingKind::phyint,
                                "wg0",
                                {},
                                "",
                                {},
                                "x",
                                10,
                                ipc::DomainWords{ipc::DomainWords::Kind::vrf, "red"}}) ==
        R"({"kind":"phyint","iif":"wg0","source":null,"group":null,"oifs":[],"reason":"x",)"
        R"("table":10,"domain":{"kind":"vrf","name":"red"}})");
}

TEST_CASE("a failure is told in as few lines as it needs") {
  using Lines = std::vector<std::string>;
  CHECK(describe({{ErrorCode::not_found, "no such route"}, {}, {}}) == Lines{"no such route"});
  CHECK(describe({{ErrorCode::config, "1 error"}, {"a.conf:2:1: no"}, {}}) ==
        Lines{"a.conf:2:1: no"});
  CHECK(describe({{ErrorCode::config, "2 errors"}, {"a:1: x", "a:2: y"}, {}}) ==
        Lines{"a:1: x", "a:2: y", "2 errors"});
  CHECK(describe({{ErrorCode::not_found, "no such route"}, {}, 1}, {3, 9}) ==
        Lines{"line 9: no such route"});
}
