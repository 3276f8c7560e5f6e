// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/property/intent.hpp"

namespace mcast::testing {

/// `table ID` or `vrf NAME` before a rule; nothing if there is no name.
struct DomainText {
  bool is_vrf = false;
  std::string name;
  bool operator==(const DomainText&) const = default;
};
struct TableText {
  std::uint32_t id = 0;
  std::vector<std::string> iifs;
  bool operator==(const TableText&) const = default;
};
struct TableRoute {
  DomainText domain;
  RouteText route;
  bool operator==(const TableRoute&) const = default;
};
struct TableJoin {
  DomainText domain;
  JoinText join;
  bool operator==(const TableJoin&) const = default;
};
/// Rules for several tables.
struct TablesText {
  std::vector<TableText> tables;
  std::vector<TableRoute> routes;
  std::vector<TableJoin> joins;
  bool operator==(const TablesText&) const = default;
};
/// Nothing in them says that there are other tables than the default ones.
[[nodiscard]] bool is_plain(const TablesText& rules);
/// As in a configuration file.
[[nodiscard]] std::string to_string(const TableRoute& rule);
[[nodiscard]] std::string to_string(const TableJoin& rule);
[[nodiscard]] std::string to_string(const TablesText& rules);
/// [table T|vrf V] IIF [SOURCE] GROUP [OIF...]
[[nodiscard]] std::vector<std::string> words(const TableRoute& rule);
[[nodiscard]] std::vector<std::string> words(const TableJoin& rule);

/// What the kernel should hold and do where there are several tables: as Intent, worked out from
/// the rules and the interfaces alone. Slots are no object.
class TablesIntent {
 public:
  using Links = Intent::Links;
  /// `plain`: so was the configuration before commands added to it.
  TablesIntent(const TablesText& rules, bool plain, const Links& links,
               const std::vector<FlowKey>& flows, const KernelTraits& traits);

  struct OneTable {
    std::map<FlowKey, Intent::Answers> answers;
    std::set<Device> due;     ///< must have slots
    std::set<Device> may;     ///< may have them too
    bool needed = false;      ///< must be open
    bool acceptable = false;  ///< may be
    bool operator==(const OneTable&) const = default;
  };
  [[nodiscard]] const std::map<TableKey, OneTable>& tables() const { return tables_; }
  /// None if no rule has to do with the table.
  [[nodiscard]] const OneTable* table(TableKey key) const;
  /// What the rules of a table say of a flow that arrives on a device; none if no rule accepts it.
  [[nodiscard]] const Intent::Answer* answer(TableKey key, const FlowKey& flow, Device from) const;
  /// The table that is to route what arrives on the device.
  [[nodiscard]] TableId traffic_table(Family family, Device device) const {
    return traffic_.at({family, device});
  }
  [[nodiscard]] const std::set<MulticastRule>& multicast_rules() const { return multicast_rules_; }
  [[nodiscard]] const std::set<FakeKernel::Membership>& joins() const { return joins_; }

 private:
  std::map<TableKey, OneTable> tables_;
  std::map<std::pair<Family, Device>, TableId> traffic_;
  std::set<MulticastRule> multicast_rules_;
  std::set<FakeKernel::Membership> joins_;
};

}  // namespace mcast::testing
