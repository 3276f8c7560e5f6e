// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>

#include "core/engine.hpp"
#include "platform/converge.hpp"

namespace mcast::cli {

/// Learns anew what multicast rules the kernel holds whenever another program changes them, so that
/// ours are restored at once.
class RuleWatch {
 public:
  /// `changed` is called when something may have to be mended. There have to be multicast rules.
  RuleWatch(asio::io_context& loop, Engine& engine, const platform::Ports& ports,
            std::function<void()> changed);
  RuleWatch(const RuleWatch&) = delete;
  RuleWatch& operator=(const RuleWatch&) = delete;
  ~RuleWatch();

 private:
  void wait();
  void look();

  Engine& engine_;
  const platform::Ports& ports_;
  std::function<void()> changed_;
  asio::steady_timer pause_;
  // The descriptor belongs to the port; this only waits for it and lets go before it is destroyed.
  asio::posix::stream_descriptor ready_;
};

}  // namespace mcast::cli
