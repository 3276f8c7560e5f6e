// SPDX-License-Identifier: BSD-2-Clause
//
// The kernel that the program runs on, in the network that it is in.
#include <sys/socket.h>

#include <fmt/format.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "platform/bsd/link_source.hpp"
#include "platform/bsd/mroute_kernel.hpp"
#include "platform/bsd/table_keeper.hpp"
#include "platform/ports.hpp"
#include "tests/bsd/cables.hpp"
#include "tests/bsd/jail.hpp"
#include "tests/bsd/net_control.hpp"
#include "tests/bsd/route_watch.hpp"
#include "tests/bsd/state_report.hpp"
#include "tests/contract/kernel_under_test.hpp"

namespace mcast::testing {
namespace {

[[noreturn]] void no_rules() {
  throw std::logic_error("this kernel has no multicast rules");
}

/// Enough for what a case does to interfaces, and more messages than that holds.
constexpr int kReceiveBuffer = 64 << 10;
constexpr int kManyChanges = 600;

class BsdUnderTest final : public KernelUnderTest {
 public:
  BsdUnderTest() {
    for (const Family family : {Family::ipv4, Family::ipv6}) need_multicast_routing(family);
    auto links = platform::open_link_source({.receive_buffer = kReceiveBuffer});
    if (!links) give_up("open_link_source: " + links.error().message);
    links_ = std::move(*links);
  }

  platform::TableKeeper& keeper() override { return *keeper_; }
  platform::MrouteKernel& kernel() override { return *kernel_; }
  platform::LinkSource& links() override { return *links_; }
  platform::MulticastRuleSocket& rules() override { no_rules(); }
  void await_event() override {
    const Milliseconds most = kKernelPatience.count();
    const Milliseconds retry = links().retry_in();
    const bool again = retry >= 0 && retry < most;
    pollfd waiting{links().descriptor(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(again ? retry : most));
    if (ready != 1 && !again) give_up("the link source has nothing to read");
  }

  void add_foreign_rule(const MulticastRule&, std::uint32_t) override { no_rules(); }
  void remove_foreign_rule(const MulticastRule&, std::uint32_t) override { no_rules(); }
  void flush_rules() override { no_rules(); }
  void await_rule_change() override { no_rules(); }

  void add_link(const std::string& name) override { cables_.add(name); }
  void remove_link(const std::string& name) override { cables_.remove(name); }
  void rename_link(const std::string& name, const std::string& to) override {
    cables_.rename(name, to);
  }
  IfIndex index_of(const std::string& name) const override {
    return IfIndex(index_of_interface(name));
  }
  void set_up(const std::string& name, bool up) override { cables_.at(name).set_up(up); }
  void lend_link(const std::string& name) override {
    if (!elsewhere_) elsewhere_ = std::make_unique<Jail>();
    cables_.at(name).lend(*elsewhere_);
  }
  void return_link(const std::string& name) override { cables_.at(name).take_back(); }

  Address router_address(const std::string& name, Family family) const override {
    return cables_.at(name).router_address(family);
  }
  void remove_address(const std::string& name, Family family) override {
    cables_.at(name).remove_address(family);
  }
  void add_address(const std::string& name, Family family) override {
    cables_.at(name).add_address(family);
  }

  void overflow_events() override;

  Address host_address(const std::string& name, Family family) const override {
    return cables_.at(name).host_address(family);
  }
  std::set<std::string> send(const std::string& from, const Address& group) override {
    return cables_.send(from, group);
  }
  std::optional<std::set<std::string>> send_moved(const std::string& from, const std::string& host,
                                                  const Address& group) override {
    return cables_.send_as(from, host, group);
  }
  std::set<std::string> late_arrivals(const Address& group) override {
    return cables_.late_arrivals(group);
  }

 private:
  void tell() {
    cables_.describe();
    fmt::print("routing messages:\n{}", watch_.describe());
  }

  RouteWatch watch_;
  std::unique_ptr<Jail> elsewhere_;
  Cables cables_;
  std::unique_ptr<platform::LinkSource> links_;
  const std::uint32_t tables_ = platform::probe_tables();
  std::unique_ptr<platform::TableKeeper> keeper_ = platform::make_table_keeper(tables_);
  /// Goes first: tables are closed while the interfaces of their slots exist.
  std::unique_ptr<platform::MrouteKernel> kernel_ = platform::make_mroute_kernel(tables_);
  StateTeller teller_{[this] { tell(); }};
};

/// Changes are made one after the other, each after a socket of ours has told of the one before:
/// the kernel, which passes every message to all routing sockets at once, has had no room for many
/// of them in the link source's then, and has not lost them on the way to all, which it would not
/// tell of (net.route.netisr_maxqlen).
void BsdUnderTest::overflow_events() {
  const Epair pair = make_epair();
  RouteWatch watch;
  const auto index = index_of_interface(pair.a);
  for (int i = 0; i < kManyChanges; ++i) {
    set_interface_up(pair.a, i % 2 == 0);
    watch.await(
        [&](const RouteEvent& event) { return event.type == RTM_IFINFO && event.index == index; },
        "a change of flags");
    watch.forget();
  }
  destroy_interface(pair.a);
  std::set<std::string> gone;
  watch.await(
      [&](const RouteEvent& event) {
        if (event.type == RTM_IFANNOUNCE && event.what == IFAN_DEPARTURE) gone.insert(event.name);
        return gone.contains(pair.a) && gone.contains(pair.b);
      },
      "the departure of both ends");
}

}  // namespace

std::unique_ptr<KernelUnderTest> make_kernel_under_test() {
  return std::make_unique<BsdUnderTest>();
}

}  // namespace mcast::testing
