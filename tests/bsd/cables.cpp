// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/cables.hpp"

#include <stdexcept>
#include <utility>

namespace mcast::testing {

Cable& Cables::add(const std::string& name) {
  return *(cables_[name] = std::make_unique<Cable>(name, ++made_));
}

void Cables::remove(const std::string& name) {
  const Cable* gone = &at(name);
  std::erase_if(seen_, [&](const auto& entry) { return entry.first.first == gone; });
  std::erase_if(flows_, [&](const auto& entry) { return entry.first.from == gone; });
  cables_.erase(name);
}

void Cables::rename(const std::string& name, const std::string& to) {
  at(name).rename(to);
  auto node = cables_.extract(name);
  node.key() = to;
  cables_.insert(std::move(node));
}

Cable& Cables::at(const std::string& name) const {
  const auto found = cables_.find(name);
  if (found == cables_.end()) throw std::logic_error("there is no cable " + name);
  return *found->second;
}

std::set<std::string> Cables::send(const std::string& from, const Address& group) {
  return send_as(from, from, group);
}

std::set<std::string> Cables::send_as(const std::string& from, const std::string& host,
                                      const Address& group) {
  return send_from(from, at(host).host_address(group.family()), group);
}

std::set<std::string> Cables::send_from(const std::string& from, const Address& source,
                                        const Address& group) {
  Cable& cable = at(from);
  for (auto& [name, other] : cables_) other->host().join(group);
  const auto [flow, fresh] = flows_.try_emplace({&cable, source, group}, next_flow_);
  if (fresh) ++next_flow_;
  cable.send({.group = group, .source = source, .flow = flow->second});
  return late_arrivals(group);
}

std::set<std::string> Cables::late_arrivals(const Address& group) {
  std::set<std::string> names;
  for (auto& [name, cable] : cables_) {
    cable->settle_downstream();
    cable->host().join(group);
    for (const auto& [sent, flow] : flows_) {
      // A host gets its own packets back without a router.
      if (sent.group != group || sent.from == cable.get()) continue;
      const auto received = cable->host().received(group, flow);
      auto& seen = seen_[{cable.get(), flow}];
      if (received > std::exchange(seen, received)) names.insert(name);
    }
  }
  return names;
}

void Cables::describe() {
  for (auto& [name, cable] : cables_) cable->host().describe();
}

}  // namespace mcast::testing
