// SPDX-License-Identifier: BSD-2-Clause
#include "core/ops.hpp"

#include <doctest/doctest.h>

using namespace mcast;

TEST_CASE("each step of a plan can be read in a log") {
  const TableKey table{Family::ipv4, TableId(253)};
  const FlowKey flow{Address::parse("10.0.0.9").value(), Address::parse("225.1.2.3").value()};
  MfcShape shape;
  shape.parent = VifIndex(2);
  CHECK(to_string(Op(PutMfc{table, flow, shape})) ==
        "put (10.0.0.9, 225.1.2.3) in IPv4 table 253: parent 2, outputs none");
  shape.ttls[0] = 1;
  shape.ttls[31] = 16;
  CHECK(to_string(Op(PutMfc{table, flow, shape})) ==
        "put (10.0.0.9, 225.1.2.3) in IPv4 table 253: parent 2, outputs 0 31(ttl>16)");
  CHECK(to_string(Op(DropMfc{table, flow, VifIndex(2)})) ==
        "drop (10.0.0.9, 225.1.2.3) from IPv4 table 253: parent 2");
  CHECK(to_string(Op(BindVif{table, VifIndex(3), IfIndex(7), 1, std::nullopt})) ==
        "bind slot 3 of IPv4 table 253 to ifindex 7, threshold 1");
  CHECK(to_string(Op(BindVif{table, VifIndex(3), IfIndex(7), 1, flow.source})) ==
        "bind slot 3 of IPv4 table 253 to ifindex 7, threshold 1, address 10.0.0.9");
  CHECK(to_string(Op(UnbindVif{table, VifIndex(3)})) == "unbind slot 3 of IPv4 table 253");
  CHECK(to_string(Op(JoinGroup{IfIndex(7), std::nullopt, flow.group})) ==
        "join (*, 225.1.2.3) on ifindex 7");
  CHECK(to_string(Op(LeaveGroup{IfIndex(7), flow.source, flow.group})) ==
        "leave (10.0.0.9, 225.1.2.3) on ifindex 7");
}
