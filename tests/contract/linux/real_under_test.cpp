// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <poll.h>
#include <sched.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "netlink/link_source.hpp"
#include "netlink/multicast_rule_socket.hpp"
#include "platform/linux/mroute_kernel.hpp"
#include "platform/linux/table_keeper.hpp"
#include "tests/contract/kernel_under_test.hpp"
#include "tests/contract/linux/rtnetlink_request.hpp"
#include "tests/support/multicast_rules.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/traffic.hpp"

namespace mcast::testing {
namespace {

/// Groups that no router forwards: packets of these go from one end of a cable to the other.
constexpr const char* kMarker4 = "224.0.0.199";
constexpr const char* kMarker6 = "ff02::9999";

/// Enough for what a case does to interfaces, and more events than that holds.
constexpr int kReceiveBuffer = 256 << 10;
constexpr unsigned kManyEvents = 1000;
constexpr unsigned kQueueLength = 1000;

/// With all on one processor, packets are handled in the order in which they were sent: once a
/// packet sent later has arrived at the other end of a cable, an earlier one has too.
void stay_on_one_processor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

/// The network behind an interface.
std::string address_of(unsigned network, Family family, unsigned host) {
  return family == Family::ipv4 ? fmt::format("10.{}.0.{}", network, host)
                                : fmt::format("fd00:{}::{}", network, host);
}

std::string with_length(const std::string& address, Family family) {
  return address + (family == Family::ipv4 ? "/24" : "/64");
}

/// A cable from an interface of the router to a host.
class Cable {
 public:
  Cable(NetNamespace& router, const std::string& name, unsigned number) : number_(number) {
    router.add_veth(name, host_, "lan");
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      host_.add_address("lan", with_length(address(family), family));
    }
    plug(router, name);
  }

  /// The router's end is there, and up.
  void plug(NetNamespace& router, const std::string& name) {
    for (const Family family : {Family::ipv4, Family::ipv6}) add_address(router, name, family);
    await_passage(router, name);
  }
  /// A new interface takes its time to have a carrier and IPv6, and so does one that was down.
  void await_passage(NetNamespace& router, const std::string& name) {
    for (const char* marker : {kMarker4, kMarker6}) {
      up_ = std::make_unique<Way>(host_, "lan", router, name, marker);
      down_ = std::make_unique<Way>(router, name, host_, "lan", marker);
      const bool passes = expect_flow(up_->sender, up_->receiver).ok &&
                          expect_flow(down_->sender, down_->receiver).ok;
      if (!passes) throw std::runtime_error(name + " does not pass packets");
    }
  }
  /// The router's end is down or gone: nothing passes.
  void cut() {
    up_.reset();
    down_.reset();
  }
  [[nodiscard]] bool passes() const { return up_ != nullptr; }

  /// Waits until what was sent before has been handled.
  void await_upstream() {
    if (passes()) up_->wait();
  }
  void await_downstream() {
    if (passes()) down_->wait();
  }

  [[nodiscard]] NetNamespace& host() { return host_; }
  [[nodiscard]] std::string address(Family family) const { return address_of(number_, family, 2); }
  [[nodiscard]] std::string router_address(Family family) const {
    return address_of(number_, family, 1);
  }
  void add_address(NetNamespace& router, const std::string& name, Family family) const {
    router.add_address(name, with_length(router_address(family), family));
  }
  void remove_address(NetNamespace& router, const std::string& name, Family family) const {
    router.remove_address(name, with_length(router_address(family), family));
  }
  /// Once more is as good as once.
  void add_host_address(const std::string& address, Family family) {
    if (!more_addresses_.insert(address).second) return;
    host_.add_address("lan", with_length(address, family));
  }
  /// Stays, so that packets which come later are seen too.
  MulticastReceiver& receiver(const std::string& group) {
    const auto [position, fresh] = receivers_.try_emplace(group);
    if (fresh) position->second = std::make_unique<MulticastReceiver>(host_, "lan", group);
    return *position->second;
  }

 private:
  struct Way {
    Way(const NetNamespace& from, const std::string& from_name, const NetNamespace& to,
        const std::string& to_name, const std::string& group)
        : sender(from, from_name, group), receiver(to, to_name, group) {}
    void wait() {
      if (!receiver.await(sender, sender.send(), kPatience)) {
        throw std::runtime_error("a cable passes no packets");
      }
    }
    MulticastSender sender;
    MulticastReceiver receiver;
  };

  unsigned number_;
  NetNamespace host_;
  std::set<std::string> more_addresses_;
  std::unique_ptr<Way> up_;
  std::unique_ptr<Way> down_;
  std::map<std::string, std::unique_ptr<MulticastReceiver>> receivers_;
};

ForeignRule foreign(const MulticastRule& rule, std::uint32_t priority) {
  ForeignRule made;
  made.ipv6 = rule.table.family == Family::ipv6;
  (rule.match == MulticastRule::Match::inbound ? made.iif : made.oif) = rule.interface;
  made.table = rule.table.id.value;
  made.priority = priority;
  return made;
}

/// Its ports are called inside the namespace, as some make sockets later on.
class RealUnderTest final : public KernelUnderTest,
                            private platform::TableKeeper,
                            private platform::MulticastRuleSocket,
                            private platform::MrouteKernel {
 public:
  RealUnderTest() {
    stay_on_one_processor();
    links_ = net_.run([] { return netlink::open_link_source({.receive_buffer = kReceiveBuffer}); })
                 .value();
    rules_ = net_.run([] { return netlink::open_multicast_rule_socket(platform::is_table_held); })
                 .value();
  }

  platform::TableKeeper& keeper() override { return *this; }
  platform::MrouteKernel& kernel() override { return *this; }
  platform::LinkSource& links() override { return *links_; }
  void await_event() override {
    pollfd waiting{links_->descriptor(), POLLIN, 0};
    const Milliseconds retry = links_->retry_in();
    const auto patience = static_cast<int>(retry < 0 ? kPatience.count() : retry);
    if (::poll(&waiting, 1, patience) != 1 && retry < 0) throw std::runtime_error("no event came");
  }

  platform::MulticastRuleSocket& rules() override { return *this; }
  void add_foreign_rule(const MulticastRule& rule, std::uint32_t priority) override {
    change_multicast_rule(net_, foreign(rule, priority), true);
  }
  void remove_foreign_rule(const MulticastRule& rule, std::uint32_t priority) override {
    change_multicast_rule(net_, foreign(rule, priority), false);
  }
  void flush_rules() override { flush_multicast_rules(net_); }
  void await_rule_change() override {
    do {
      pollfd waiting{rules_->descriptor(), POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(kPatience.count())) != 1) {
        throw std::runtime_error("no change of rules was told");
      }
    } while (!rules_->read_changes());
  }

  void add_link(const std::string& name) override {
    cables_.emplace(name, std::make_unique<Cable>(net_, name, ++made_));
  }
  void remove_link(const std::string& name) override {
    net_.remove_link(name);
    cables_.erase(name);
    forget_senders(name);
  }
  void rename_link(const std::string& name, const std::string& to) override {
    net_.rename_link(name, to);
    auto node = cables_.extract(name);
    node.key() = to;
    cables_.insert(std::move(node));
    forget_senders(name);
  }
  IfIndex index_of(const std::string& name) const override { return IfIndex(net_.index_of(name)); }
  void set_up(const std::string& name, bool up) override {
    Cable& cable = *cables_.at(name);
    if (!up) {
      net_.set_down(name);
      return cable.cut();
    }
    net_.set_up(name);
    // It has lost its IPv6 addresses (net.ipv6.conf.*.keep_addr_on_down).
    cable.add_address(net_, name, Family::ipv6);
    cable.await_passage(net_, name);
  }
  void lend_link(const std::string& name) override {
    cables_.at(name)->cut();
    net_.move_link(name, elsewhere_);
  }
  void return_link(const std::string& name) override {
    elsewhere_.move_link(name, net_);
    cables_.at(name)->plug(net_, name);
  }

  Address router_address(const std::string& name, Family family) const override {
    return *Address::parse(cables_.at(name)->router_address(family));
  }
  void remove_address(const std::string& name, Family family) override {
    cables_.at(name)->remove_address(net_, name, family);
  }
  void add_address(const std::string& name, Family family) override {
    cables_.at(name)->add_address(net_, name, family);
  }
  void overflow_events() override {
    for (unsigned i = 0; i < kManyEvents; ++i) set_queue_length(net_, "lo", kQueueLength + i % 2);
  }

  Address host_address(const std::string& name, Family family) const override {
    return *Address::parse(cables_.at(name)->address(family));
  }
  std::set<std::string> send(const std::string& from, const Address& group) override {
    return send_from(from, cables_.at(from)->address(group.family()), group);
  }
  std::optional<std::set<std::string>> send_moved(const std::string& from, const std::string& host,
                                                  const Address& group) override {
    const std::string source = cables_.at(host)->address(group.family());
    cables_.at(from)->add_host_address(source, group.family());
    return send_from(from, source, group);
  }
  std::set<std::string> late_arrivals(const Address& group) override {
    std::set<std::string> names;
    for (auto& [name, cable] : cables_) {
      cable->await_downstream();
      auto& receiver = cable->receiver(group.to_string());
      receiver.drain();
      for (const auto& [key, sender] : senders_) {
        // A host gets its own packets back without a router.
        if (key.group != group.to_string() || key.from == name) continue;
        const auto received = receiver.account(*sender).received;
        auto& seen = seen_[{cable.get(), sender->flow()}];
        if (received > std::exchange(seen, received)) names.insert(name);
      }
    }
    return names;
  }

 private:
  Result<platform::TableSocket> open_table(TableKey table) override {
    return net_.run([&] { return keeper_->open_table(table); });
  }
  const KernelTraits& traits() const override { return kernel_->traits(); }
  Result<void> adopt_table(platform::TableSocket socket) override {
    return kernel_->adopt_table(std::move(socket));
  }
  void close_table(TableKey table) override { kernel_->close_table(table); }
  Result<void> apply(const Op& op) override {
    const bool is_rule = std::holds_alternative<AddMulticastRule>(op) ||
                         std::holds_alternative<DropMulticastRule>(op);
    return net_.run([&] { return is_rule ? rules_->apply(op) : kernel_->apply(op); });
  }
  Result<std::vector<KernelMulticastRule>> list() override { return rules_->list(); }
  bool is_held_elsewhere(TableKey table) override {
    return net_.run([&] { return rules_->is_held_elsewhere(table); });
  }
  int descriptor() const override { return rules_->descriptor(); }
  bool read_changes() override { return rules_->read_changes(); }
  Result<bool> slot_is_bound(TableKey table, VifIndex slot) override {
    return kernel_->slot_is_bound(table, slot);
  }
  Result<FlowCounters> counters(TableKey table, const FlowKey& flow) override {
    return kernel_->counters(table, flow);
  }
  int upcall_descriptor(TableKey table) const override { return kernel_->upcall_descriptor(table); }
  Result<std::size_t> read_upcalls(TableKey table, std::size_t limit,
                                   platform::UpcallSink& sink) override {
    return kernel_->read_upcalls(table, limit, sink);
  }
  Result<platform::UpcallCounts> upcall_counts(TableKey table) const override {
    return kernel_->upcall_counts(table);
  }
  std::uint64_t change_count() const override { return kernel_->change_count(); }

  std::set<std::string> send_from(const std::string& from, const std::string& source,
                                  const Address& group) {
    Cable& cable = *cables_.at(from);
    const std::string text = group.to_string();
    for (auto& [name, other] : cables_) other->receiver(text);
    auto& sender = senders_[{from, source, text}];
    if (!sender) {
      sender = std::make_unique<MulticastSender>(cable.host(), "lan", text,
                                                 MulticastSender::Options{.source = source});
    }
    sender->send();
    cable.await_upstream();
    return late_arrivals(group);
  }

  void forget_senders(const std::string& name) {
    std::erase_if(senders_, [&](const auto& entry) { return entry.first.from == name; });
  }

  NetNamespace net_;
  NetNamespace elsewhere_;
  std::unique_ptr<platform::TableKeeper> keeper_ = platform::make_table_keeper();
  std::unique_ptr<platform::MrouteKernel> kernel_ = platform::make_mroute_kernel();
  std::unique_ptr<platform::LinkSource> links_;
  std::unique_ptr<platform::MulticastRuleSocket> rules_;
  std::map<std::string, std::unique_ptr<Cable>> cables_;
  struct Sent {
    std::string from;  ///< the interface
    std::string source;
    std::string group;
    auto operator<=>(const Sent&) const = default;
  };
  std::map<Sent, std::unique_ptr<MulticastSender>> senders_;
  /// By cable and flow, so far.
  std::map<std::pair<const Cable*, std::uint64_t>, std::uint64_t> seen_;
  unsigned made_ = 0;
};

}  // namespace

std::unique_ptr<KernelUnderTest> make_kernel_under_test() {
  return std::make_unique<RealUnderTest>();
}

}  // namespace mcast::testing
