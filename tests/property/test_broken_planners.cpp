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

/// Only events of the links, only rules: no fault can be mistaken for the planner's.
bool caught(MakeSaboteur sabotage,
            Weather weather = {.faults = false, .bad_events = false, .commands = true}) {
  return !all_pass({.traits = linux_traits(),
                    .universe = small_universe(Rules::exact),
                    .weather = weather,
                    .count = 1000,
                    .report = false,
                    .sabotage = sabotage});
}

template <class Kind>
std::unique_ptr<Saboteur> make(platform::MrouteKernel& kernel) {
  return std::make_unique<Kind>(kernel);
}

TEST_CASE("steps that are only carried out late are no objection by themselves") {
  CHECK_FALSE(caught(make<Procrastinator>));
}
TEST_CASE("binding before shrinking is caught") {
  CHECK(caught(make<BindsBeforeShrinking>));
}
TEST_CASE("putting before binding is caught") {
  CHECK(caught(make<PutsBeforeBinding>));
}
TEST_CASE("never unbinding is caught") {
  CHECK(caught(make<NeverUnbinds>));
}
TEST_CASE("never dropping is caught") {
  CHECK(caught(make<NeverDrops>));
}
TEST_CASE("never leaving is caught") {
  CHECK(caught(make<NeverLeaves>));
}
TEST_CASE("losing a step is caught") {
  CHECK(caught(make<LosesSteps>));
}
TEST_CASE("writing without comparing is caught") {
  CHECK(caught(make<NeverCompares>));
}
TEST_CASE("ignoring errors is caught") {
  CHECK(caught(make<IgnoresErrors>, {.faults = true, .bad_events = false, .commands = true}));
}

}  // namespace
}  // namespace mcast::testing
