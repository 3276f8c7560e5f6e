// SPDX-License-Identifier: BSD-2-Clause
// What must hold after every step and at rest.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "tests/property/tables_world.hpp"

namespace mcast::testing {

void TablesWorld::intend() {
  const std::pair rules(rules_, plain_);
  const bool new_rules = past_rules_.empty() || past_rules_.back() != rules;
  const bool new_links = past_links_.empty() || past_links_.back() != kernel_.links();
  if (!new_rules && !new_links) return;
  if (new_rules) past_rules_.push_back(rules);
  if (new_links) past_links_.push_back(kernel_.links());
  for (const auto& some : past_rules_) {
    for (const auto& links : past_links_) {
      const bool is_new = (new_rules && &some == &past_rules_.back()) ||
                          (new_links && &links == &past_links_.back());
      if (is_new) intents_.emplace_back(some.first, some.second, links, flows_, kernel_.traits());
    }
  }
}

std::string TablesWorld::name(Device device) const {
  const auto* present = kernel_.find_device(device);
  return fmt::format("{}#{}", present == nullptr ? "gone" : present->link.name, device.value);
}

std::string TablesWorld::names(const Devices& devices) const {
  std::vector<std::string> list;
  for (const Device device : devices) list.push_back(name(device));
  return fmt::format("{{ {} }}", fmt::join(list, " "));
}

namespace {

std::string name_of(TableKey table) {
  return fmt::format("{} table {}", to_string(table.family), table.id.value);
}

}  // namespace

/// Nothing is forwarded that neither the old nor the new rules of the table that routes it allow;
/// packets of one VRF do not appear in another unless these say so.
void TablesWorld::judge_step() const {
  if (!kernel_.violations().empty()) {
    throw Objection("a call that the kernel must never see: " + kernel_.violations().front());
  }
  for (const auto& [index, from] : kernel_.links()) {
    for (const FlowKey& flow : flows_) {
      const TableKey table = kernel_.table_for(from.device, flow.family());
      for (const Device to : kernel_.outputs(table, from.device, flow)) {
        const bool allowed = std::ranges::any_of(intents_, [&](const TablesIntent& intent) {
          const auto* answer = intent.answer(table, flow, from.device);
          return answer != nullptr && std::ranges::count(answer->out, to) != 0;
        });
        if (allowed) continue;
        throw Objection(fmt::format("{} from {} leaves by {} in {}, which neither the old nor the "
                                    "new rules allow",
                                    flow.to_string(), name(from.device), name(to), name_of(table)));
      }
    }
  }
}

void TablesWorld::judge_rest() {
  past_rules_.erase(past_rules_.begin(), past_rules_.end() - 1);
  past_links_.erase(past_links_.begin(), past_links_.end() - 1);
  intents_.erase(intents_.begin(), intents_.end() - 1);
  judge_step();
  judge_open();
  judge_multicast_rules();
  for (const auto& [index, from] : kernel_.links()) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const TableKey routed_by = kernel_.table_for(from.device, family);
      const TableId due = intents_.back().traffic_table(family, from.device);
      if (routed_by.id == due) continue;
      throw Objection(fmt::format("what arrives on {} is routed by {}, but is to be by table {}",
                                  name(from.device), name_of(routed_by), due.value));
    }
  }
  for (const TableKey table : kernel_.open_tables()) {
    for (const FlowKey& flow : kernel_.unanswered(table)) {
      throw Objection("the kernel asked and got no answer about " + flow.to_string());
    }
    for (const FlowKey& flow : flows_) {
      if (flow.family() == table.family) judge_flow(table, flow);
    }
    judge_slots(table);
  }
  judge_memberships();
  judge_status();
}

void TablesWorld::judge_open() const {
  for (const auto& [key, table] : intents_.back().tables()) {
    if (table.needed && !kernel_.is_open(key)) throw Objection(name_of(key) + " is not open");
  }
  for (const TableKey key : kernel_.open_tables()) {
    const auto* table = intents_.back().table(key);
    if (table != nullptr && (table->needed || table->acceptable)) continue;
    throw Objection(name_of(key) + " is open and nobody needs it");
  }
}

void TablesWorld::judge_flow(TableKey table, const FlowKey& flow) const {
  const auto* intent = intents_.back().table(table);
  const auto known = intent->answers.find(flow);
  static const Intent::Answers kNone;
  const Intent::Answers& answers = known == intent->answers.end() ? kNone : known->second;
  const auto exact = std::ranges::count_if(answers, [](const auto& a) { return a.second.exact; });
  for (const auto& [index, from] : kernel_.links()) {
    const Devices out = kernel_.outputs(table, from.device, flow);
    const auto answer = answers.find(from.device);
    const Devices wanted = answer == answers.end() ? Devices{} : answer->second.out;
    // A flow is forwarded from the only interface that its exact rules allow, unless its traffic
    // was seen elsewhere.
    const bool required =
        exact == 1 && answer != answers.end() && answer->second.exact && !seen_.contains(flow);
    if (out == wanted || (!required && out.empty())) continue;
    throw Objection(fmt::format("{} from {} leaves by {} in {}, but is to leave by {}",
                                flow.to_string(), name(from.device), names(out), name_of(table),
                                names(wanted)));
  }
}

void TablesWorld::judge_sent(Device from, const FlowKey& flow) const {
  const TableKey table = kernel_.table_for(from, flow.family());
  const auto* answer = intents_.back().answer(table, flow, from);
  const Devices wanted = answer == nullptr ? Devices{} : answer->out;
  const Devices out = kernel_.outputs(table, from, flow);
  if (out == wanted) return;
  throw Objection(fmt::format("{} was sent to {}, and leaves by {} in {}, but is to leave by {}",
                              flow.to_string(), name(from), names(out), name_of(table),
                              names(wanted)));
}

void TablesWorld::judge_slots(TableKey table) const {
  const auto* intent = intents_.back().table(table);
  std::set<Device> holders;
  for (std::size_t i = 0; i < kernel_.traits().of(table.family).slots; ++i) {
    const auto device = kernel_.slot(table, slot_number(i));
    if (!device) continue;
    if (kernel_.find_device(*device) == nullptr) {
      throw Objection(
          fmt::format("slot {} of {} holds an interface that is gone", i, name_of(table)));
    }
    if (!holders.insert(*device).second) {
      throw Objection(fmt::format("{} holds two slots of {}", name(*device), name_of(table)));
    }
    if (!intent->due.contains(*device) && !intent->may.contains(*device)) {
      throw Objection(fmt::format("slot {} of {} holds {}, which no rule there means", i,
                                  name_of(table), name(*device)));
    }
  }
  for (const Device device : intent->due) {
    if (holders.contains(device)) continue;
    throw Objection(fmt::format("{} has no slot in {}", name(device), name_of(table)));
  }
}

void TablesWorld::judge_multicast_rules() {
  std::set<MulticastRule> held;
  const auto all = kernel_.list().value();
  for (const auto& rule : all) {
    if (rule.ours) held.insert(rule.rule);
  }
  const auto& due = intents_.back().multicast_rules();
  for (const MulticastRule& rule : due) {
    if (!held.contains(rule)) throw Objection("not done: " + to_string(Op(AddMulticastRule{rule})));
  }
  for (const MulticastRule& rule : held) {
    if (!due.contains(rule)) throw Objection("not done: " + to_string(Op(DropMulticastRule{rule})));
  }
}

void TablesWorld::judge_memberships() const {
  const auto now = kernel_.memberships();
  const auto& due = intents_.back().joins();
  for (const auto& join : due) {
    if (now.contains(join)) continue;
    throw Objection(join.group.to_string() + " is not joined on " + name(join.device));
  }
  for (const auto& join : now) {
    if (due.contains(join)) continue;
    throw Objection(join.group.to_string() + " is joined for no reason on " + name(join.device));
  }
  if (kernel_.memberships_held() != now.size()) {
    throw Objection("memberships of interfaces that are gone are kept");
  }
}

/// What people are shown agrees with what is so.
void TablesWorld::judge_status() const {
  for (const InterfaceStatus& row : engine_.interfaces()) {
    const auto present = kernel_.links().find(row.index);
    if (present == kernel_.links().end()) throw Objection(row.name + " is shown and is gone");
    const TableId due = intents_.back().traffic_table(Family::ipv4, present->second.device);
    if (row.table == due) continue;
    throw Objection(
        fmt::format("{} is shown in table {}, but is in {}", row.name, row.table.value, due.value));
  }
  for (const TableStatus& row : engine_.tables()) {
    if (row.open == kernel_.is_open(row.table)) continue;
    throw Objection(
        fmt::format("{} is shown as {}", name_of(row.table), row.open ? "open" : "not open"));
  }
}

}  // namespace mcast::testing
