// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <iosfwd>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/engine.hpp"
#include "tests/fake/fake_kernel.hpp"
#include "tests/property/oracle.hpp"

namespace mcast::testing {

/// What may happen. Numbers in a command choose among what there is, so that a history stays
/// meaningful when parts of it are taken away.
enum class Action : std::uint8_t {
  add_link,        ///< a: name; b odd: with the index it had before
  remove_link,     ///< a: which
  replace_link,    ///< a: which; b: same index, same incarnation (bits)
  rename_link,     ///< a: which; b: new name
  swap_names,      ///< a, b: which
  toggle_altname,  ///< a: which; b: alternative name
  toggle_flag,     ///< a: which; b odd: up, even: multicast
  give_address,    ///< a: which; an IPv4 address that nobody has
  take_address,    ///< a: which; c: one of its IPv4 addresses, or all
  share_address,   ///< a, b: whose first IPv4 address is given to whom
  configure,       ///< rules: the new configuration
  configure_same,
  add_route,     ///< rules.routes
  remove_route,  ///< a: which; b odd: rules.routes.front() as it is; c odd: only one output
  add_join,      ///< rules.joins
  remove_join,   ///< a: which
  transaction,   ///< rules.routes and rules.joins added; a odd: rolled back
  traffic,       ///< a: arrival; b: flow
  flush,
  fault,  ///< a: n-th call from now; b: kind
  lose_events,
  disorder_events,  ///< a: seed
  lose_table,       ///< a: family
};

struct Command {
  Action action = Action::add_link;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  RulesText rules;
  /// What happens afterwards: 0 to 4: all events are read and the kernel comes to rest; 5: events
  /// are read without taking steps; otherwise nothing.
  unsigned then = 0;
};
std::ostream& operator<<(std::ostream& out, const Command& command);

/// The names and flows that histories are about.
struct Universe {
  std::vector<std::string> names;
  std::vector<std::string> altnames;
  std::vector<std::string> patterns;  ///< what rules name: names, alternative names, wildcards
  std::vector<std::string> sources_ipv4, groups_ipv4;
  std::vector<std::string> sources_ipv6, groups_ipv6;
  bool native = false;  ///< some rules for a single group from any source are
  /// Every combination of a source and a group that is an address, not a range.
  [[nodiscard]] std::vector<FlowKey> flows() const;
};

/// By way of the parser. Throws Objection if it finds an error.
[[nodiscard]] Config to_config(const std::string& text);
[[nodiscard]] inline Config to_config(const RulesText& rules) {
  return to_config(to_string(rules));
}

/// Stands between the engine and the kernel, where planners are broken.
class Saboteur : public platform::MrouteKernel {
 public:
  explicit Saboteur(platform::MrouteKernel& kernel) : kernel_(kernel) {}
  Saboteur(const Saboteur&) = delete;
  Saboteur& operator=(const Saboteur&) = delete;
  /// The engine has no more steps for now.
  virtual void plan_ended() {}
  /// What the planner takes for the kernel's semantics.
  [[nodiscard]] virtual KernelTraits believed() const { return traits(); }
  /// Does not notice that an interface departed which is there again under another name.
  [[nodiscard]] virtual bool overlooks_renames() const { return false; }

  [[nodiscard]] const KernelTraits& traits() const override { return kernel_.traits(); }
  Result<void> adopt_table(platform::TableSocket s) override {
    return kernel_.adopt_table(std::move(s));
  }
  void close_table(TableKey table) override { kernel_.close_table(table); }
  Result<void> apply(const Op& op) override { return kernel_.apply(op); }
  Result<bool> slot_is_bound(TableKey t, VifIndex s) override {
    return kernel_.slot_is_bound(t, s);
  }
  Result<FlowCounters> counters(TableKey t, const FlowKey& f) override {
    return kernel_.counters(t, f);
  }
  [[nodiscard]] int upcall_descriptor(TableKey t) const override {
    return kernel_.upcall_descriptor(t);
  }
  Result<std::size_t> read_upcalls(TableKey t, std::size_t l, platform::UpcallSink& s) override {
    return kernel_.read_upcalls(t, l, s);
  }
  [[nodiscard]] Result<platform::UpcallCounts> upcall_counts(TableKey t) const override {
    return kernel_.upcall_counts(t);
  }
  [[nodiscard]] std::uint64_t change_count() const override { return kernel_.change_count(); }

 protected:
  platform::MrouteKernel& kernel_;
};
using MakeSaboteur = std::unique_ptr<Saboteur> (*)(platform::MrouteKernel&);

/// The engine, the fake kernel and the oracles, living through a history together.
class World final : private platform::LinkSink, private platform::UpcallSink {
 public:
  World(const KernelTraits& traits, const Universe& universe, MakeSaboteur sabotage = nullptr);
  ~World();

  /// Throws Objection if an oracle has one.
  void perform(const Command& command);
  /// Brings all to rest, then takes all rules away, which must leave nothing behind.
  void finish();
  /// What happened, step by step.
  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }

 private:
  class Watch;

  void link_changed(const Link& link) override;
  void link_removed(IfIndex index) override;
  void links_relearned(std::span<const Link> links) override {
    ++link_events_;
    engine_.links_relearned(links);
  }
  int link_events_ = 0;                  ///< passed on since last looked
  std::map<IfIndex, std::string> told_;  ///< the name of each, as last passed on
  void upcall(const Upcall& upcall) override;

  void act(const Command& command);
  [[nodiscard]] bool hides_replacement(const Command& command) const;
  void act_on_links(const Command& command);
  void act_on_addresses(const Command& command);
  [[nodiscard]] Address next_address();
  void act_on_rules(const Command& command);
  void add_link(const std::string& name, IfIndex index, std::uint64_t incarnation);
  [[nodiscard]] IfIndex pick(unsigned which) const;
  void configure(const RulesText& rules);
  void add(const RouteText& rule, RulesText& rules);
  void add(const JoinText& rule, RulesText& rules);
  void judge_refusal(const std::string& iif, const std::vector<std::string>& oifs,
                     const Error& error) const;
  void remove(const RouteText& rule);
  void traffic(Device from, const FlowKey& flow, bool at_rest);
  void read_upcalls();
  void open_tables();
  void lose_table(Family family);
  void add_fault(const Command& command);

  void converge();
  void rest();
  void judge_unchanged();
  [[nodiscard]] std::set<Address> native_groups() const;

  Universe universe_;
  std::vector<FlowKey> flows_;
  FakeKernel kernel_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Saboteur> saboteur_;
  Engine engine_;
  Oracle oracle_;
  RulesText rules_;
  Milliseconds now_ = 0;
  unsigned addresses_made_ = 0;
  int upcalls_read_ = 0;
  bool at_rest_ = false;  ///< while packets are sent: what the kernel reports is understood
  std::map<std::string, Link> former_;  ///< links that were, by name
  std::vector<std::string> log_;
};

}  // namespace mcast::testing
