// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <iosfwd>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/engine.hpp"
#include "platform/converge.hpp"
#include "tests/fake/fake_kernel.hpp"
#include "tests/property/oracle.hpp"
#include "tests/property/tables_intent.hpp"

namespace mcast::testing {

/// What may happen where there are several tables. As in Command, numbers choose among what there
/// is.
enum class TableAction : std::uint8_t {
  add_link,      ///< a: name
  add_vrf,       ///< a: name; b: table
  remove_link,   ///< a: which
  recreate_vrf,  ///< a: which; b: table; c odd: with the index it had
  rename_link,   ///< a: which; b: new name
  swap_names,    ///< a, b: which
  enslave,       ///< a: which; b: VRF, or FIB
  release,       ///< a: which
  toggle_multicast,
  configure,  ///< rules
  configure_same,
  add_route,     ///< rules.routes
  remove_route,  ///< a: which; b odd: only its first output
  add_join,      ///< rules.joins
  remove_join,   ///< a: which
  traffic,       ///< a: arrival; b: flow
  fault,         ///< a: n-th call from now; b: kind; c: of which port
  lose_events,
  disorder_events,  ///< a: seed
  flush_multicast_rules,
};

struct TableCommand {
  TableAction action = TableAction::add_link;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  TablesText rules;
  unsigned then = 0;  ///< as in Command
};
std::ostream& operator<<(std::ostream& out, const TableCommand& command);

/// The names, tables and flows that histories are about.
struct TablesUniverse {
  std::vector<std::string> names;  ///< of interfaces
  /// Names that VRFs have, and now and then interfaces; none where interfaces belong to FIBs.
  std::vector<std::string> vrfs;
  std::vector<std::uint32_t> vrf_tables;
  std::vector<std::uint32_t> tables;  ///< that rules name
  std::vector<std::string> patterns;
  std::vector<std::string> sources_ipv4, groups_ipv4;
  std::vector<std::string> sources_ipv6, groups_ipv6;
  [[nodiscard]] std::vector<FlowKey> flows() const;
};

/// The engine, the fake kernel with its tables, VRFs and multicast rules, and the oracles.
class TablesWorld final : private platform::LinkSink, private platform::UpcallSink {
 public:
  TablesWorld(const KernelTraits& traits, const TablesUniverse& universe);
  ~TablesWorld();

  /// Throws Objection if an oracle has one.
  void perform(const TableCommand& command);
  /// Brings all to rest, sends a packet of every flow from everywhere, and then takes all rules
  /// away, which must leave nothing behind.
  void finish();
  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }
  /// Only the last part of what happens is to be remembered: for long histories.
  void keep_log_short() { log_limit_ = 2000; }

 private:
  class KernelWatch;
  class KeeperWatch;
  class RulesWatch;

  void link_changed(const Link& link) override { engine_.link_changed(link), ++link_events_; }
  void link_removed(IfIndex index) override { engine_.link_removed(index), ++link_events_; }
  void links_relearned(std::span<const Link> links) override {
    engine_.links_relearned(links);
    ++link_events_;
  }
  void upcall(const Upcall& upcall) override;

  // tables_actions.cpp
  void act(const TableCommand& command);
  void act_on_links(const TableCommand& command);
  void act_on_rules(const TableCommand& command);
  void add_link(const std::string& name, TableId vrf_table, IfIndex index = {});
  void remove_link(IfIndex index);
  void rename(IfIndex index, const std::string& name);
  void enslave(IfIndex index, IfIndex vrf);
  void move_to_fib(IfIndex index, TableId fib);
  [[nodiscard]] TableId free_vrf_table(unsigned which) const;
  [[nodiscard]] IfIndex pick(unsigned which, bool vrf) const;
  void configure(const TablesText& rules);
  void add(const TableRoute& rule);
  void add(const TableJoin& rule);
  void judge_refusal(const DomainText& domain, const std::string& iif,
                     const std::vector<std::string>& oifs, const Error& error) const;
  void remove(const TableRoute& rule);
  void fail_port(bool opens, unsigned n, ErrorCode code);

  void note(std::string line);
  void rest();
  void converge();
  void read_upcalls();
  void traffic(Device from, const FlowKey& flow);

  // tables_oracle.cpp
  void intend();
  void judge_step() const;
  void judge_rest();
  void judge_open() const;
  void judge_slots(TableKey table) const;
  void judge_flow(TableKey table, const FlowKey& flow) const;
  void judge_multicast_rules();
  void judge_memberships() const;
  void judge_status() const;
  /// What a packet that has just been sent must lead to.
  void judge_sent(Device from, const FlowKey& flow) const;
  [[nodiscard]] std::string name(Device device) const;
  [[nodiscard]] std::string names(const Devices& devices) const;

  TablesUniverse universe_;
  std::vector<FlowKey> flows_;
  FakeKernel kernel_;
  std::unique_ptr<KernelWatch> kernel_watch_;
  std::unique_ptr<KeeperWatch> keeper_watch_;
  std::unique_ptr<RulesWatch> rules_watch_;
  Engine engine_;
  TablesText rules_;
  bool plain_ = true;  ///< the configuration that was loaded last
  /// Rules and interfaces since the kernel was last at rest, the present ones last, and the intents
  /// of each with each: the engine may hear of either late.
  std::vector<std::pair<TablesText, bool>> past_rules_;
  std::vector<TablesIntent::Links> past_links_;
  std::vector<TablesIntent> intents_;  ///< the present one is last
  /// Flows of which packets have been sent: where these arrived decides about them too.
  std::set<FlowKey> seen_;
  Milliseconds now_ = 0;
  unsigned links_made_ = 0;
  int link_events_ = 0;
  int upcalls_read_ = 0;
  std::vector<std::string> log_;
  std::size_t log_limit_ = 0;
};

}  // namespace mcast::testing
