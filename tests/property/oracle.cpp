// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace mcast::testing {

Oracle::Facts Oracle::facts() const {
  Facts now{kernel_.links(), {}};
  const TableKey table{Family::ipv4, kernel_.traits().ipv4.default_table};
  if (!kernel_.traits().ipv4.bind_needs_address || !kernel_.is_open(table)) return now;
  for (std::size_t i = 0; i < kernel_.traits().ipv4.slots; ++i) {
    if (const auto device = kernel_.slot(table, slot_number(i))) now.bound.insert(*device);
  }
  return now;
}

void Oracle::intend(const RulesText& rules) {
  Facts now = facts();
  const bool new_rules = rules_.empty() || rules_.back() != rules;
  const bool new_links = links_.empty() || links_.back() != now;
  if (!new_rules && !new_links) return;
  const auto before = intents_.empty() ? std::nullopt : std::optional(intent());
  if (new_rules) rules_.push_back(rules);
  if (new_links) links_.push_back(std::move(now));
  for (const RulesText& some : rules_) {
    for (const Facts& links : links_) {
      const bool is_new =
          (new_rules && &some == &rules_.back()) || (new_links && &links == &links_.back());
      if (is_new) intents_.emplace_back(some, links.links, links.bound, flows_, kernel_.traits());
    }
  }
  for (const auto& [flow, device] : arrivals_) {
    if (!has_slot(flow.family(), device)) doubted_.insert(flow);  // the engine may not notice
  }
  if (before) doubt_what_changed(*before);
}

/// A flow that a template or nothing accepts is known by where it arrives, and stays there. One
/// that its exact rules accept goes where these go, so that it is not sure where it is when they
/// change.
void Oracle::doubt_what_changed(const Intent& before) {
  for (const auto& [flow, device] : std::map(arrivals_)) {
    // The engine forgets what the kernel does without it, whenever that begins.
    if (before.to_be_native().contains(flow.group) ||
        intent().to_be_native().contains(flow.group)) {
      doubt_traffic(flow);
      continue;
    }
    if (!before.named_flows().contains(flow)) continue;
    const auto then = before.wanted(flow).find(device);
    const auto now = intent().wanted(flow).find(device);
    const bool was_accepted = then != before.wanted(flow).end();
    const bool is_accepted = now != intent().wanted(flow).end();
    if (was_accepted && !then->second.exact) continue;
    const bool is_same = was_accepted == is_accepted &&
                         (!was_accepted || then->second.exact == now->second.exact) &&
                         intent().named_flows().contains(flow);
    if (!is_same) doubt_traffic(flow);
  }
}

/// At rest, the engine has forgotten traffic of interfaces that are gone, but for flows that wait
/// for these to return because no exact rule has them.
void Oracle::settle_departed() {
  for (const auto& [flow, device] : std::map(arrivals_)) {
    const auto& meant = intent().meant(flow.family());
    if (!meant.contains(device) && intent().named_flows().contains(flow)) {
      arrivals_.erase(flow);
      doubted_.erase(flow);
    } else if (!has_slot(flow.family(), device)) {
      doubt_traffic(flow);
    }
  }
}

/// Whether the device is sure to have a slot: it is meant, and there are enough.
bool Oracle::has_slot(Family family, Device device) const {
  const auto& meant = intent().meant(family);
  return meant.contains(device) && meant.size() <= kernel_.traits().of(family).slots;
}

std::string Oracle::name(Device device) const {
  const auto* present = kernel_.find_device(device);
  return fmt::format("{}#{}", present == nullptr ? "gone" : present->link.name, device.value);
}

std::string Oracle::names(const Devices& devices) const {
  std::string list = "{";
  for (const Device device : devices) list += ' ' + name(device);
  return list + " }";
}

void Oracle::saw_traffic(Device from, const FlowKey& flow) {
  if (!has_slot(flow.family(), from)) return doubt_traffic(flow);
  arrivals_[flow] = from;
  doubted_.erase(flow);
}

void Oracle::doubt_traffic(const FlowKey& flow) {
  arrivals_.erase(flow);
  doubted_.insert(flow);
}

void Oracle::doubt_traffic() {
  for (const FlowKey& flow : flows_) doubt_traffic(flow);
}

void Oracle::judge_step() const {
  if (!kernel_.violations().empty()) {
    throw Objection("a call that the kernel must never see: " + kernel_.violations().front());
  }
  for (const TableKey table : kernel_.open_tables()) {
    for (const FlowKey& flow : flows_) {
      if (flow.family() != table.family) continue;
      for (const auto& [index, from] : kernel_.links()) {
        for (const Device to : kernel_.outputs(table, from.device, flow)) {
          const auto allows = [&](const Intent::Answers& answers) {
            const auto answer = answers.find(from.device);
            return answer != answers.end() && std::ranges::count(answer->second.out, to) != 0;
          };
          const bool allowed = std::ranges::any_of(intents_, [&](const Intent& intent) {
            return allows(intent.wanted(flow)) || allows(intent.possible(flow));
          });
          if (allowed) continue;
          throw Objection(fmt::format(
              "oracle A: {} from {} leaves by {}, which neither the old nor the new rules allow",
              flow.to_string(), name(from.device), name(to)));
        }
      }
    }
  }
}

void Oracle::judge_rest(const std::set<Address>& native) {
  native_ = native;
  intend(RulesText(rules_.back()));  // slots that were bound since are kept
  rules_.erase(rules_.begin(), rules_.end() - 1);
  links_.erase(links_.begin(), links_.end() - 1);
  intents_.erase(intents_.begin(), intents_.end() - 1);
  judge_step();
  settle_departed();
  for (const Address& group : intent().surely_native()) {
    if (!native_.contains(group)) throw Objection(group.to_string() + " is not native for nothing");
  }
  for (const TableKey table : kernel_.open_tables()) {
    for (const FlowKey& flow : flows_) {
      if (flow.family() != table.family) continue;
      judge_native(table, flow);
      judge_flow(table, flow);
    }
    judge_slots(table);
  }
  judge_memberships();
}

bool Oracle::is_native_from(const FlowKey& flow, Device from) const {
  const auto answer = intent().possible(flow).find(from);
  return native_.contains(flow.group) && answer != intent().possible(flow).end() &&
         answer->second.native;
}

/// In a native group, flows that no rule names need no entries of their own but where something is
/// learned.
void Oracle::judge_native(TableKey table, const FlowKey& flow) {
  if (!native_.contains(flow.group) || intent().named_flows().contains(flow)) return;
  const auto entry = kernel_.entries(table).find(flow);
  if (entry == kernel_.entries(table).end()) {
    arrivals_.erase(flow);  // nothing to remember
    return;
  }
  const auto device = kernel_.slot(table, entry->second.parent);
  const bool any = std::ranges::any_of(intent().possible(flow),
                                       [](const auto& answer) { return answer.second.native; });
  if (!any || !device) return;
  // Where rules learn from some sources, the kernel has to ask about all of them.
  const bool is_learned = std::ranges::any_of(flows_, [&](const FlowKey& other) {
    if (other.group != flow.group) return false;
    const auto answer = intent().possible(other).find(*device);
    return answer != intent().possible(other).end() && !answer->second.native;
  });
  if (is_learned) return;
  throw Objection(fmt::format("{} has an entry from {}, which keeps a native one from forwarding",
                              flow.to_string(), name(*device)));
}

void Oracle::judge_flow(TableKey table, const FlowKey& flow) {
  const Intent::Answers& answers = intent().possible(flow);
  const auto exact = std::ranges::count_if(answers, [](const auto& a) { return a.second.exact; });
  if (exact == 1) settle(flow, answers);
  const auto arrival = arrivals_.find(flow);
  const bool is_doubted = doubted_.contains(flow);
  const bool is_known =
      !is_doubted && arrival != arrivals_.end() && answers.contains(arrival->second);
  for (const auto& [index, from] : kernel_.links()) {
    const Devices out = kernel_.outputs(table, from.device, flow);
    const auto answer = answers.find(from.device);
    const Devices wanted = answer == answers.end() ? Devices{} : answer->second.out;
    // A flow is forwarded from where its traffic was seen, otherwise from the only interface that
    // its exact rules allow.
    const bool only = exact == 1 && answer != answers.end() && answer->second.exact;
    const bool natively =
        is_native_from(flow, from.device) && !kernel_.entries(table).contains(flow);
    const bool required =
        natively || (is_known ? arrival->second == from.device : only && !is_doubted);
    if (out == wanted || (!required && out.empty())) continue;
    throw Objection(fmt::format("oracle B: {} from {} leaves by {}, but is to leave by {}",
                                flow.to_string(), name(from.device), names(out), names(wanted)));
  }
}

/// The flow is at rest, and only one interface may bring it in by its exact rules.
void Oracle::settle(const FlowKey& flow, const Intent::Answers& answers) {
  const auto arrival = arrivals_.find(flow);
  // It is not stopped where nothing accepts it: the exact rules have it.
  if (arrival != arrivals_.end() && !answers.contains(arrival->second)) arrivals_.erase(arrival);
  const bool may_stray =
      std::ranges::any_of(answers, [](const auto& a) { return !a.second.exact; });
  if (!may_stray) doubted_.erase(flow);
}

void Oracle::judge_slots(TableKey table) const {
  std::set<Device> holders;
  const auto slots = kernel_.traits().of(table.family).slots;
  for (std::size_t i = 0; i < slots; ++i) {
    const auto device = kernel_.slot(table, slot_number(i));
    if (!device) continue;
    if (kernel_.find_device(*device) == nullptr) {
      throw Objection(fmt::format("slot {} holds an interface that is gone", i));
    }
    if (!intent().meant(table.family).contains(*device)) {
      throw Objection(fmt::format("slot {} holds {}, which no rule means", i, name(*device)));
    }
    if (!holders.insert(*device).second) {
      throw Objection(fmt::format("{} holds two slots", name(*device)));
    }
  }
  const std::size_t due = intent().meant(table.family).size();
  if (due <= slots && holders.size() != due) {
    throw Objection(fmt::format("{} slots are in use, but {} are due", holders.size(), due));
  }
}

void Oracle::judge_memberships() const {
  const auto now = kernel_.memberships();
  for (const auto& due : intent().joins()) {
    if (now.contains(due)) continue;
    throw Objection(
        fmt::format("oracle B: {} is not joined on {}", due.group.to_string(), name(due.device)));
  }
  for (const auto& held : now) {
    if (intent().joins().contains(held)) continue;
    throw Objection(fmt::format("oracle B: {} is joined on {} for no reason",
                                held.group.to_string(), name(held.device)));
  }
  if (kernel_.memberships_held() != now.size()) {
    throw Objection("memberships of interfaces that are gone are kept");
  }
}

}  // namespace mcast::testing
