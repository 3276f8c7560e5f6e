// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>

#include "core/engine.hpp"
#include "platform/converge.hpp"

namespace mcast::cli {

/// Compares the engine's record with the kernel now and then. The record is kept by acknowledged
/// steps alone, so a difference means that another privileged program touched our tables; what it
/// took away is written anew.
class Audit {
 public:
  /// `changed` is called when something may have to be mended.
  Audit(asio::io_context& loop, Engine& engine, const platform::Ports& ports,
        std::chrono::milliseconds interval, std::function<void()> changed);

 private:
  void wait(std::chrono::milliseconds delay);
  void look();
  void look_at_rules();

  Engine& engine_;
  const platform::Ports& ports_;
  const std::chrono::milliseconds interval_;
  std::function<void()> changed_;
  asio::steady_timer timer_;
  std::uint64_t position_ = 0;  ///< in the list of entries, which is looked through in pieces
};

}  // namespace mcast::cli
