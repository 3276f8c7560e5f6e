// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/ids.hpp"
#include "core/link.hpp"
#include "core/ops.hpp"
#include "core/result.hpp"
#include "core/router_discovery.hpp"
#include "core/status.hpp"
#include "core/traits.hpp"

namespace mcast {

struct EngineOptions {
  /// Tables that rules belong to which say nothing else.
  TableId default_ipv4;
  TableId default_ipv6;
  /// Most stop filters kept for flows that match nothing, and most learned flows, per table; the
  /// least recently used goes first.
  std::size_t max_stop_filters = 4096;
  std::size_t max_learned = 65536;
  /// A mgroup line that stands for more joins than this is refused.
  std::uint64_t max_joins_per_rule = kMaxJoinsPerRule;
  /// Most groups and sources joined, over all interfaces.
  std::size_t max_joined = std::size_t{1} << 20;
};

/// Turns intent (rules), facts (links, upcalls) and its own record of what the kernel holds (the
/// ledger) into plans. Events only mark what is dirty; `plan` compares and answers what to do next.
///
/// Makes no system call and reads no clock. Not thread safe: one thread calls everything.
class Engine {
 public:
  Engine(const KernelTraits& traits, const EngineOptions& options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // --- Tables ------------------------------------------------------------------------------------
  /// The table is ours and empty: plans may concern it from now on.
  void table_opened(TableKey table);
  /// It is not ours any more, `why` for people; the record of it is forgotten. It is not asked for
  /// again until it is opened.
  void table_lost(TableKey table, std::string why);
  /// Those that rules need and that are not open: plans open them one by one. A program that is not
  /// to start without them opens them itself.
  [[nodiscard]] std::vector<TableKey> tables_to_open();
  /// As configured.
  [[nodiscard]] const std::vector<TableRule>& declared_tables() const;
  /// What the kernel holds of multicast rules now, all of them, in its order: at start and whenever
  /// somebody may have changed them.
  void multicast_rules_learned(std::span<const KernelMulticastRule> rules);
  /// Ours that are in the kernel, to be dropped at the end.
  [[nodiscard]] std::vector<MulticastRule> multicast_rules() const;
  /// What would keep packets from these tables: rules of others, as learned last.
  [[nodiscard]] std::vector<std::string> multicast_rule_collisions(
      const std::vector<TableRule>& declared) const;

  // --- Intent ------------------------------------------------------------------------------------
  /// Replaces every rule, those added at run time too.
  void set_config(Config config);
  /// As the control commands of the same names. Errors: not_found for what does not exist,
  /// no_such_interface for an interface that neither exists nor is named by any rule.
  Result<void> add_route(const RouteWords& words);
  Result<void> remove_route(const RouteWords& words);
  Result<void> join(const JoinWords& words);
  Result<void> leave(const JoinWords& words);
  /// Run-time changes between begin and commit are one transaction: rollback undoes all of them.
  void begin();
  void commit();
  void rollback();
  /// Why a route added since `begin` could not be carried out at all, for want of slots; none if
  /// all can. Plans nothing, so that a rollback leaves the kernel untouched.
  [[nodiscard]] std::optional<std::string> refused_in_transaction();
  /// Drops learned flows and stop filters, of all tables or those of one number; traffic brings
  /// them back.
  void flush_learned(std::optional<TableId> table = std::nullopt);

  // --- Facts -------------------------------------------------------------------------------------
  void link_changed(const Link& link);
  void link_removed(IfIndex index);
  /// Links not in the list are gone. Slots may have been lost unseen: `slots_to_verify` lists them.
  void links_relearned(std::span<const Link> links);
  /// Bound slots whose binding is in doubt since events were lost; asking clears the list.
  [[nodiscard]] std::vector<std::pair<TableKey, VifIndex>> slots_to_verify();
  /// Every link event that the kernel had sent has been passed on. To be called whenever that is
  /// so: what was put since the last time is distrusted when an interface turns out to be gone.
  void links_current();
  /// Puts every bound slot on that list; how many there are.
  std::size_t doubt_slots();
  /// The kernel does not hold this binding any more.
  void slot_lost(TableKey table, VifIndex slot);
  /// The kernel's record of a flow differs from ours (an audit found out): it is written anew.
  void flow_in_doubt(TableKey table, const FlowKey& flow);
  void upcall(const Upcall& upcall, Milliseconds now);

  // --- Plans -------------------------------------------------------------------------------------
  /// The next steps, at most about `limit` of them except where order forbids to split. Every step
  /// must be acknowledged before the next call. Empty: nothing to do before `next_deadline`.
  [[nodiscard]] Plan plan(Milliseconds now, std::size_t limit = 4096);
  /// What became of a step of the last plan. A failed one is planned again, later and from what is
  /// intended then.
  void acknowledge(const Op& op, const Result<void>& outcome, Milliseconds now);
  /// When `plan` has to be called again without a new event; none if never.
  [[nodiscard]] std::optional<Milliseconds> next_deadline() const;
  /// Facts worth a line in the log since the last call: rules refused, steps failed, interfaces
  /// that do not count, and that these conditions ended.
  [[nodiscard]] std::vector<Notice> take_notices();

  /// Where this host has begun or ceased to be a multicast router that is to be announced since the
  /// last call. A departure stands before what became of the interface afterwards.
  [[nodiscard]] std::vector<RouterLinkChange> take_router_links();

  // --- Learned flows -----------------------------------------------------------------------------
  /// Flows that were learned and installed since the last call, stop filters not included.
  [[nodiscard]] std::vector<FlowKey> take_newly_learned();
  /// Whether there is any flow that is in the kernel because of an upcall.
  [[nodiscard]] bool has_learned() const;
  /// All of them, in pages as the lists below.
  [[nodiscard]] Page<LearnedFlow> learned_flows(std::uint64_t from, std::size_t limit) const;
  /// As many packets have come through such a flow so far. It is forgotten if they were as many the
  /// last time; otherwise it was used more recently than all others.
  void learned_packets(TableKey table, const FlowKey& flow, std::uint64_t packets);

  // --- Status ------------------------------------------------------------------------------------
  [[nodiscard]] std::vector<InterfaceStatus> interfaces() const;
  /// Lists come in pages: the first call passes 0, each further one the last page's `next`. A page
  /// holds at most `limit` rows and may hold fewer, even none, before the end.
  ///
  /// Configured rules in configuration order: those of one source and one group, or the others.
  enum class RuleKind : std::uint8_t { exact, templates };
  [[nodiscard]] Page<RouteStatus> route_rules(RuleKind kind, std::uint64_t from,
                                              std::size_t limit) const;
  /// What the kernel forwards or blocks now: entries whose inbound interface is there.
  [[nodiscard]] Page<KernelRoute> kernel_routes(std::uint64_t from, std::size_t limit) const;
  [[nodiscard]] std::vector<JoinStatus> join_rules() const;
  [[nodiscard]] std::vector<JoinGroupStatus> kernel_joins() const;
  /// Rules that do not work completely, and why.
  [[nodiscard]] Page<PendingStatus> pending(std::uint64_t from, std::size_t limit) const;
  [[nodiscard]] std::vector<TableStatus> tables() const;
  /// Those of the host, with rules or without.
  [[nodiscard]] std::vector<VrfStatus> vrfs() const;
  /// Where rules came from; Location::file indexes it.
  [[nodiscard]] const std::vector<std::string>& files() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mcast
