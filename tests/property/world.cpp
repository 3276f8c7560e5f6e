// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "platform/converge.hpp"

namespace mcast::testing {

namespace {

/// A file that is not on any disk.
class TextReader final : public FileReader {
 public:
  explicit TextReader(std::string text) : text_(std::move(text)) {}
  Result<std::string> read(const std::string&, std::size_t) override { return text_; }
  Result<std::vector<std::string>> glob(const std::string&) override {
    return std::vector<std::string>();
  }

 private:
  std::string text_;
};

}  // namespace

Config to_config(const std::string& text) {
  TextReader reader(text);
  ParsedConfig parsed = parse_config(reader, "history.conf");
  for (const auto& diagnostic : parsed.diagnostics) {
    if (diagnostic.severity == Diagnostic::Severity::error) throw Objection(diagnostic.to_string());
  }
  return std::move(parsed.config);
}

/// Lets oracle A look after every step that reaches the kernel.
class World::Watch final : public Saboteur {
 public:
  Watch(platform::MrouteKernel& kernel, World& world) : Saboteur(kernel), world_(world) {}
  Result<void> apply(const Op& op) override {
    auto outcome = kernel_.apply(op);
    world_.log_.push_back(
        fmt::format("    {}{}", to_string(op), outcome ? "" : ": " + outcome.error().message));
    if (const auto* bind = std::get_if<BindVif>(&op); bind != nullptr && outcome) judge(*bind);
    world_.oracle_.judge_step();
    return outcome;
  }

 private:
  /// The engine has read all that the kernel said of interfaces and their addresses.
  void judge(const BindVif& op) const {
    const auto device = world_.kernel_.slot(op.table, op.slot);
    const auto meant = world_.kernel_.links().find(op.link);
    if (meant != world_.kernel_.links().end() && device == meant->second.device) return;
    if (world_.kernel_.events_wait()) return;
    throw Objection("the kernel bound another interface than the one that is meant: " +
                    to_string(Op(op)));
  }

  World& world_;
};

std::vector<FlowKey> Universe::flows() const {
  std::vector<FlowKey> all;
  const auto combine = [&](const auto& sources, const auto& groups) {
    for (const auto& source : sources) {
      for (const auto& group : groups) {
        const auto s = Prefix::parse(source);
        const auto g = Prefix::parse(group);
        if (s && g && s->is_host() && g->is_host()) all.push_back({s->address(), g->address()});
      }
    }
  };
  combine(sources_ipv4, groups_ipv4);
  combine(sources_ipv6, groups_ipv6);
  return all;
}

World::World(const KernelTraits& traits, const Universe& universe, MakeSaboteur sabotage)
    : universe_(universe),
      flows_(universe.flows()),
      kernel_(traits),
      watch_(std::make_unique<Watch>(kernel_, *this)),
      saboteur_(sabotage != nullptr
                    ? sabotage(*watch_)
                    : std::make_unique<Saboteur>(static_cast<platform::MrouteKernel&>(*watch_))),
      engine_(saboteur_->believed(), {.default_ipv4 = traits.ipv4.default_table,
                                      .default_ipv6 = traits.ipv6.default_table}),
      oracle_(kernel_, flows_) {
  oracle_.intend(rules_);
  static_cast<void>(kernel_.start(*this));
  rest();
}

World::~World() = default;

void World::link_changed(const Link& link) {
  ++link_events_;
  told_[link.index] = link.name;
  engine_.link_changed(link);
}

void World::link_removed(IfIndex index) {
  ++link_events_;
  const auto present = kernel_.links().find(index);
  const bool renamed =
      present != kernel_.links().end() && present->second.link.name != told_[index];
  if (saboteur_->overlooks_renames() && renamed) return;
  engine_.link_removed(index);
}

void World::perform(const Command& command) {
  act(command);
  oracle_.intend(rules_);
  oracle_.judge_step();
  if (command.then <= 4) {
    rest();
  } else if (command.then == 5) {
    log_.emplace_back("  events read, no steps");
    static_cast<void>(platform::read_links(engine_, kernel_, *this));
  }
}

void World::finish() {
  log_.emplace_back("finish");
  rest();
  judge_unchanged();
  configure({});
  rest();
  for (const TableKey table : kernel_.open_tables()) {
    if (kernel_.slots_bound(table) != 0) throw Objection("a slot is never given back");
    if (kernel_.entry_count(table) != 0) throw Objection("an entry is never dropped");
  }
  if (kernel_.memberships_held() != 0) throw Objection("a group is never left");
}

void World::converge() {
  constexpr std::size_t kPatience = 10'000;
  if (platform::converge(engine_, {.keeper = &kernel_, .kernel = saboteur_.get()}, now_,
                         kPatience) >= kPatience) {
    throw Objection("the engine never runs out of steps");
  }
  saboteur_->plan_ended();
}

void World::rest() {
  log_.emplace_back("  rest");
  open_tables();
  constexpr int kPatience = 200;
  for (int round = 0;; ++round) {
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
    if (round == kPatience) throw Objection("the engine never comes to rest");
    if (*deadline > now_) kernel_.advance(*deadline - now_);
    now_ = std::max(now_, *deadline);
  }
  if (!engine_.plan(now_).empty()) throw Objection("at rest, there is a plan still");
  for (const TableKey table : kernel_.open_tables()) {
    for (const FlowKey& flow : kernel_.unanswered(table)) {
      throw Objection("the kernel asked and got no answer about " + flow.to_string());
    }
  }
  oracle_.judge_rest(native_groups());
  static_cast<void>(engine_.take_notices());
}

/// Groups of which the engine gives no reason why they are not native.
std::set<Address> World::native_groups() const {
  std::set<Address> groups;
  for (std::optional<std::uint64_t> from = 0; from;) {
    const auto page = engine_.route_rules(Engine::RuleKind::templates, *from, 1000);
    for (const RouteStatus& rule : page.rows) {
      if (rule.native && rule.why_not_native.empty()) groups.insert(rule.group.address());
    }
    from = page.next;
  }
  return groups;
}

/// A configuration that says what is in force already costs no call.
void World::judge_unchanged() {
  const auto before = kernel_.change_count();
  engine_.set_config(to_config(rules_));
  converge();
  if (kernel_.change_count() == before) return;
  throw Objection("an unchanged configuration made the engine call the kernel");
}

void World::open_tables() {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const TableKey table{family, kernel_.traits().of(family).default_table};
    if (kernel_.is_open(table)) continue;
    auto socket = kernel_.open_table(table);
    if (!socket || !kernel_.adopt_table(std::move(*socket))) throw Objection("no table");
    engine_.table_opened(table);
  }
}

void World::lose_table(Family family) {
  const TableKey table{family, kernel_.traits().of(family).default_table};
  if (!kernel_.is_open(table)) return;
  kernel_.close_table(table);
  engine_.table_lost(table, "taken away");
  oracle_.forget_traffic(family);
}

void World::upcall(const Upcall& upcall) {
  ++upcalls_read_;
  engine_.upcall(upcall, now_);
  // Amid changes it is not foreseeable what the engine makes of it.
  if (!at_rest_) return oracle_.doubt_traffic(upcall.flow);
  const auto device = kernel_.slot(upcall.table, upcall.arrived_on);
  // A flow does not follow its traffic to where no rule accepts it.
  const bool allowed = device && oracle_.intent().wanted(upcall.flow).contains(*device);
  if (device && (allowed || upcall.kind == Upcall::Kind::no_cache)) {
    oracle_.saw_traffic(*device, upcall.flow);
  }
}

void World::read_upcalls() {
  for (const TableKey table : kernel_.open_tables()) {
    static_cast<void>(kernel_.read_upcalls(table, 1000, *this));
  }
}

void World::traffic(Device from, const FlowKey& flow, bool at_rest) {
  // Reports about one entry are limited to one in three seconds.
  constexpr Milliseconds kPause = 3'000;
  now_ += kPause;
  kernel_.advance(kPause);
  if (at_rest) {
    // What the kernel asked earlier may name a slot that is another interface's by now.
    do {
      rest();
      upcalls_read_ = 0;
      read_upcalls();
    } while (upcalls_read_ != 0);
  }
  at_rest_ = at_rest;
  const TableKey table{flow.family(), kernel_.traits().of(flow.family()).default_table};
  const bool is_native = at_rest && kernel_.is_open(table) && oracle_.is_native_from(flow, from) &&
                         !kernel_.entries(table).contains(flow);
  kernel_.send(from, flow);
  static_cast<void>(kernel_.take_deliveries());
  upcalls_read_ = 0;
  read_upcalls();
  if (is_native && upcalls_read_ != 0) throw Objection("the kernel asks although it is native");
  at_rest_ = false;
}

}  // namespace mcast::testing
