// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/engine.hpp"
#include "core/link_table.hpp"
#include "core/memberships.hpp"
#include "core/multicast_rules.hpp"
#include "core/rule_store.hpp"
#include "core/table.hpp"
#include "core/table_allocator.hpp"

namespace mcast {

/// The engine's parts. Private to engine*.cpp.
struct Engine::State {
  State(const KernelTraits& kernel_traits, const EngineOptions& engine_options);

  KernelTraits traits;
  EngineOptions options;
  std::vector<Notice> notices;
  LinkTable links;
  RuleStore rules;
  Memberships memberships;
  std::map<TableKey, std::unique_ptr<Table>> tables;
  std::vector<std::string> files;
  /// The exceptions of routes that have any, which go with them. Numbers of rules from files are
  /// not used again, so those that were removed do no harm.
  using Route = std::tuple<Prefix, Prefix, InterfacePattern, Domain>;  ///< source, group, inbound
  std::map<Route, std::vector<std::uint32_t>> exceptions;
  bool native_by_default = false;  ///< see Config
  std::vector<std::pair<TableKey, VifIndex>> in_doubt;
  /// Interfaces that may have become or ceased to be announced, and what they were meanwhile.
  struct RouterNote {
    bool gone = false;
    std::set<Family> unable;  ///< down or without an address to speak from
  };
  std::map<IfIndex, RouterNote> router_links;
  /// What was last said about an interface, so that it is said once.
  std::map<IfIndex, std::string> link_notes;

  // Undoing a transaction: what was done, the last first.
  struct AddedRule {
    std::uint32_t id;
  };
  struct RemovedRule {
    std::uint32_t id;
    Rule rule;  ///< holds a reference to its path
  };
  struct AddedJoin {
    JoinWords words;
  };
  struct RemovedJoin {
    JoinRule rule;
  };
  using Undo = std::variant<AddedRule, RemovedRule, AddedJoin, RemovedJoin>;
  bool in_transaction = false;
  std::vector<Undo> undo_log;

  // Which tables there are, and which rule is where (engine_domains.cpp).
  /// In which tables the rules with a path are, by its number; never none.
  struct Placement {
    std::vector<TableId> ipv4;
    std::vector<TableId> ipv6;
    bool operator==(const Placement&) const = default;
    [[nodiscard]] const std::vector<TableId>& of(Family family) const {
      return family == Family::ipv4 ? ipv4 : ipv6;
    }
  };
  std::vector<Placement> placements;
  bool unsettled = false;  ///< interfaces changed since the placements were found
  MulticastRules multicast_rules;
  std::optional<AutoTables> auto_tables;
  TableAllocator allocator;
  /// What decides about an interface's place, as of then; none while there is but one table.
  struct Routing {
    TableId ipv4;
    TableId ipv6;
    IfIndex vrf;
    TableId own_table;  ///< of a VRF device
    std::string name;
    std::vector<std::string> altnames;
    bool operator==(const Routing&) const = default;
    [[nodiscard]] bool is_routed_as(const Routing& other) const {
      return ipv4 == other.ipv4 && ipv6 == other.ipv6 && vrf == other.vrf;
    }
  };
  std::map<IfIndex, Routing> routing;
  /// Nothing says that the default tables are not to be used.
  bool default_always = true;
  struct Opening {
    unsigned failures = 0;
    Milliseconds retry_at = 0;
    bool given_up = false;  ///< until somebody else opens it
  };
  std::map<TableKey, Opening> openings;

  [[nodiscard]] std::vector<TableId> tables_of(const Path& path, Family family) const;
  [[nodiscard]] std::map<IfIndex, Routing> find_routing() const;
  /// To be called for a path that has no rules yet.
  void note_path(std::uint32_t path);
  /// What the inbound interfaces of rules need that are to be spread over tables.
  [[nodiscard]] std::vector<TableNeed> table_needs() const;
  [[nodiscard]] std::set<TableId> tables_taken() const;
  /// Returns whether any interface has another table than before.
  bool allot_tables();
  [[nodiscard]] std::set<MulticastRule> wanted_multicast_rules(const LinkTable& table) const;
  /// What of their traffic does not reach the table for want of a multicast rule.
  [[nodiscard]] std::string misdirected(const Path& path, TableKey table) const;
  /// Makes rules be where they belong. To be called before they are looked at.
  void settle();
  void find_places(const std::map<IfIndex, Routing>& before);
  Table& table(TableKey key);
  void place(std::uint32_t rule);
  void unplace(std::uint32_t rule);
  void move(std::uint32_t rule, const std::vector<TableId>& to);
  void drop_copy(std::uint32_t original, std::uint32_t copy);
  void add_copy(std::uint32_t original, TableId table);
  void declare_tables(const Config& config);
  [[nodiscard]] bool is_wanted(const Table& table) const;
  [[nodiscard]] bool is_wanted(TableKey key) const;
  void plan_opening(Plan& plan, Milliseconds now);
  void plan_closing(Plan& plan);
  void acknowledge(const OpenTable& op, const Result<void>& outcome, Milliseconds now);
  void acknowledge(const CloseTable& op, const Result<void>& outcome);
  /// Open, or going to be.
  [[nodiscard]] bool comes(TableKey key) const;
  [[nodiscard]] std::optional<Milliseconds> opening_deadline() const;
  /// As declared, or the VRF's; empty if it has none.
  [[nodiscard]] std::string name_of(TableId table) const;
  /// Says once of a name after `vrf` that it is something else.
  void tell_false_vrfs();
  std::set<std::string> false_vrfs;  ///< as last told
  /// What is wrong with the name of a VRF, if it is that of something else.
  [[nodiscard]] Result<void> check_vrf(const Domain& domain) const;
  /// Why a rule of this domain is in no table.
  [[nodiscard]] std::string why_nowhere(const Path& path) const;

  Table& table_of(const Rule& rule) { return *tables.at({rule.group.family(), rule.table}); }
  [[nodiscard]] const Table& table_of(const Rule& rule) const {
    return *tables.at({rule.group.family(), rule.table});
  }
  [[nodiscard]] TableKey default_table(Family family) const {
    return {family, links.default_table(family)};
  }
  void update_claims();
  void claim(Table& table) const;
  void add_rule(const Prefix& source, const Prefix& group, const Path& path, Location where,
                bool native);
  void remove_rule(std::uint32_t id);
  /// The rules that a command for this route means: its own, or else exceptions of another one.
  [[nodiscard]] std::vector<std::uint32_t> rules_meant(const RouteWords& words);
  /// What goes with a route: its exceptions, and the joins of its word `join`.
  void remove_belongings(const RouteWords& words);
  void remember(Undo undo) {
    if (in_transaction) undo_log.push_back(std::move(undo));
  }
  void forget_undo();
  [[nodiscard]] Result<void> check_known(const InterfacePattern& pattern) const;
  [[nodiscard]] bool is_named_by_a_rule(const InterfacePattern& pattern) const;
  void note_link(const Link& link);
  /// Why the interface does not take part, or what is odd about it; empty if nothing.
  [[nodiscard]] std::string oddity(const Link& link) const;
  void departed(IfIndex index);
  /// What is shown for an active rule. Lines of one route add up to one row, that of the first:
  /// none for the others.
  [[nodiscard]] std::optional<Path> path_of_row(std::uint32_t id) const;
  // engine_routers.cpp
  void note_router(IfIndex link) { static_cast<void>(router_links[link]); }
  void note_router(const Link& link);
  void note_router_gone(IfIndex link) { router_links[link].gone = true; }
  void note_all_routers();
  void note_router_slot(const Op& op);
  [[nodiscard]] bool is_router_on(const Link& link, Family family) const;
  [[nodiscard]] std::string missing_inbound(const InterfacePattern& iif, const Domain& domain,
                                            const Table* table) const;
  [[nodiscard]] std::optional<TableId> table_shown(const Rule& rule) const;
  [[nodiscard]] std::optional<TableId> table_shown(const JoinRule& rule) const;
  [[nodiscard]] std::string missing(const InterfacePattern& pattern, const Table* table) const;
  [[nodiscard]] static std::string unusable(const Link& link, const Table& table);
  /// What rules that mean the interface wait for; empty if it is all right.
  [[nodiscard]] std::string waits_for(const Link& link) const;
  [[nodiscard]] std::pair<RuleState, std::string> state_of(std::uint32_t rule) const;
  [[nodiscard]] std::pair<RuleState, std::string> state_of(const JoinRule& rule) const;
};

}  // namespace mcast
