// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/fake/fake_kernel.hpp"
#include "tests/property/intent.hpp"

namespace mcast::testing {

/// What an oracle says when it objects. Thrown, so that it ends the history wherever it is.
struct Objection : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Judges what the fake kernel does with packets by what is intended now and what was intended
/// since it was last at rest. Knows devices only, no slots.
class Oracle {
 public:
  Oracle(const FakeKernel& kernel, std::vector<FlowKey> flows)
      : kernel_(kernel), flows_(std::move(flows)) {}

  /// The rules or the interfaces may have changed.
  void intend(const RulesText& rules);
  /// A: nothing is forwarded that neither the old nor the new intent allows. To be asked after
  /// every single step.
  void judge_step() const;
  /// B: everything intended is forwarded and nothing else, memberships are as intended, slots are
  /// given to interfaces that rules mean. To be asked at rest; from then on only the present intent
  /// counts.
  ///
  /// `native`: groups that the engine says are native.
  void judge_rest(const std::set<Address>& native);
  /// Whether the kernel is to forward what any source sends from there, without asking.
  [[nodiscard]] bool is_native_from(const FlowKey& flow, Device from) const;
  /// A packet arrived and the engine was told if the kernel asked: from now on the flow is to be
  /// forwarded from there, as far as the rules allow.
  void saw_traffic(Device from, const FlowKey& flow);
  /// The engine has forgotten what it saw.
  void forget_traffic(Family family) {
    const auto is_one = [&](const FlowKey& flow) { return flow.family() == family; };
    std::erase_if(arrivals_, [&](const auto& arrival) { return is_one(arrival.first); });
    std::erase_if(doubted_, is_one);
  }
  /// It is not foreseeable what the engine made of what it saw: a flow may be forwarded from any
  /// interface that the rules allow.
  void doubt_traffic();
  void doubt_traffic(const FlowKey& flow);

  [[nodiscard]] const Intent& intent() const { return intents_.back(); }

 private:
  /// The interfaces, and those that have a slot which they keep without what they got it by.
  struct Facts {
    Intent::Links links;
    std::set<Device> bound;
    bool operator==(const Facts&) const = default;
  };
  [[nodiscard]] Facts facts() const;
  void doubt_what_changed(const Intent& before);
  void judge_flow(TableKey table, const FlowKey& flow);
  void settle_departed();
  void judge_native(TableKey table, const FlowKey& flow);
  void settle(const FlowKey& flow, const Intent::Answers& answers);
  [[nodiscard]] bool has_slot(Family family, Device device) const;
  void judge_slots(TableKey table) const;
  void judge_memberships() const;
  [[nodiscard]] std::string name(Device device) const;
  [[nodiscard]] std::string names(const Devices& devices) const;

  const FakeKernel& kernel_;
  std::vector<FlowKey> flows_;
  /// All since the kernel was last at rest, the present ones last. The engine may hear of either
  /// late, so that any rules may meet any interfaces.
  std::vector<RulesText> rules_;
  std::vector<Facts> links_;
  std::vector<Intent> intents_;  ///< of each with each; the present one is last
  std::map<FlowKey, Device> arrivals_;
  std::set<FlowKey> doubted_;
  std::set<Address> native_;
};

}  // namespace mcast::testing
