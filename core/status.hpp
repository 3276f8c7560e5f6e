// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/address.hpp"
#include "core/config.hpp"
#include "core/ids.hpp"

namespace mcast {

/// Plain values for `show` and the log; copies, valid for ever.

enum class NoticeLevel : std::uint8_t { error, warning, info, debug };
struct Notice {
  NoticeLevel level = NoticeLevel::info;
  std::string text;
};

struct InterfaceStatus {
  IfIndex index;
  std::string name;
  TableId table;                ///< where IPv4 traffic that arrives on it is routed
  std::optional<VifIndex> vif;  ///< bound slot in that table
  std::optional<VifIndex> mif;  ///< bound slot in the table of its IPv6 traffic
  bool up = false;
  std::string note;  ///< why it does not count, or what is odd about it; empty if nothing
};

enum class RuleState : std::uint8_t {
  active,   ///< installed, or ready to learn
  waiting,  ///< an interface it names is absent
  refused,  ///< it cannot be carried out; the reason says why
};

struct RouteStatus {
  Prefix source;
  Prefix group;
  Path path;
  Location where;
  RuleState state = RuleState::active;
  std::string reason;
  bool native = false;         ///< to be forwarded by the kernel without asking about each source
  std::string why_not_native;  ///< why it is learned nevertheless; part of the reason
  std::optional<TableId> table{};  ///< none while it belongs nowhere: there is no such VRF
};

struct KernelRoute {
  TableKey table;
  FlowKey flow;
  std::string iif;
  std::vector<std::string> oifs;  ///< of bound slots, in slot order
  bool learned = false;           ///< by an upcall, stop filters included
  bool native = false;            ///< for any source: the flow's source is unspecified
  /// Whether the kernel tells the counters of this entry: of several for any source of a group it
  /// tells those of the last that was put.
  bool counted = true;
};

/// A flow that is in the kernel because of an upcall: a learned one or a stop filter.
struct LearnedFlow {
  TableKey table;
  FlowKey flow;
};

/// Part of a long list, and where to go on; `next` is none at the end.
template <class Row>
struct Page {
  std::vector<Row> rows;
  std::optional<std::uint64_t> next;
};

struct JoinStatus {
  JoinRule rule;
  RuleState state = RuleState::active;
  std::string reason;
  std::optional<TableId> table{};  ///< none if its interfaces do not all belong to one
};
struct JoinGroupStatus {
  std::string iif;
  std::optional<Address> source;
  Address group;
  TableId table{};  ///< that of the interface, for the group's family
};

struct PendingStatus {
  std::string kind;  ///< "mroute" or "mgroup" or "phyint"
  std::string iif;
  std::optional<Prefix> source;
  std::optional<Prefix> group;
  std::vector<std::string> oifs;
  std::string reason;
  Domain domain{};
  std::optional<TableId> table{};  ///< as of RouteStatus
};

struct TableStatus {
  TableKey table;
  bool open = false;
  std::string why_not;
  std::size_t slots = 0;
  std::size_t slots_used = 0;  ///< bound or reserved
  std::size_t entries = 0;     ///< in the kernel
  std::size_t learned = 0;
  std::size_t stop_filters = 0;
  std::string name{};  ///< as the configuration has it, or the VRF's; empty: none
};

struct VrfStatus {
  std::string name;
  TableId table;
};

}  // namespace mcast
