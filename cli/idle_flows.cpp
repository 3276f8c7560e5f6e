// SPDX-License-Identifier: BSD-2-Clause
#include "cli/idle_flows.hpp"

#include <algorithm>
#include <utility>

namespace mcast::cli {

namespace {

/// Flows looked at in one go: less than a millisecond of kernel calls.
constexpr std::size_t kPiece = 1024;
/// Between two pieces, so that other events are not kept waiting.
constexpr std::chrono::milliseconds kPause{10};

}  // namespace

IdleFlows::IdleFlows(asio::io_context& loop, std::chrono::seconds interval,
                     std::function<void()> changed)
    : interval_(interval), changed_(std::move(changed)), timer_(loop) {}

void IdleFlows::watch(Engine& engine, platform::MrouteKernel& kernel) {
  if (running_ || interval_.count() == 0 || !engine.has_learned()) return;
  running_ = true;
  wait(interval_, engine, kernel);
}

void IdleFlows::wait(std::chrono::milliseconds delay, Engine& engine,
                     platform::MrouteKernel& kernel) {
  timer_.expires_after(delay);
  timer_.async_wait([this, &engine, &kernel](const std::error_code& error) {
    if (!error) look(engine, kernel);
  });
}

void IdleFlows::look(Engine& engine, platform::MrouteKernel& kernel) {
  const Page<LearnedFlow> page = engine.learned_flows(position_, kPiece);
  for (const auto& [table, flow] : page.rows) {
    // None if it is not in the kernel: then nothing has come through it either.
    const auto counters = kernel.counters(table, flow);
    engine.learned_packets(table, flow, counters ? counters->packets : 0);
  }
  position_ = page.next.value_or(0);
  running_ = page.next.has_value();
  if (running_) wait(kPause, engine, kernel);
  changed_();
}

}  // namespace mcast::cli
