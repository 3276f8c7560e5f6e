// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/tables_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "tests/property/world.hpp"

namespace mcast::testing {

namespace {

/// Fails the n-th call from now.
class Fault {
 public:
  void fail(unsigned n, ErrorCode code) {
    left_ = n;
    code_ = code;
  }
  Result<void> next() {
    if (left_ == 0 || --left_ != 0) return {};
    return mcast::fail(code_, "injected fault");
  }

 private:
  unsigned left_ = 0;
  ErrorCode code_ = ErrorCode::os;
};

}  // namespace

class TablesWorld::KernelWatch final : public Saboteur {
 public:
  KernelWatch(platform::MrouteKernel& kernel, TablesWorld& world)
      : Saboteur(kernel), world_(world) {}
  Result<void> apply(const Op& op) override {
    auto outcome = kernel_.apply(op);
    world_.note(
        fmt::format("    {}{}", to_string(op), outcome ? "" : ": " + outcome.error().message));
    world_.judge_step();
    return outcome;
  }
  void close_table(TableKey table) override {
    kernel_.close_table(table);
    world_.note("    " + to_string(Op(CloseTable{table})));
    world_.judge_step();
  }

 private:
  TablesWorld& world_;
};

class TablesWorld::KeeperWatch final : public platform::TableKeeper {
 public:
  KeeperWatch(platform::TableKeeper& keeper, TablesWorld& world) : keeper_(keeper), world_(world) {}
  Result<platform::TableSocket> open_table(TableKey table) override {
    world_.note("    " + to_string(Op(OpenTable{table})));
    TRY(fault.next());
    return keeper_.open_table(table);
  }
  Fault fault;

 private:
  platform::TableKeeper& keeper_;
  TablesWorld& world_;
};

class TablesWorld::RulesWatch final : public platform::MulticastRuleSocket {
 public:
  RulesWatch(platform::MulticastRuleSocket& rules, TablesWorld& world)
      : rules_(rules), world_(world) {}
  Result<void> apply(const Op& op) override {
    auto outcome = fault.next();
    if (outcome) outcome = rules_.apply(op);
    world_.note(
        fmt::format("    {}{}", to_string(op), outcome ? "" : ": " + outcome.error().message));
    world_.judge_step();
    return outcome;
  }
  Result<std::vector<KernelMulticastRule>> list() override { return rules_.list(); }
  bool is_held_elsewhere(TableKey table) override { return rules_.is_held_elsewhere(table); }
  [[nodiscard]] int descriptor() const override { return rules_.descriptor(); }
  bool read_changes() override { return rules_.read_changes(); }
  Fault fault;

 private:
  platform::MulticastRuleSocket& rules_;
  TablesWorld& world_;
};

std::vector<FlowKey> TablesUniverse::flows() const {
  Universe same{};
  same.sources_ipv4 = sources_ipv4;
  same.groups_ipv4 = groups_ipv4;
  same.sources_ipv6 = sources_ipv6;
  same.groups_ipv6 = groups_ipv6;
  return same.flows();
}

TablesWorld::TablesWorld(const KernelTraits& traits, const TablesUniverse& universe)
    : universe_(universe),
      flows_(universe.flows()),
      kernel_(traits),
      kernel_watch_(std::make_unique<KernelWatch>(kernel_, *this)),
      keeper_watch_(std::make_unique<KeeperWatch>(kernel_, *this)),
      rules_watch_(std::make_unique<RulesWatch>(kernel_, *this)),
      engine_(traits, {.default_ipv4 = traits.ipv4.default_table,
                       .default_ipv6 = traits.ipv6.default_table}) {
  intend();
  static_cast<void>(kernel_.start(*this));
  rest();
}

TablesWorld::~TablesWorld() = default;

void TablesWorld::fail_port(bool opens, unsigned n, ErrorCode code) {
  (opens ? keeper_watch_->fault : rules_watch_->fault).fail(n, code);
}

void TablesWorld::note(std::string line) {
  log_.push_back(std::move(line));
  if (log_limit_ != 0 && log_.size() > 2 * log_limit_) {
    log_.erase(log_.begin(), log_.end() - static_cast<std::ptrdiff_t>(log_limit_));
  }
}

void TablesWorld::perform(const TableCommand& command) {
  act(command);
  intend();
  judge_step();
  if (command.then <= 4) {
    rest();
  } else if (command.then == 5) {
    note("  events read, no steps");
    static_cast<void>(platform::read_links(engine_, kernel_, *this));
  }
}

void TablesWorld::finish() {
  note("finish");
  rest();
  for (const FlowKey& flow : flows_) {
    for (const auto& [index, from] : TablesIntent::Links(kernel_.links())) {
      traffic(from.device, flow);
      judge_sent(from.device, flow);
    }
  }
  const auto before = kernel_.change_count();
  note("configure the same");
  configure(rules_);
  if (kernel_.change_count() != before) {
    throw Objection("an unchanged configuration made the engine call the kernel");
  }
  configure({});
  rest();
  for (const TableKey table : kernel_.open_tables()) {
    if (kernel_.slots_bound(table) != 0) throw Objection("a slot is never given back");
    if (kernel_.entry_count(table) != 0) throw Objection("an entry is never dropped");
  }
  if (kernel_.memberships_held() != 0) throw Objection("a group is never left");
  if (!engine_.multicast_rules().empty()) throw Objection("a multicast rule is never dropped");
}

void TablesWorld::converge() {
  constexpr std::size_t kPatience = 10'000;
  const platform::Ports ports{.keeper = keeper_watch_.get(),
                              .kernel = kernel_watch_.get(),
                              .multicast_rules = rules_watch_.get()};
  if (platform::converge(engine_, ports, now_, kPatience) >= kPatience) {
    throw Objection("the engine never runs out of steps");
  }
}

void TablesWorld::rest() {
  note("  rest");
  constexpr int kPatience = 400;
  for (int round = 0;; ++round) {
    if (round == kPatience) throw Objection("the engine never comes to rest");
    static_cast<void>(platform::read_links(engine_, kernel_, *this));
    converge();
    const auto deadline = engine_.next_deadline();
    if (!deadline) {
      // As the daemon does: an event that comes after the steps is followed too.
      link_events_ = 0;
      static_cast<void>(platform::read_links(engine_, kernel_, *this));
      if (link_events_ == 0) break;
      continue;
    }
    if (*deadline > now_) kernel_.advance(*deadline - now_);
    now_ = std::max(now_, *deadline);
  }
  if (!engine_.plan(now_).empty()) throw Objection("at rest, there is a plan still");
  judge_rest();
  static_cast<void>(engine_.take_notices());
}

void TablesWorld::upcall(const Upcall& upcall) {
  ++upcalls_read_;
  engine_.upcall(upcall, now_);
}

void TablesWorld::read_upcalls() {
  do {
    upcalls_read_ = 0;
    for (const TableKey table : kernel_.open_tables()) {
      static_cast<void>(kernel_.read_upcalls(table, 1000, *this));
    }
    if (upcalls_read_ != 0) rest();
  } while (upcalls_read_ != 0);
}

/// Leaves the engine at rest, after it has answered what the kernel asked.
void TablesWorld::traffic(Device from, const FlowKey& flow) {
  note(fmt::format("traffic {} from {}", flow.to_string(), name(from)));
  seen_.insert(flow);
  // Reports about one entry are limited to one in three seconds.
  constexpr Milliseconds kPause = 3'000;
  now_ += kPause;
  kernel_.advance(kPause);
  rest();
  kernel_.send(from, flow);
  static_cast<void>(kernel_.take_deliveries());
  read_upcalls();
}

}  // namespace mcast::testing
