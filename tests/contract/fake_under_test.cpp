// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/contract/fake_under_test.hpp"
#include "tests/fake/fake_kernel.hpp"

namespace mcast::testing {
namespace {

class FakeUnderTest final : public KernelUnderTest {
 public:
  explicit FakeUnderTest(const KernelTraits& traits) : kernel_(traits) {}

  platform::TableKeeper& keeper() override { return kernel_; }
  platform::MrouteKernel& kernel() override { return kernel_; }
  platform::LinkSource& links() override { return kernel_; }
  void await_event() override {}

  platform::MulticastRuleSocket& rules() override { return kernel_; }
  void add_foreign_rule(const MulticastRule& rule, std::uint32_t priority) override {
    kernel_.add_foreign_rule(rule, priority);
  }
  void remove_foreign_rule(const MulticastRule& rule, std::uint32_t priority) override {
    kernel_.remove_foreign_rule(rule, priority);
  }
  void flush_rules() override { kernel_.flush_rules(); }
  void await_rule_change() override {
    if (!kernel_.read_changes()) throw std::runtime_error("no change of rules was told");
  }

  void add_link(const std::string& name) override {
    numbers_[name] = ++made_;
    Link link;
    link.name = name;
    link.up = link.multicast = true;
    link.addresses = router_addresses(name);
    kernel_.add_link(link);
  }
  void remove_link(const std::string& name) override {
    kernel_.remove_link(index_of(name));
    numbers_.erase(name);
  }
  void rename_link(const std::string& name, const std::string& to) override {
    kernel_.rename_link(index_of(name), to);
    numbers_[to] = numbers_.at(name);
    numbers_.erase(name);
  }
  IfIndex index_of(const std::string& name) const override {
    return kernel_.find_link(name)->link.index;
  }
  void set_up(const std::string& name, bool up) override {
    kernel_.change_link(index_of(name), [&](Link& link) { link.up = up; });
  }
  void lend_link(const std::string& name) override {
    lent_[name] = kernel_.find_link(name)->device;
    kernel_.lend_link(index_of(name));
  }
  void return_link(const std::string& name) override {
    kernel_.return_link(lent_.at(name));
    lent_.erase(name);
    kernel_.change_link(index_of(name), [&](Link& link) {
      link.up = true;
      link.addresses = router_addresses(name);
    });
  }

  Address router_address(const std::string& name, Family family) const override {
    return address_of(name, family, 1);
  }
  void remove_address(const std::string& name, Family family) override {
    kernel_.change_link(index_of(name), [&](Link& link) {
      std::erase(link.addresses, router_address(name, family));
    });
  }
  void add_address(const std::string& name, Family family) override {
    kernel_.change_link(index_of(name), [&](Link& link) {
      link.addresses.push_back(router_address(name, family));
    });
  }
  void overflow_events() override {
    Link passing;
    passing.name = "passing";
    kernel_.add_link(passing);
    kernel_.remove_link(index_of("passing"));
    kernel_.lose_events();
  }

  std::vector<std::string> violations() const override { return kernel_.violations(); }

  Address host_address(const std::string& name, Family family) const override {
    return address_of(name, family, 2);
  }
  std::set<std::string> send(const std::string& from, const Address& group) override {
    return send_from(from, {host_address(from, group.family()), group});
  }
  std::optional<std::set<std::string>> send_moved(const std::string& from, const std::string& host,
                                                  const Address& group) override {
    return send_from(from, {host_address(host, group.family()), group});
  }
  std::set<std::string> late_arrivals(const Address& group) override {
    std::set<std::string> names;
    for (const auto& delivery : kernel_.take_deliveries()) {
      if (delivery.flow.group != group) continue;
      names.insert(kernel_.find_device(delivery.device)->link.name);
    }
    return names;
  }

 private:
  /// Of the network behind the interface.
  [[nodiscard]] Address address_of(const std::string& name, Family family, unsigned host) const {
    const unsigned number = numbers_.at(name);
    return *Address::parse(family == Family::ipv4 ? fmt::format("10.{}.0.{}", number, host)
                                                  : fmt::format("fd00:{}::{}", number, host));
  }
  std::set<std::string> send_from(const std::string& from, const FlowKey& flow) {
    const auto* present = kernel_.find_link(from);
    const bool passes = present != nullptr && present->link.up;
    if (passes) kernel_.send(present->device, flow);
    return late_arrivals(flow.group);
  }
  [[nodiscard]] std::vector<Address> router_addresses(const std::string& name) const {
    return {router_address(name, Family::ipv4), router_address(name, Family::ipv6)};
  }

  FakeKernel kernel_;
  std::map<std::string, unsigned> numbers_;
  std::map<std::string, Device> lent_;
  unsigned made_ = 0;
};

}  // namespace

std::unique_ptr<KernelUnderTest> make_fake_under_test(const KernelTraits& traits) {
  return std::make_unique<FakeUnderTest>(traits);
}

}  // namespace mcast::testing
