// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "ipc/codec.hpp"

using namespace mcast;
using namespace mcast::ipc;

namespace {

template <class Kind>
Kind through_the_wire(Kind request) {
  const auto call = decode_call(encode_call({request, false, true}));
  REQUIRE(call);
  CHECK(call->more);
  CHECK_FALSE(call->oneway);
  REQUIRE(std::holds_alternative<Kind>(call->request));
  return std::get<Kind>(call->request);
}

template <class Row>
Row through_the_wire_row(const Row& row) {
  const auto reply = decode_rows<Row>(encode_rows(std::vector<Row>{row}, true));
  REQUIRE(reply);
  CHECK(reply->continues);
  REQUIRE(reply->rows.size() == 1);
  return reply->rows.front();
}

}  // namespace

TEST_CASE("calls survive the wire") {
  const std::vector<Command> commands{{Verb::add, {"eth0", "\"q\\", "eth+"}},
                                      {Verb::remove, {}},
                                      {Verb::join, {"ünï"}},
                                      {Verb::leave, {""}}};
  CHECK(through_the_wire(Apply{commands}).commands == commands);
  CHECK(through_the_wire(GetInterfaceDescription{"a.b"}).interface == "a.b");
  through_the_wire(GetInfo{});
  through_the_wire(Reload{});
  through_the_wire(Flush{});
  through_the_wire(Kill{});
  through_the_wire(ShowInterfaces{});
  through_the_wire(ShowTables{});
  through_the_wire(ShowPending{});
  for (const auto list : {GroupList::configured, GroupList::kernel}) {
    CHECK(through_the_wire(ShowGroups{list}).list == list);
  }
  for (const auto list : {RouteList::any_source, RouteList::exact, RouteList::kernel}) {
    const auto back = through_the_wire(ShowRoutes{list, list == RouteList::exact});
    CHECK(back.list == list);
    CHECK(back.counters == (list == RouteList::exact));
  }
}

TEST_CASE("rows survive the wire") {
  const InterfaceRow interface{IfIndex(70000), "eth0", 31, std::nullopt, "down", 4294967295};
  CHECK(through_the_wire_row(interface) == interface);
  const GroupRow group{std::nullopt, "ff2e::42", "eth0", 100};
  CHECK(through_the_wire_row(group) == group);
  PendingRow pending{PendingKind::mgroup, "wg0", "10.0.0.9", "232.1.1.1", {"a", "b"}, "gone"};
  CHECK(through_the_wire_row(pending) == pending);
  pending.table = 10;
  pending.domain = DomainWords{DomainWords::Kind::vrf, "red"};
  CHECK(through_the_wire_row(pending) == pending);
  const TableRow table{Family::ipv6, 100, 32, 1, 2, 3, 4, 5, 6, "", "video", true};
  CHECK(through_the_wire_row(table) == table);

  RouteRow route{"10.0.0.9", "225.1.2.3", "eth0", {"eth1"}, {}, RouteState::refused, "no slot"};
  auto back = through_the_wire_row(route);
  CHECK(back.source == route.source);
  CHECK(back.group == route.group);
  CHECK(back.iif == route.iif);
  CHECK(back.oifs == route.oifs);
  CHECK_FALSE(back.counters);
  CHECK(back.state == route.state);
  CHECK(back.reason == route.reason);
  CHECK_FALSE(back.table);
  route.counters = FlowCounters{1, 0xffff'ffff'ffff'ffffU, 3};
  route.table = 253;
  back = through_the_wire_row(route);
  REQUIRE(back.counters);
  CHECK(back.counters->packets == 1);
  CHECK(back.counters->bytes == 0xffff'ffff'ffff'ffffU);
  CHECK(back.counters->wrong_interface == 3);
  CHECK(back.table == 253);
}

TEST_CASE("a question about one table survives the wire, and one about all asks as ever") {
  for (const auto kind : {DomainWords::Kind::table, DomainWords::Kind::vrf}) {
    const Selection only = DomainWords{kind, "blue"};
    CHECK(through_the_wire(Flush{only}).only == only);
    CHECK(through_the_wire(ShowInterfaces{only}).only == only);
    CHECK(through_the_wire(ShowTables{only}).only == only);
    CHECK(through_the_wire(ShowPending{only}).only == only);
    CHECK(through_the_wire(ShowGroups{GroupList::kernel, only}).only == only);
    CHECK(through_the_wire(ShowRoutes{RouteList::kernel, true, only}).only == only);
  }
  CHECK_FALSE(through_the_wire(ShowPending{}).only);
  // A daemon that does not know the parameter refuses it.
  CHECK(encode_call({Flush{}}).find("only") == std::string::npos);
  CHECK(encode_call({ShowRoutes{}}).find("only") == std::string::npos);
}

TEST_CASE("rows of a daemon that does not tell tables are understood") {
  const auto rows = decode_rows<InterfaceRow>(
      R"({"parameters":{"interfaces":[{"index":1,"name":"lo","vif":0,"mif":null,"state":""}]}})");
  REQUIRE(rows);
  CHECK_FALSE(rows->rows[0].table);
  CHECK(decode_rows<TableRow>(
      R"({"parameters":{"tables":[{"family":"ipv4","table":253,"slots":32,"slots_used":0,)"
      R"("entries":0,"learned":0,"stop_filters":0,"upcalls":0,"upcalls_lost":0,"why_not":""}]}})"));
}

TEST_CASE("an interface name that is no UTF-8 is replaced, not fatal") {
  const GroupRow group{std::nullopt, "225.1.1.1", "eth\xff"};
  CHECK(through_the_wire_row(group).iif == "eth\xef\xbf\xbd");
}

TEST_CASE("outcomes survive the wire with every error code") {
  const auto done = decode_outcome(encode_outcome(Remarks{"a", "b"}));
  REQUIRE(done);
  CHECK(*done == Remarks{"a", "b"});
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const auto failed = decode_outcome(encode_failure({{code, "why"}, {"x"}, 3}));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().error.code == code);
    CHECK(failed.error().error.message == "why");
    CHECK(failed.error().details == std::vector<std::string>{"x"});
    CHECK(failed.error().command == 3);
  }
}

TEST_CASE("a reply that is not understood is a connection failure") {
  for (const std::string_view text :
       {"", "[]", R"({"parameters":[]})", R"({"parameters":{"routes":[{}]}})",
        R"({"parameters":{"routes":7}})", R"({"continues":"x"})",
        R"({"error":"net.mcastd.control.Failed"})", R"({"parameters":{}})"}) {
    CAPTURE(text);
    const auto rows = decode_rows<RouteRow>(text);
    REQUIRE_FALSE(rows);
    CHECK(rows.error().error.code == ErrorCode::connection);
  }
  const auto foreign = decode_outcome(R"({"error":"org.varlink.service.MethodNotFound"})");
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().error.message.find("MethodNotFound") != std::string::npos);
}
