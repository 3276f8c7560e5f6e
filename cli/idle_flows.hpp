// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "core/engine.hpp"
#include "platform/ports.hpp"

namespace mcast::cli {

/// Makes the engine forget learned flows through which nothing came for a whole interval. Sleeps
/// while there are none.
class IdleFlows {
 public:
  /// `interval` 0 turns it off. `changed` is called after flows were forgotten.
  IdleFlows(asio::io_context& loop, std::chrono::seconds interval, std::function<void()> changed);

  /// Called after every turn: starts the clock if there is something to watch.
  void watch(Engine& engine, platform::MrouteKernel& kernel);

 private:
  using Key = std::pair<TableKey, FlowKey>;
  void look(Engine& engine, platform::MrouteKernel& kernel);

  const std::chrono::seconds interval_;
  std::function<void()> changed_;
  asio::steady_timer timer_;
  bool running_ = false;
  std::map<Key, std::uint64_t> packets_;  ///< as counted last time
};

}  // namespace mcast::cli
