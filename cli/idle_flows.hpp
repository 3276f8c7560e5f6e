// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>

#include "core/engine.hpp"
#include "platform/ports.hpp"

namespace mcast::cli {

/// Tells the engine how many packets learned flows have had, so that it forgets those through which
/// nothing came for a whole interval. Looks at a few at a time, and sleeps while there are none.
class IdleFlows {
 public:
  /// `interval` 0 turns it off. `changed` is called after flows may have been forgotten.
  IdleFlows(asio::io_context& loop, std::chrono::seconds interval, std::function<void()> changed);

  /// Called after every turn: starts the clock if there is something to watch.
  void watch(Engine& engine, platform::MrouteKernel& kernel);

 private:
  void wait(std::chrono::milliseconds delay, Engine& engine, platform::MrouteKernel& kernel);
  void look(Engine& engine, platform::MrouteKernel& kernel);

  const std::chrono::seconds interval_;
  std::function<void()> changed_;
  asio::steady_timer timer_;
  bool running_ = false;
  std::uint64_t position_ = 0;  ///< in the list of flows
};

}  // namespace mcast::cli
