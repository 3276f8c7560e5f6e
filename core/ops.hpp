// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/address.hpp"
#include "core/ids.hpp"

namespace mcast {

/// What an MFC entry says besides its (S,G).
struct MfcShape {
  VifIndex parent;
  /// Per slot: 0 is not an output; otherwise a packet leaves if its TTL is greater than this. IPv6
  /// kernels only ask whether it is non-zero.
  std::array<std::uint8_t, kMaxSlots> ttls{};

  auto operator<=>(const MfcShape&) const = default;
  [[nodiscard]] bool mentions(VifIndex slot) const {
    return parent == slot || ttls[slot.value] != 0;
  }
};

/// Add an entry or replace it in place.
struct PutMfc {
  TableKey table;
  FlowKey flow;
  MfcShape shape;
  bool operator==(const PutMfc&) const = default;
};
struct DropMfc {
  TableKey table;
  FlowKey flow;
  VifIndex parent;
  bool operator==(const DropMfc&) const = default;
};
struct BindVif {
  TableKey table;
  VifIndex slot;
  IfIndex link;
  std::uint8_t threshold = 1;
  /// A local IPv4 address of the interface where KernelTraits say that binding needs one.
  std::optional<Address> address;
  bool operator==(const BindVif&) const = default;
};
struct UnbindVif {
  TableKey table;
  VifIndex slot;
  bool operator==(const UnbindVif&) const = default;
};
/// Receive a group on an interface; `source` for a source-specific join.
struct JoinGroup {
  IfIndex link;
  std::optional<Address> source;
  Address group;
  auto operator<=>(const JoinGroup&) const = default;
};
/// Also given for an interface that is gone: the kernel keeps the membership on the socket then.
struct LeaveGroup {
  IfIndex link;
  std::optional<Address> source;
  Address group;
  auto operator<=>(const LeaveGroup&) const = default;
};

/// Take a routing table that other programs may have as well as we; see platform::TableKeeper.
struct OpenTable {
  TableKey table;
  bool operator==(const OpenTable&) const = default;
};
/// Give it up with all that it holds.
struct CloseTable {
  TableKey table;
  bool operator==(const CloseTable&) const = default;
};

/// A rule by which the kernel chooses the table of a packet (`ip mrule`).
struct MulticastRule {
  enum class Match : std::uint8_t {
    inbound,  ///< packets that arrive on the interface
    sent,     ///< packets that this host itself sends on the interface
  };
  TableKey table;
  Match match = Match::inbound;
  std::string interface;  ///< need not exist: the kernel applies the rule whenever it does
  auto operator<=>(const MulticastRule&) const = default;
};
/// The kernel asks its rules in the order of their priorities. Ours stand before the one that
/// it makes for VRFs (1000) and its last one, for the default table (32767).
[[nodiscard]] constexpr std::uint32_t priority_of(MulticastRule::Match match) {
  return match == MulticastRule::Match::inbound ? 800 : 801;
}
/// rtnetlink's protocol number that tells our rules from those of others; free in rtnetlink.h and
/// in iproute2's rt_protos.
inline constexpr std::uint8_t kMulticastRuleProtocol = 77;

/// A multicast rule as the kernel holds it, whoever made it.
struct KernelMulticastRule {
  /// Without an interface: packets of every interface. Table 0: it leads to none.
  MulticastRule rule;
  std::uint32_t priority = 0;
  /// It is as we make them, protocol and priority included; another instance's are too.
  bool ours = false;
  /// rtnetlink's protocol of its maker, for messages: "static", "kernel", "77".
  std::string made_by;
  /// As words of `ip mrule add` and `ip mrule del`: "iif eth0 table 10 pref 800".
  std::string words;
  /// It is ours by its looks, and another instance that is running has its table.
  bool of_other_instance = false;
  bool operator==(const KernelMulticastRule&) const = default;
};

struct AddMulticastRule {
  MulticastRule rule;
  bool operator==(const AddMulticastRule&) const = default;
};
struct DropMulticastRule {
  MulticastRule rule;
  bool operator==(const DropMulticastRule&) const = default;
};

using Op = std::variant<PutMfc, DropMfc, BindVif, UnbindVif, JoinGroup, LeaveGroup, OpenTable,
                        CloseTable, AddMulticastRule, DropMulticastRule>;

/// Steps in the order they must be executed. Each is acknowledged to the engine before the next
/// plan is asked for; an empty plan means that the kernel is as intended.
using Plan = std::vector<Op>;

/// For logs and test failures.
[[nodiscard]] std::string to_string(const Op& op);

/// What the kernel asks or reports about a flow.
struct Upcall {
  enum class Kind : std::uint8_t {
    no_cache,   ///< no entry for the flow; up to four packets wait for one
    wrong_vif,  ///< a packet arrived on another interface than the entry's parent
  };
  Kind kind = Kind::no_cache;
  TableKey table;
  FlowKey flow;
  VifIndex arrived_on;
};

/// The kernel's counters of one MFC entry.
struct FlowCounters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t wrong_interface = 0;
};

}  // namespace mcast
