// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <map>
#include <stdexcept>

#include "tests/contract/kernel_under_test.hpp"
#include "tests/fake/fake_kernel.hpp"

namespace mcast::testing {
namespace {

class FakeUnderTest final : public KernelUnderTest {
 public:
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
    Link link;
    link.name = name;
    link.up = link.multicast = true;
    kernel_.add_link(link);
    numbers_[name] = ++made_;
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

  Address host_address(const std::string& name, Family family) const override {
    const unsigned number = numbers_.at(name);
    return *Address::parse(family == Family::ipv4 ? fmt::format("10.{}.0.2", number)
                                                  : fmt::format("fd00:{}::2", number));
  }
  std::set<std::string> send(const std::string& from, const Address& group) override {
    kernel_.send(kernel_.find_link(from)->device, {host_address(from, group.family()), group});
    return late_arrivals(group);
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
  FakeKernel kernel_{linux_traits()};
  std::map<std::string, unsigned> numbers_;
  unsigned made_ = 0;
};

}  // namespace

std::unique_ptr<KernelUnderTest> make_kernel_under_test() {
  return std::make_unique<FakeUnderTest>();
}

}  // namespace mcast::testing
