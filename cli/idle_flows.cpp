// SPDX-License-Identifier: BSD-2-Clause
#include "cli/idle_flows.hpp"

#include <vector>

namespace mcast::cli {

IdleFlows::IdleFlows(asio::io_context& loop, std::chrono::seconds interval,
                     std::function<void()> changed)
    : interval_(interval), changed_(std::move(changed)), timer_(loop) {}

void IdleFlows::watch(Engine& engine, platform::MrouteKernel& kernel) {
  if (running_ || interval_.count() == 0) return;
  bool any = false;
  for (const TableStatus& table : engine.tables())
    any = any || table.learned + table.stop_filters != 0;
  if (!any) return;
  running_ = true;
  timer_.expires_after(interval_);
  timer_.async_wait([this, &engine, &kernel](const std::error_code& error) {
    if (error) return;
    running_ = false;
    look(engine, kernel);
    changed_();
  });
}

void IdleFlows::look(Engine& engine, platform::MrouteKernel& kernel) {
  std::map<Key, std::uint64_t> now;
  std::vector<Key> idle;
  engine.for_each_learned([&](TableKey table, const FlowKey& flow) {
    const auto counters = kernel.counters(table, flow);
    if (!counters) return;
    const Key key{table, flow};
    const auto before = packets_.find(key);
    if (before != packets_.end() && before->second == counters->packets) {
      idle.push_back(key);
    } else {
      now.emplace(key, counters->packets);
    }
  });
  for (const auto& [table, flow] : idle) engine.forget_learned(table, flow);
  packets_ = std::move(now);
}

}  // namespace mcast::cli
