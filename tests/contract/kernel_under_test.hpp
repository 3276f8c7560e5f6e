// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/address.hpp"
#include "core/ids.hpp"
#include "platform/ports.hpp"

namespace mcast::testing {

/// A kernel that the contract's cases are run against: its ports, and hands that do to it what the
/// world outside does. The fake and the real one differ behind this only.
class KernelUnderTest {
 public:
  virtual ~KernelUnderTest() = default;

  virtual platform::TableKeeper& keeper() = 0;
  virtual platform::MrouteKernel& kernel() = 0;
  virtual platform::LinkSource& links() = 0;
  /// To be asked for only where traits say that rules choose tables.
  virtual platform::MulticastRuleSocket& rules() = 0;
  /// Waits until the link source has something to read.
  virtual void await_event() = 0;

  /// Another program adds a rule with this priority, or takes it away again.
  virtual void add_foreign_rule(const MulticastRule& rule, std::uint32_t priority) = 0;
  virtual void remove_foreign_rule(const MulticastRule& rule, std::uint32_t priority) = 0;
  virtual void flush_rules() = 0;
  /// Reads changes of rules until the rule socket has told of one by somebody else.
  virtual void await_rule_change() = 0;

  /// A new interface, up, with an address of each family and able to pass packets, and a host
  /// behind it.
  virtual void add_link(const std::string& name) = 0;
  /// The host behind it is gone with it.
  virtual void remove_link(const std::string& name) = 0;
  virtual void rename_link(const std::string& name, const std::string& to) = 0;
  [[nodiscard]] virtual IfIndex index_of(const std::string& name) const = 0;
  virtual void set_up(const std::string& name, bool up) = 0;
  /// Another network namespace or jail gets the interface, which loses its addresses by that.
  virtual void lend_link(const std::string& name) = 0;
  /// It comes back, under the name it had, and is then as add_link makes them.
  virtual void return_link(const std::string& name) = 0;

  /// The address that the interface itself has, or would have.
  [[nodiscard]] virtual Address router_address(const std::string& name, Family family) const = 0;
  /// Takes that address away from it, or gives it back.
  virtual void remove_address(const std::string& name, Family family) = 0;
  virtual void add_address(const std::string& name, Family family) = 0;

  /// Lets so much happen, unread, that the link source has no room for all of it. Interfaces are as
  /// before when it returns.
  virtual void overflow_events() = 0;

  /// What was done to the kernel that no program may do, where it can tell.
  [[nodiscard]] virtual std::vector<std::string> violations() const { return {}; }

  /// The address of the host behind the interface.
  [[nodiscard]] virtual Address host_address(const std::string& name, Family family) const = 0;
  /// That host sends one packet. Returns the interfaces whose hosts have got it, once it cannot
  /// arrive anywhere else any more.
  virtual std::set<std::string> send(const std::string& from, const Address& group) = 0;
  /// As if the host behind `host` had moved: one packet of its comes from behind `from`. None where
  /// that cannot be done.
  virtual std::optional<std::set<std::string>> send_moved(const std::string& /*from*/,
                                                          const std::string& /*host*/,
                                                          const Address& /*group*/) {
    return std::nullopt;
  }
  /// The interfaces whose hosts have got packets of the group that were sent earlier and waited.
  virtual std::set<std::string> late_arrivals(const Address& group) = 0;
};

/// Defined once for each kernel; the cases are linked with either.
[[nodiscard]] std::unique_ptr<KernelUnderTest> make_kernel_under_test();

}  // namespace mcast::testing
