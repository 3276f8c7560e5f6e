// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/fake/fake_kernel.hpp"

namespace mcast::testing {

/// Rules as text, as an administrator writes them. An empty source means any.
struct RouteText {
  std::string iif;
  std::string source;
  std::string group;
  std::vector<std::string> oifs;
  bool native = false;  ///< only of a single group from any source
  bool operator==(const RouteText&) const = default;
};
struct JoinText {
  std::string iif;
  std::string source;
  std::string group;
  bool operator==(const JoinText&) const = default;
};
struct InterfaceText {
  std::string name;
  bool enable = true;
  unsigned threshold = 1;
  bool operator==(const InterfaceText&) const = default;
};
struct RulesText {
  std::vector<InterfaceText> interfaces;
  std::vector<RouteText> routes;
  std::vector<JoinText> joins;
  bool operator==(const RulesText&) const = default;
};
/// As in a configuration file.
[[nodiscard]] std::string to_string(const InterfaceText& rule);
[[nodiscard]] std::string to_string(const RouteText& rule);
[[nodiscard]] std::string to_string(const JoinText& rule);
[[nodiscard]] std::string to_string(const RulesText& rules);
/// IIF [SOURCE] GROUP [OIF...], as a control command has it.
[[nodiscard]] std::vector<std::string> words(const RouteText& rule);
[[nodiscard]] std::vector<std::string> words(const JoinText& rule);

[[nodiscard]] bool is_wildcard(const std::string& pattern);
/// Whether a pattern of a rule means the interface.
[[nodiscard]] bool means(const std::string& pattern, const Link& link);
/// Empty: any address.
[[nodiscard]] Prefix prefix_of(const std::string& text, Family family);

/// What should happen to every packet of a small universe, worked out in the most obvious way from
/// the rules and the interfaces that exist: no entries, no order of steps, no code of the engine's
/// but Address and Prefix.
class Intent {
 public:
  using Links = std::map<IfIndex, FakeKernel::Present>;
  /// `bound`: devices that have slots already, and keep them whatever becomes of their addresses.
  Intent(const RulesText& rules, const Links& links, const std::set<Device>& bound,
         const std::vector<FlowKey>& flows, const KernelTraits& traits);

  /// What the rules say of one flow that arrives on one device.
  struct Answer {
    Devices out;          ///< where its packets go; empty for a stop filter
    bool exact = false;   ///< by rules that name this very flow
    bool native = false;  ///< by rules that are to be native
    bool operator==(const Answer&) const = default;
  };
  /// By arrival device; without an answer nothing is forwarded from there.
  using Answers = std::map<Device, Answer>;
  /// What the rules ask for where slots are no object.
  [[nodiscard]] const Answers& wanted(const FlowKey& flow) const { return wanted_.at(flow); }
  /// What they ask for without those that are refused because there are not slots for all: what
  /// must be forwarded. A rule that yields to a refused one may come to the fore.
  [[nodiscard]] const Answers& possible(const FlowKey& flow) const { return possible_.at(flow); }
  [[nodiscard]] const std::set<FakeKernel::Membership>& joins() const { return joins_; }
  /// Devices that some rule means: only these may have a slot in a table of the family.
  [[nodiscard]] const std::set<Device>& meant(Family family) const {
    return family == Family::ipv4 ? meant_ipv4_ : meant_ipv6_;
  }
  /// Flows that a rule names exactly, whether its interfaces exist or not.
  [[nodiscard]] const std::set<FlowKey>& named_flows() const { return named_flows_; }
  /// Groups with a rule that is to be native.
  [[nodiscard]] const std::set<Address>& to_be_native() const { return to_be_native_; }
  /// Groups that nothing keeps from being native: a single rule concerns them, with one inbound
  /// interface that is no outbound one.
  [[nodiscard]] const std::set<Address>& surely_native() const { return surely_native_; }
  bool operator==(const Intent&) const = default;

 private:
  std::set<FlowKey> named_flows_;
  std::set<Address> to_be_native_;
  std::set<Address> surely_native_;
  std::map<FlowKey, Answers> wanted_;
  std::map<FlowKey, Answers> possible_;
  std::set<FakeKernel::Membership> joins_;
  std::set<Device> meant_ipv4_;
  std::set<Device> meant_ipv6_;
};

}  // namespace mcast::testing
