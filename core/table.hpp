// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/flow_store.hpp"
#include "core/link_table.hpp"
#include "core/native_group.hpp"
#include "core/ops.hpp"
#include "core/result.hpp"
#include "core/rule_store.hpp"
#include "core/slot_table.hpp"
#include "core/status.hpp"
#include "core/traits.hpp"

namespace mcast {

/// A pattern that asks for slots without being part of a route: `phyint` and `mgroup` lines.
struct SlotClaim {
  InterfacePattern pattern;
  Location where;
  Domain domain;
};

/// What flows are forwarded by: the paths of all rules that concern them, usually one. Flows with
/// the same rules share a fanout, so that a link event is evaluated once for all of them.
struct Fanout {
  /// An inbound slot the rules allow, and the entry that follows from it.
  struct Candidate {
    VifIndex slot;
    bool present = false;  ///< false: the slot is reserved for an interface that departed
    std::uint32_t shape = kNone;
    bool operator==(const Candidate&) const = default;
  };
  std::vector<Candidate> candidates;
  std::uint32_t first_flow = kNone;  ///< list of its flows
};

/// What a table's rules have to do with one path.
struct PathUse {
  std::uint32_t rules = 0;           ///< how many have it
  std::uint32_t first_rule = kNone;  ///< rank of the earliest: its place in the order of slots
  /// Slots are short: all explicitly named interfaces do not fit (refused), or not all that match
  /// its wildcards (partial). For people; empty if neither.
  std::string refused;
  std::string partial;
};

/// One multicast routing table of the kernel: what is wanted of it, what it holds, and the steps
/// from the one to the other.
class Table {
 public:
  struct Limits {
    std::size_t stop_filters;
    std::size_t learned;
  };
  /// The references must outlive the table.
  Table(TableKey key, const FamilyTraits& traits, Limits limits, const LinkTable& links,
        RuleStore& rules, std::vector<Notice>& notices);

  [[nodiscard]] TableKey key() const { return key_; }
  void opened();
  void lost(std::string why);
  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] const std::string& why_not_open() const { return why_not_; }

  // --- Rules (table_rules.cpp) ---
  void attach(std::uint32_t rule);
  void detach(std::uint32_t rule);
  /// Between these two, `attach` is called for every rule there is; those attached before are
  /// forgotten. Flows whose rules come out the same are not touched.
  void begin_replacing_rules();
  void end_replacing_rules();
  void reserve_flows(std::size_t count) { flows_.reserve(count); }
  [[nodiscard]] bool has_rules() const { return rules_attached_ != 0; }
  /// Whether a phyint or mgroup line asks for a slot for an interface that exists.
  [[nodiscard]] bool is_claimed() const;
  void set_claims(std::vector<SlotClaim> claims);
  /// Rules of exactly this flow or template and inbound pattern.
  [[nodiscard]] std::vector<std::uint32_t> rules_for(const Prefix& source, const Prefix& group,
                                                     const InterfacePattern& iif) const;

  // --- Facts ---
  void link_changed(const Link& link);
  /// The traffic of some interface goes to another table than before, or to another VRF.
  void domains_changed() { resolve_needed_ = rematch_needed_ = true; }
  void link_departed(IfIndex link);
  void links_current() {
    recent_puts_ = {};
    recent_native_puts_ = {};
    recent_binds_.clear();
  }
  void slot_lost(VifIndex slot);
  void flow_in_doubt(const FlowKey& key);
  void upcall(const Upcall& upcall);
  void flush_learned();
  void learned_packets(const FlowKey& key, std::uint64_t packets);
  [[nodiscard]] std::vector<FlowKey> take_newly_learned() {
    return std::exchange(newly_learned_, {});
  }
  [[nodiscard]] const std::list<std::uint32_t>& learned() const { return learned_; }
  [[nodiscard]] const std::list<std::uint32_t>& stops() const { return stops_; }

  // --- Plans (table_plan.cpp) ---
  void plan(Plan& plan, Milliseconds now, std::size_t limit);
  void acknowledge(const PutMfc& op, const Result<void>& outcome, Milliseconds now);
  void acknowledge(const DropMfc& op, const Result<void>& outcome, Milliseconds now);
  void acknowledge(const BindVif& op, const Result<void>& outcome, Milliseconds now);
  void acknowledge(const UnbindVif& op, const Result<void>& outcome, Milliseconds now);
  [[nodiscard]] std::optional<Milliseconds> next_deadline() const;
  /// Finds out what the rules mean now, without planning anything.
  void resolve_if_needed() {
    if (open_ && resolve_needed_) resolve();
  }

  // --- Status ---
  [[nodiscard]] const SlotTable& slots() const { return slots_; }
  [[nodiscard]] const FlowStore& flows() const { return flows_; }
  [[nodiscard]] const MfcShape& shape(std::uint32_t id) const { return shapes_[id]; }
  [[nodiscard]] const PathUse& use_of_rule(std::uint32_t rule) const {
    return uses_[rules_[rule].path];
  }
  [[nodiscard]] TableStatus status() const;
  /// Why the kernel cannot forward here from or to an interface that rules mean, as the rest of a
  /// sentence about it; empty if it can.
  [[nodiscard]] std::string why_unusable(const Link& link) const;
  /// The same, of interfaces that rules of this table mean; as found when it last resolved.
  [[nodiscard]] const std::string& why_waiting(IfIndex link) const;
  /// By number; unused ones are not `in_use`.
  [[nodiscard]] const std::vector<NativeGroup>& native_groups() const { return native_groups_; }
  /// Why a rule that is to be native is learned; empty if it is native or not to be.
  [[nodiscard]] std::string why_not_native(const Rule& rule) const;

 private:
  using PathSet = std::vector<std::uint32_t>;     ///< numbers of paths, sorted
  using TemplateKey = std::pair<Prefix, Prefix>;  ///< group, source

  // table_rules.cpp
  void set_flow_fanout(std::uint32_t flow, std::uint32_t fanout);
  void unlink_flow(std::uint32_t flow);
  std::uint32_t acquire_fanout(const PathSet& paths);
  void note_use(std::uint32_t rule);
  void forget_use(std::uint32_t rule);
  std::uint32_t acquire_single_fanout(std::uint32_t rule);
  void release_fanout(std::uint32_t fanout);
  void update_flow_from_rules(std::uint32_t flow);
  void exact_rules_changed(std::uint32_t flow);
  /// Makes numbers of paths a set: sorted, each once.
  [[nodiscard]] static PathSet distinct(PathSet paths);
  [[nodiscard]] PathSet exact_paths(std::uint32_t flow) const;
  void mark_dirty(std::uint32_t flow);
  void collect_if_unused(std::uint32_t flow);
  void make_dynamic(std::uint32_t flow, Flow::Kind kind, VifIndex arrival);
  void leave_dynamic(std::uint32_t flow);
  void drop_dynamic(std::uint32_t flow);
  void enforce_limit(std::list<std::uint32_t>& list, std::size_t limit);
  void rematch_dynamic();
  struct Match {
    PathSet paths;
    std::uint32_t first_rule = kNone;
  };
  [[nodiscard]] Match match_template(const FlowKey& key, const Link& arrival) const;
  [[nodiscard]] bool is_allowed_exactly(std::uint32_t flow, const Link& arrival) const;
  void learn(std::uint32_t flow, VifIndex arrival);
  static void note_arrival(Flow& flow, VifIndex arrival);
  void follow_exact_rules(std::uint32_t flow, VifIndex arrival);

  // table_resolve.cpp
  void resolve();
  void assign_slots();
  std::vector<const Link*> admit(const std::vector<std::uint32_t>& paths_in_order);
  std::vector<const Link*> numbering(const std::vector<const Link*>& admitted,
                                     const std::vector<std::uint32_t>& paths_in_order) const;
  [[nodiscard]] bool names_exactly(const Path& path, const Link& link) const;
  [[nodiscard]] bool mentions(std::uint32_t path, const Link& link) const;
  [[nodiscard]] bool claims(const SlotClaim& claim, const Link& link) const;
  void resolve_fanout(std::uint32_t fanout);
  [[nodiscard]] PathSet accepting_paths(const PathSet& paths, const Link& arrival) const;
  [[nodiscard]] std::vector<std::uint32_t> best_paths(const PathSet& paths,
                                                      const Link& arrival) const;
  [[nodiscard]] MfcShape shape_for(const std::vector<std::uint32_t>& paths, VifIndex arrival) const;
  [[nodiscard]] std::vector<std::uint32_t> paths_in_order() const;
  void report(std::string& remembered, std::string now, const std::string& what);
  [[nodiscard]] std::string slot_holders() const;

  // table_binding.cpp
  [[nodiscard]] bool eligible(const Link& link) const;
  [[nodiscard]] bool is_bound(const Link& link) const;
  [[nodiscard]] bool lacks_address(const Link& link) const;
  [[nodiscard]] BindVif binding(VifIndex slot) const;
  void note_binding(const BindVif& op);
  void report_waiting(const std::set<IfIndex>& waiting);

  // table_native.cpp
  [[nodiscard]] std::uint32_t native_group(const Address& group) const;
  std::uint32_t make_native_group(const Address& group);
  void native_rules_changed(const Rule& rule, int more);
  [[nodiscard]] NativeRules native_rules(const Address& group) const;
  void classify_native_groups();
  std::uint32_t acquire_native_form(const NativeRules& rules);
  void release_native_form(std::uint32_t form);
  void resolve_native_forms();
  void resolve_native_form(std::uint32_t form);
  [[nodiscard]] NativeForm native_form(const NativeRules& rules, bool with_departed);
  [[nodiscard]] std::string add_native_entry(const NativeRules& rules, VifIndex slot,
                                             std::vector<MfcShape>& entries,
                                             NativeForm& form) const;
  [[nodiscard]] bool is_native(const Address& group) const;
  [[nodiscard]] bool serves_natively(const Address& group, VifIndex arrival) const;
  bool leave_to_native(const Address& group, VifIndex arrival);
  [[nodiscard]] MfcShape native_outputs(const Address& group, VifIndex arrival) const;
  void mark_unheard_flows();
  void flush_native_blocks();
  void note_native(NativeGroup& group);

  // table_native_plan.cpp
  void mark_native_dirty(std::uint32_t group);
  [[nodiscard]] std::vector<MfcShape> wanted_native(NativeGroup& group) const;
  void plan_native_reductions(Plan& plan);
  [[nodiscard]] MfcShape common_part(const MfcShape& have, const MfcShape& want) const;
  [[nodiscard]] bool is_postponed(std::uint32_t flow);
  [[nodiscard]] bool is_blocked_natively(VifIndex slot);
  void plan_native_groups(Plan& plan, std::size_t limit);
  [[nodiscard]] bool is_held_back(const NativeGroup& group) const;
  void plan_native_group(Plan& plan, NativeGroup& group);
  void lack_natively(const NativeGroup& group, const MfcShape& have, const MfcShape& want);
  void native_slot_bound(VifIndex slot);
  void acknowledge_native(const PutMfc& op, const Result<void>& outcome, Milliseconds now);
  void acknowledge_native(const DropMfc& op, const Result<void>& outcome, Milliseconds now);
  template <class Which>
  void forget_native(NativeGroup& group, Which which);
  void fail_native(std::uint32_t group, const Error& error, Milliseconds now);
  void wake_native_retries();
  void native_slot_departed(VifIndex slot);
  void lose_native();
  void native_in_doubt(const Address& group);

  // table_plan.cpp
  [[nodiscard]] std::uint32_t wanted_shape(const Flow& flow);
  [[nodiscard]] std::uint32_t stop_shape(VifIndex parent);
  [[nodiscard]] bool is_satisfied(const Flow& flow, std::uint32_t wanted) const;
  [[nodiscard]] bool may_put(VifIndex parent, const Address& group) const;
  [[nodiscard]] bool is_close_enough(const MfcShape& have, const MfcShape& want) const;
  [[nodiscard]] bool endangers(const MfcShape& have, const MfcShape* want, VifIndex slot) const;
  [[nodiscard]] bool endangers(const Flow& flow, std::uint32_t wanted, VifIndex slot) const;
  template <class Visit>
  void each_entry_with(VifIndex slot, const Visit& visit);
  void forget_entries_from(VifIndex slot);
  void look_at_entries_with(VifIndex slot);
  [[nodiscard]] bool may_name_unbound() const {
    return traits_.unbound_output == UnboundOutput::skipped;
  }
  [[nodiscard]] bool names_unbound(const MfcShape& have) const;
  void plan_shrinking(Plan& plan, const std::vector<VifIndex>& changing);
  void plan_flow(Plan& plan, std::uint32_t flow);
  void plan_refusal(Plan& plan, const Flow& flow) const;
  [[nodiscard]] bool is_blocked(VifIndex slot);
  [[nodiscard]] MfcShape restricted(const MfcShape& shape) const;
  void plan_slots(Plan& plan, Milliseconds now);
  void plan_dirty_flows(Plan& plan, std::size_t limit);
  bool note_stray(std::uint32_t flow, std::uint32_t wanted);
  void remember_lacking(const Flow& flow, const MfcShape& wanted);
  void observe(std::uint32_t flow, std::uint32_t shape);
  void tell_learned(std::uint32_t flow);
  void note_failure(const FlowKey& key, const Error& error, Milliseconds now);
  void fail_flow(std::uint32_t flow, const Error& error, Milliseconds now);
  void fail_slot(Slot& slot, const Error& error, Milliseconds now);
  void wake_retries(Milliseconds now);

  const TableKey key_;
  const FamilyTraits& traits_;
  const Limits limits_;
  const LinkTable& links_;
  RuleStore& rules_;
  std::vector<Notice>& notices_;

  bool open_ = false;
  std::string why_not_;
  bool resolve_needed_ = true;
  bool rematch_needed_ = false;
  bool has_vrfs_ = false;  ///< while it resolves
  /// Slots that another interface has got since: nothing is known of what arrives there.
  std::bitset<kMaxSlots> handed_over_;

  SlotTable slots_;
  /// Slots bound by an address since link events were last read to their end: an event that tells
  /// of another interface with the address may be waiting still.
  std::vector<VifIndex> recent_binds_;
  /// Interfaces that rules mean and that cannot be bound, and why, as last told.
  std::map<IfIndex, std::string> waiting_;
  FlowStore flows_;
  RefPool<MfcShape> shapes_;
  RefPool<PathSet> path_sets_;
  std::vector<Fanout> fanouts_;  ///< by number in path_sets_
  std::vector<PathUse> uses_;    ///< by number of the path
  std::vector<SlotClaim> claims_;
  std::size_t rules_attached_ = 0;

  /// First rule of the chain for each distinct template, and how many there are of each pair of
  /// prefix lengths: a lookup tries these pairs, longest group first, then longest source.
  std::map<TemplateKey, std::uint32_t> templates_;
  std::map<std::pair<unsigned, unsigned>, std::size_t, std::greater<>> template_lengths_;
  /// While rules are replaced: the fanouts that the old templates refer to.
  std::vector<std::uint32_t> old_template_fanouts_;

  std::vector<std::uint32_t> stop_shapes_;  ///< by slot
  std::vector<std::uint32_t> dirty_;
  std::size_t dirty_head_ = 0;
  std::vector<std::uint32_t> retries_;
  /// Flows put since link events were last read to their end: the kernel drops an output silently
  /// if its slot went before the put, and the event that tells may be waiting still.
  std::vector<std::uint32_t> recent_puts_;
  unsigned failures_ = 0;
  Milliseconds retry_at_ = 0;
  std::size_t entries_ = 0;

  /// The fanout of the last flow with a single rule: most flows share it with their neighbour.
  std::uint32_t recent_path_ = kNone;
  std::uint32_t recent_fanout_ = kNone;

  /// Flows of exact rules whose traffic arrives where none of these accepts it: stopped, or learned
  /// by a template. May hold some that have ceased to be.
  std::set<std::uint32_t> strays_;
  /// Learned flows and stop filters, the least recently used first.
  std::list<std::uint32_t> learned_;
  std::list<std::uint32_t> stops_;
  struct DynamicUse {
    std::list<std::uint32_t>::iterator position;  ///< in one of these
    std::optional<std::uint64_t> packets;         ///< as last counted
    bool told = false;                            ///< that it was learned
  };
  std::unordered_map<std::uint32_t, DynamicUse> dynamic_uses_;
  std::vector<FlowKey> newly_learned_;  ///< and installed, since last asked

  // Groups with rules that are to be native.
  std::map<Address, std::uint32_t> native_ids_;
  std::vector<NativeGroup> native_groups_;
  std::vector<std::uint32_t> native_free_;  ///< numbers to use again
  RefPool<NativeRules> native_rules_;
  std::vector<NativeForm> native_forms_;  ///< by number in native_rules_
  bool replacing_rules_ = false;
  std::set<std::uint32_t> unclassified_;  ///< groups whose rules may have changed
  std::vector<std::uint32_t> native_dirty_;
  std::vector<std::uint32_t> native_retries_;
  std::vector<std::uint32_t> recent_native_puts_;  ///< as recent_puts_
  bool native_changed_ = false;  ///< exact rules that allow several interfaces are to be asked
  /// By slot: forms with entries that were put without it because it was not bound then.
  std::array<std::set<std::uint32_t>, kMaxSlots> native_lacking_;
};

}  // namespace mcast
