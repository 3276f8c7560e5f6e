// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "platform/ports.hpp"
#include "tests/fake/habits.hpp"

namespace mcast::testing {

/// One interface from its creation to its removal. Names and indices come back, devices never do,
/// so that tests judge where packets really go.
using Device = StrongId<struct DeviceTag, std::uint32_t>;
/// Sorted, without repetitions.
using Devices = std::vector<Device>;

/// A multicast routing kernel in memory: all its ports over one state, with the odd semantics
/// that KernelTraits name. What it does beyond them is in habits.hpp where kernels differ,
/// otherwise Linux's (net/ipv4/ipmr.c, net/ipv6/ip6mr.c), held to that by the contract tests.
class FakeKernel final : public platform::MrouteKernel,
                         public platform::TableKeeper,
                         public platform::MulticastRuleSocket,
                         public platform::LinkSource {
 public:
  explicit FakeKernel(const KernelTraits& traits);

  // --- What happens to interfaces; each leaves an event
  // -------------------------------------------
  /// An index of 0 asks for the next one. `link.incarnation` is kept if it is not 0.
  Device add_link(Link link);
  void remove_link(IfIndex index);
  void rename_link(IfIndex index, const std::string& name);
  /// Another network namespace or jail gets it: it is gone from here, and keeps nothing of its
  /// addresses.
  void lend_link(IfIndex index);
  /// It comes back as the device it was, with the name and the index it had, and down.
  void return_link(Device device);
  /// Changes anything but index and name.
  void change_link(IfIndex index, const std::function<void(Link&)>& edit);

  struct Present {
    Link link;
    Device device;
    bool operator==(const Present&) const = default;
  };
  [[nodiscard]] const std::map<IfIndex, Present>& links() const { return links_; }
  [[nodiscard]] const Present* find_link(std::string_view name) const;
  [[nodiscard]] const Present* find_device(Device device) const;

  // --- Events
  // --------------------------------------------------------------------------------------
  [[nodiscard]] bool events_wait() const { return overflowed_ || !events_.empty(); }
  /// What waits is thrown away, as when the socket's buffer was full: the next read learns anew.
  void lose_events();
  /// Delivers only the first `count` of those that wait.
  void deliver_some(platform::LinkSink& sink, std::size_t count);
  /// Mixes the events of different interfaces, keeping the order of each one's, and doubles some.
  void disorder_events(std::uint32_t seed);

  // --- Faults
  // --------------------------------------------------------------------------------------
  /// The `n`-th call of apply() from now, counted from 1, fails and changes nothing.
  void fail_call(std::uint64_t n, ErrorCode code) { faults_[changes_ + n] = code; }
  /// Another program owns the table, or ceases to.
  void occupy_table(TableKey table) {
    foreign_.insert(table);
    created_.insert(table);
  }
  void vacate_table(TableKey table) { foreign_.erase(table); }
  /// What no program may ever do to this kernel, as far as it was done.
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  /// Where it used an interface that is gone, or none, as no program can prevent before it has been
  /// told: at the next packet after a departure, and when such a slot is given back.
  [[nodiscard]] const std::vector<std::string>& accidents() const { return accidents_; }

  // --- Packets
  // -------------------------------------------------------------------------------------
  /// Where a packet would leave that arrives on `from` and is routed by `table`; changes nothing.
  [[nodiscard]] Devices outputs(TableKey table, Device from, const FlowKey& flow,
                                unsigned ttl = 64) const;
  struct Delivery {
    Device device;
    FlowKey flow;
    bool operator==(const Delivery&) const = default;
  };
  /// A packet arrives: counters, upcalls and the queue of unresolved flows included.
  void send(Device from, const FlowKey& flow, unsigned ttl = 64, std::size_t bytes = 100);
  /// Packets that left since the last call.
  [[nodiscard]] std::vector<Delivery> take_deliveries() { return std::exchange(deliveries_, {}); }
  /// Lets time pass for unresolved flows and limits on repeated reports.
  void advance(Milliseconds by);
  /// Upcalls that wait are thrown away with what they are about, as when the socket's buffer was
  /// full.
  void lose_upcalls(TableKey table);
  /// Flows that the kernel asked about and got no answer for.
  [[nodiscard]] std::vector<FlowKey> unanswered(TableKey table) const;
  /// The table a packet is routed by, as the multicast rules say; id 0 if there is none, or as its
  /// interface says.
  [[nodiscard]] TableKey table_for(Device from, Family family) const;

  // --- Multicast rules of other programs
  // -----------------------------------------------------------------------------
  /// `packets` without an interface takes packets of every one; its protocol is another than ours.
  void add_foreign_rule(const MulticastRule& packets, std::uint32_t priority);
  void remove_foreign_rule(const MulticastRule& packets, std::uint32_t priority);
  /// `ip mrule flush`: all rules, the kernel's last ones too.
  void flush_rules();

  // --- State
  // ---------------------------------------------------------------------------------------
  struct Entry {
    VifIndex parent;
    std::array<std::uint8_t, kMaxSlots> ttls{};
    FlowCounters counters;
    std::optional<Milliseconds> reported_at;
  };
  [[nodiscard]] bool is_open(TableKey table) const { return tables_.contains(table); }
  [[nodiscard]] std::vector<TableKey> open_tables() const;
  /// The table must be open.
  [[nodiscard]] const std::unordered_map<FlowKey, Entry>& entries(TableKey table) const;
  /// Entries for any source of the group, the one put last first: the order in which they are
  /// looked up.
  [[nodiscard]] std::vector<Entry> any_source_entries(TableKey table, const Address& group) const;
  /// Of both kinds.
  [[nodiscard]] std::size_t entry_count(TableKey table) const;
  /// The device in a slot, also when it is gone and the kernel did not notice; none if not bound.
  [[nodiscard]] std::optional<Device> slot(TableKey table, VifIndex slot) const;
  [[nodiscard]] std::size_t slots_bound(TableKey table) const;
  struct Membership {
    Device device;
    std::optional<Address> source;
    Address group;
    auto operator<=>(const Membership&) const = default;
  };
  /// Memberships that have an effect: their interface exists.
  [[nodiscard]] std::set<Membership> memberships() const;
  /// All that the sockets hold, stale ones included.
  [[nodiscard]] std::size_t memberships_held() const { return joins_.size(); }

  // --- MrouteKernel
  // --------------------------------------------------------------------------------
  [[nodiscard]] const KernelTraits& traits() const override { return traits_; }
  Result<void> adopt_table(platform::TableSocket socket) override;
  void close_table(TableKey table) override;
  Result<void> apply(const Op& op) override;
  Result<bool> slot_is_bound(TableKey table, VifIndex slot) override;
  Result<FlowCounters> counters(TableKey table, const FlowKey& flow) override;
  [[nodiscard]] int upcall_descriptor(TableKey) const override { return -1; }
  Result<std::size_t> read_upcalls(TableKey table, std::size_t limit,
                                   platform::UpcallSink& sink) override;
  [[nodiscard]] Result<platform::UpcallCounts> upcall_counts(TableKey table) const override;
  [[nodiscard]] std::uint64_t change_count() const override { return changes_; }

  // --- TableKeeper
  // ---------------------------------------------------------------------------------
  Result<platform::TableSocket> open_table(TableKey table) override;

  // --- MulticastRuleSocket; apply() is that of MrouteKernel
  // -----------------------------------------------------------------------------
  Result<std::vector<KernelMulticastRule>> list() override;
  bool is_held_elsewhere(TableKey table) override;
  bool read_changes() override { return std::exchange(rules_changed_, false); }

  // --- LinkSource
  // ----------------------------------------------------------------------------------
  Result<void> start(platform::LinkSink& sink) override;
  [[nodiscard]] int descriptor() const override { return -1; }
  Result<void> read(platform::LinkSink& sink) override;
  [[nodiscard]] Milliseconds retry_in() const override { return -1; }

 private:
  struct Vif {
    Device device;
  };
  struct Packet {
    Device from;
    unsigned ttl;
    std::size_t bytes;
  };
  struct Unresolved {
    std::vector<Packet> packets;
    Milliseconds since = 0;
  };
  struct Table {
    std::array<std::optional<Vif>, kMaxSlots> vifs{};
    std::unordered_map<FlowKey, Entry> entries;
    std::map<Address, std::deque<Entry>> any_source;  ///< by group, the newest first
    std::map<FlowKey, Unresolved> unresolved;
    std::deque<Upcall> upcalls;
    platform::UpcallCounts upcall_counts;
  };
  using Event = std::variant<Link, IfIndex>;

  Result<void> carry_out(const PutMfc& op);
  Result<void> carry_out(const DropMfc& op);
  Result<void> carry_out(const BindVif& op);
  Result<void> carry_out(const UnbindVif& op);
  Result<void> carry_out(const JoinGroup& op);
  Result<void> carry_out(const LeaveGroup& op);
  Result<void> carry_out(const AddMulticastRule& op);
  Result<void> carry_out(const DropMulticastRule& op);
  template <class OtherStep>
  Result<void> carry_out(const OtherStep& op) {
    return fail(ErrorCode::internal, "not a step of this port: " + to_string(Op(op)));
  }
  Result<Table*> table_of(TableKey key);
  [[nodiscard]] const FamilyTraits& traits_of(TableKey key) const { return traits_.of(key.family); }
  [[nodiscard]] const Habits& habits_of(TableKey key) const {
    return key.family == Family::ipv4 ? habits_ipv4_ : habits_ipv6_;
  }
  [[nodiscard]] Result<IfIndex> interface_to_bind(const BindVif& op);
  [[nodiscard]] Result<IfIndex> holder_of(const Address& address, const BindVif& op) const;

  void depart(Device device, bool renamed);
  void forget_slot(Table& table, const FamilyTraits& traits, std::size_t place);
  void forget_joins(Device device);
  /// One more than the number of the highest slot in use: slots from there on are not looked at.
  [[nodiscard]] static std::size_t slots_in_use(const Table& table);
  [[nodiscard]] bool is_gone(const Vif& vif) const { return find_device(vif.device) == nullptr; }
  Result<void> check_outputs(const Table& table, const PutMfc& op);
  void check_mentions(const Table& table, const UnbindVif& op);
  void check_sends(const Table& table, TableKey key, const Entry& entry, unsigned ttl);
  void write_outputs(const Table& table, TableKey key, const MfcShape& shape, Entry& entry) const;
  [[nodiscard]] std::optional<VifIndex> arrival_slot(const Table& table, TableKey key,
                                                     Device from) const;
  template <class SomeTable>
  [[nodiscard]] static auto* lookup(SomeTable& table, const FlowKey& flow,
                                    std::optional<VifIndex> arrived);
  Result<Entry*> entry_to_put(Table& table, const PutMfc& op, bool& is_new);
  [[nodiscard]] Devices targets(const Table& table, TableKey key, const Entry& entry,
                                bool any_source, std::optional<VifIndex> arrived, Device from,
                                unsigned ttl) const;
  void forward(Table& table, TableKey key, Entry& entry, const FlowKey& flow, const Packet& packet);
  void insert_rule(const KernelMulticastRule& rule);
  [[nodiscard]] std::optional<TableId> vrf_table(const Present& present) const;

  void violation(std::string what) { violations_.push_back(std::move(what)); }
  void accident(std::string what) { accidents_.push_back(std::move(what)); }

  KernelTraits traits_;
  Habits habits_ipv4_;
  Habits habits_ipv6_;
  LinkHabits link_habits_;
  std::map<IfIndex, Present> links_;
  std::map<Device, Link> lent_;
  std::uint32_t next_index_ = 1;
  std::uint32_t next_device_ = 1;
  /// Beyond those that are the number of a device.
  std::uint64_t next_incarnation_ = std::uint64_t{1} << 32;
  std::deque<Event> events_;
  bool overflowed_ = false;
  std::map<TableKey, Table> tables_;
  std::set<TableKey> foreign_;
  std::set<TableKey> handed_out_;
  std::set<TableKey> created_;              ///< tables are never removed again
  std::vector<KernelMulticastRule> rules_;  ///< in the order in which they are asked
  bool rules_changed_ = false;
  /// Whose interface it is, so that one which has an effect is told from a stale record of the same
  /// index; device 0 for that of an interface which was lent.
  std::map<JoinGroup, Device> joins_;
  std::map<std::uint64_t, ErrorCode> faults_;
  std::uint64_t changes_ = 0;
  Milliseconds now_ = 0;
  std::vector<Delivery> deliveries_;
  std::vector<std::string> violations_;
  std::vector<std::string> accidents_;
};

}  // namespace mcast::testing
