// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mcast::testing {

void Oracle::intend(const RulesText& rules) {
  Intent intent(rules, kernel_.links(), flows_, kernel_.traits());
  if (intents_.empty() || intents_.back() != intent) intents_.push_back(std::move(intent));
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

void Oracle::judge_step() const {
  if (!kernel_.violations().empty()) {
    throw Objection("a call that the kernel must never see: " + kernel_.violations().front());
  }
  for (const TableKey table : kernel_.open_tables()) {
    for (const FlowKey& flow : flows_) {
      if (flow.family() != table.family) continue;
      for (const auto& [index, from] : kernel_.links()) {
        for (const Device to : kernel_.outputs(table, from.device, flow)) {
          const bool allowed = std::ranges::any_of(intents_, [&](const Intent& intent) {
            const auto answer = intent.wanted(flow).find(from.device);
            return answer != intent.wanted(flow).end() &&
                   std::ranges::count(answer->second.out, to) != 0;
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

void Oracle::judge_flow(TableKey table, const FlowKey& flow) const {
  const Intent::Answers& answers = intent().possible(flow);
  const auto arrival = arrivals_.find(flow);
  const bool exact = std::ranges::any_of(answers, [](const auto& a) { return a.second.exact; });
  const auto candidates =
      std::ranges::count_if(answers, [&](const auto& a) { return a.second.exact == exact; });
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
