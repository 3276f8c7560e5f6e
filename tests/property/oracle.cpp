// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mcast::testing {

void Oracle::intend(const RulesText& rules) {
  const bool new_rules = rules_.empty() || rules_.back() != rules;
  const bool new_links = links_.empty() || links_.back() != kernel_.links();
  if (!new_rules && !new_links) return;
  const std::set<FlowKey> named = intents_.empty() ? std::set<FlowKey>() : intent().named_flows();
  if (new_rules) rules_.push_back(rules);
  if (new_links) links_.push_back(kernel_.links());
  for (const RulesText& some : rules_) {
    for (const Intent::Links& links : links_) {
      const bool is_new =
          (new_rules && &some == &rules_.back()) || (new_links && &links == &links_.back());
      if (is_new) intents_.emplace_back(some, links, flows_, kernel_.traits());
    }
  }
  std::erase_if(arrivals_, [&](const auto& arrival) {
    const auto& [flow, device] = arrival;
    const bool renounced = named.contains(flow) && !intent().named_flows().contains(flow);
    // An exact rule's own interface takes the place of the one that was seen.
    const auto answer = intent().wanted(flow).find(device);
    const bool expected = answer != intent().wanted(flow).end() && answer->second.exact;
    const bool displaced = intent().named_flows().contains(flow) && !expected;
    return renounced || displaced || !has_slot(flow.family(), device);
  });
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
  if (has_slot(flow.family(), from)) arrivals_[flow] = from;
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

void Oracle::judge_rest() {
  rules_.erase(rules_.begin(), rules_.end() - 1);
  links_.erase(links_.begin(), links_.end() - 1);
  intents_.erase(intents_.begin(), intents_.end() - 1);
  judge_step();
  for (const TableKey table : kernel_.open_tables()) {
    for (const FlowKey& flow : flows_) {
      if (flow.family() == table.family) judge_flow(table, flow);
    }
    judge_slots(table);
  }
  judge_memberships();
}

void Oracle::judge_flow(TableKey table, const FlowKey& flow) {
  const Intent::Answers& answers = intent().possible(flow);
  auto arrival = arrivals_.find(flow);
  // A flow that some rule names belongs to such rules alone, even while their interfaces are
  // absent.
  const bool exact = intent().named_flows().contains(flow);
  const auto candidates =
      std::ranges::count_if(answers, [&](const auto& a) { return a.second.exact == exact; });
  // Where only one interface may bring it in, it is forwarded from there before it is seen.
  if (exact && candidates == 1 && arrival != arrivals_.end()) {
    arrivals_.erase(arrival);
    arrival = arrivals_.end();
  }
  for (const auto& [index, from] : kernel_.links()) {
    const Devices out = kernel_.outputs(table, from.device, flow);
    const auto answer = answers.find(from.device);
    const Devices wanted = answer == answers.end() ? Devices{} : answer->second.out;
    const bool seen = arrival != arrivals_.end() && arrival->second == from.device;
    const bool decided = answer != answers.end() && answer->second.exact == exact;
    // A flow that several interfaces may bring in, and one that only templates accept, are
    // forwarded from where their traffic was seen.
    const bool required = decided && ((exact && candidates == 1) || seen);
    if (out == wanted || (!required && out.empty())) continue;
    throw Objection(fmt::format("oracle B: {} from {} leaves by {}, but is to leave by {}",
                                flow.to_string(), name(from.device), names(out), names(wanted)));
  }
}

void Oracle::judge_slots(TableKey table) const {
  std::set<Device> holders;
  const auto slots = kernel_.traits().of(table.family).slots;
  for (std::size_t i = 0; i < slots; ++i) {
    const auto device = kernel_.slot(table, VifIndex(static_cast<std::uint16_t>(i)));
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
