// SPDX-License-Identifier: BSD-2-Clause
// Tests of the test: planners that are broken in the ways that matter must be caught.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "tests/property/histories.hpp"

namespace mcast::testing {
namespace {

/// Acknowledges every step at once and carries all of them out when the plan has ended, in an order
/// of its own.
class Procrastinator : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    steps_.push_back(op);
    return {};
  }
  void plan_ended() override {
    arrange(steps_);
    for (const Op& op : steps_) static_cast<void>(kernel_.apply(op));
    steps_.clear();
  }

 protected:
  virtual void arrange(std::vector<Op>&) {}

 private:
  std::vector<Op> steps_;
};

template <class Kind>
bool is(const Op& op) {
  return std::holds_alternative<Kind>(op);
}

/// Moves the steps that `first` says to the front; the order is otherwise kept. The algorithm of
/// the standard library that does this uses a function that is deprecated (libstdc++ 12).
template <class First>
void bring_forward(std::vector<Op>& steps, First first) {
  std::vector<Op> ordered;
  std::ranges::copy_if(steps, std::back_inserter(ordered), first);
  std::ranges::copy_if(steps, std::back_inserter(ordered), std::not_fn(first));
  steps = std::move(ordered);
}

/// Slots change hands while entries still mention them.
class BindsBeforeShrinking final : public Procrastinator {
 public:
  using Procrastinator::Procrastinator;

 protected:
  void arrange(std::vector<Op>& steps) override {
    bring_forward(steps, [](const Op& op) { return is<UnbindVif>(op) || is<BindVif>(op); });
  }
};

/// Entries name slots that are not bound yet.
class PutsBeforeBinding final : public Procrastinator {
 public:
  using Procrastinator::Procrastinator;

 protected:
  void arrange(std::vector<Op>& steps) override {
    bring_forward(steps, [](const Op& op) { return !is<BindVif>(op); });
  }
};

class NeverUnbinds final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    return is<UnbindVif>(op) ? Result<void>() : kernel_.apply(op);
  }
};

class NeverDrops final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    return is<DropMfc>(op) ? Result<void>() : kernel_.apply(op);
  }
};

class NeverLeaves final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    return is<LeaveGroup>(op) ? Result<void>() : kernel_.apply(op);
  }
};

/// One step in forty is forgotten.
class LosesSteps final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    return ++count_ % 40 == 0 ? Result<void>() : kernel_.apply(op);
  }

 private:
  unsigned count_ = 0;
};

/// Takes failures for successes.
class IgnoresErrors final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    static_cast<void>(kernel_.apply(op));
    return {};
  }
};

/// Writes every entry again each time, changed or not.
class NeverCompares final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    if (const auto* put = std::get_if<PutMfc>(&op))
      entries_.insert_or_assign({put->table, put->flow}, *put);
    if (const auto* drop = std::get_if<DropMfc>(&op)) entries_.erase({drop->table, drop->flow});
    return kernel_.apply(op);
  }
  void plan_ended() override {
    for (const auto& [key, put] : entries_) static_cast<void>(kernel_.apply(put));
  }

 private:
  std::map<std::pair<TableKey, FlowKey>, PutMfc> entries_;
};

/// Binds each slot once more.
class BindsAgain final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  Result<void> apply(const Op& op) override {
    auto outcome = kernel_.apply(op);
    if (is<BindVif>(op) && outcome) static_cast<void>(kernel_.apply(op));
    return outcome;
  }
};

/// Takes no notice of a rename but for the name, however it is told.
class ForgetsRenames final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  [[nodiscard]] KernelTraits believed() const override {
    KernelTraits traits = kernel_.traits();
    traits.ipv4.rename_is_departure = false;
    return traits;
  }
  [[nodiscard]] bool overlooks_renames() const override { return true; }
};

/// Believes something about the kernel that is not so.
template <auto Mistake>
class Believes final : public Saboteur {
 public:
  using Saboteur::Saboteur;
  [[nodiscard]] KernelTraits believed() const override {
    KernelTraits traits = kernel_.traits();
    Mistake(traits);
    return traits;
  }
};

/// Only events of the links, only rules: no fault can be mistaken for the planner's.
constexpr Weather kFair{.faults = false, .bad_events = false, .commands = true};
constexpr Weather kFairFiles{.faults = false, .bad_events = false, .commands = false};
constexpr Weather kFaulty{.faults = true, .bad_events = false, .commands = true};

bool caught(const KernelTraits& traits, MakeSaboteur sabotage, Weather weather = kFair) {
  return !all_pass({.traits = traits,
                    .universe = small_universe(Rules::exact),
                    .weather = weather,
                    .count = 1000,
                    .report = false,
                    .sabotage = sabotage});
}

bool caught_under_both(MakeSaboteur sabotage, Weather weather = kFair) {
  const bool on_linux = caught(linux_traits(), sabotage, weather);
  const bool on_freebsd = caught(freebsd_traits(), sabotage, weather);
  CHECK(on_linux == on_freebsd);
  return on_linux;
}

template <class Kind>
std::unique_ptr<Saboteur> make(platform::MrouteKernel& kernel) {
  return std::make_unique<Kind>(kernel);
}

/// Under FreeBSD's semantics, where the belief is wrong.
template <auto Mistake>
bool caught_believing() {
  return caught(freebsd_traits(), make<Believes<Mistake>>);
}

TEST_CASE("steps that are only carried out late are no objection by themselves") {
  CHECK_FALSE(caught(linux_traits(), make<Procrastinator>));
}
TEST_CASE("binding before shrinking is caught") {
  CHECK(caught_under_both(make<BindsBeforeShrinking>));
}
TEST_CASE("putting before binding is caught") {
  CHECK(caught_under_both(make<PutsBeforeBinding>));
}
TEST_CASE("never unbinding is caught") {
  CHECK(caught_under_both(make<NeverUnbinds>));
}
TEST_CASE("never dropping is caught") {
  CHECK(caught_under_both(make<NeverDrops>));
}
TEST_CASE("never leaving is caught") {
  CHECK(caught_under_both(make<NeverLeaves>));
}
TEST_CASE("losing a step is caught") {
  CHECK(caught_under_both(make<LosesSteps>));
}
TEST_CASE("writing without comparing is caught") {
  CHECK(caught_under_both(make<NeverCompares>));
}
TEST_CASE("ignoring errors is caught") {
  CHECK(caught_under_both(make<IgnoresErrors>, kFaulty));
}

// --- What only FreeBSD's kernel punishes ---------------------------------------------------------

TEST_CASE("binding a used slot is caught where it is the end of the interface") {
  CHECK(caught(freebsd_traits(), make<BindsAgain>));
  CHECK_FALSE(caught(linux_traits(), make<BindsAgain>));
}
TEST_CASE("taking a rename for none is caught where it is a departure") {
  CHECK(caught(freebsd_traits(), make<ForgetsRenames>));
  CHECK_FALSE(caught(linux_traits(), make<ForgetsRenames>));
}
TEST_CASE("updating entries in place is caught where outputs stay") {
  // What stays shows when another interface gets the slot.
  KernelTraits traits = freebsd_traits();
  traits.ipv4.slots = 3;
  CHECK(!all_pass(
      {.traits = traits,
       .universe = small_universe(Rules::exact),
       .weather = kFairFiles,
       .count = 2000,
       .report = false,
       .sabotage = make<
           Believes<[](KernelTraits& believed) { believed.ipv4.update_clears_outputs = true; }>>}));
}
TEST_CASE("leaving dangling slots alone is caught") {
  CHECK(caught_believing<[](KernelTraits& traits) { traits.ipv6.departure_unbinds = true; }>());
}
TEST_CASE("keeping entries that the kernel dropped is caught") {
  // Else they would be dropped once more, since their parent is not bound.
  CHECK(caught_believing<[](KernelTraits& traits) {
    traits.ipv4.departure_drops_entries = false;
    traits.ipv4.unbound_output = UnboundOutput::skipped;
  }>());
}
TEST_CASE("unbinding what an entry lists is caught where the kernel uses it") {
  CHECK(caught_believing<[](KernelTraits& traits) {
    traits.ipv6.unbound_output = UnboundOutput::skipped;
  }>());
}
TEST_CASE("binding without an address is caught where the kernel needs one") {
  CHECK(caught_believing<[](KernelTraits& traits) { traits.ipv4.bind_needs_address = false; }>());
}
TEST_CASE("native entries are caught where there are none") {
  CHECK(!all_pass(
      {.traits = freebsd_traits(),
       .universe = small_universe(Rules::native),
       .weather = kFair,
       .count = 1000,
       .report = false,
       .sabotage =
           make<Believes<[](KernelTraits& traits) { traits.ipv4.native_any_source = true; }>>}));
}

}  // namespace
}  // namespace mcast::testing
