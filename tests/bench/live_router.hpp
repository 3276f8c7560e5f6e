// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/engine.hpp"
#include "core/ops.hpp"
#include "platform/ports.hpp"
#include "tests/bench/stopwatch.hpp"
#include "tests/support/net_namespace.hpp"

namespace mcast::bench {

/// The daemon's parts in this process: the real backend and the engine, without loop and clients.
/// Failures throw std::runtime_error.
class LiveRouter final : private platform::LinkSink {
 public:
  /// Takes the default tables of `router`, with no rules yet.
  explicit LiveRouter(const testing::NetNamespace& router);
  ~LiveRouter() override;

  struct Load {
    Cost parse;
    Cost take_over;  ///< rules to the engine
    Cost install;    ///< plans, kernel calls and their acknowledgement
    [[nodiscard]] Cost total() const { return parse + take_over + install; }
  };
  /// From a file to all installed, as at start and at each reload.
  Load load(const std::string& file);

  struct Reaction {
    std::uint64_t calls = 0;  ///< that change the kernel's state
    /// From the first message about the event received to the last of these calls done.
    double seconds = 0;
    std::vector<Op> steps;
  };
  /// Takes in what the kernel has told since, and acts on it.
  Reaction follow();

  /// Seconds that the kernel calls of these steps take by themselves: they are made again. Only
  /// for binding slots and putting entries.
  [[nodiscard]] double repeat(const std::vector<Op>& steps);

  [[nodiscard]] std::uint64_t change_count() const { return platform_.kernel->change_count(); }

 private:
  class Recorder;

  void link_changed(const Link& link) override;
  void link_removed(IfIndex index) override;
  void links_relearned(std::span<const Link> links) override;
  [[nodiscard]] bool events_wait() const;
  void converge(platform::MrouteKernel& kernel);

  platform::Platform platform_;
  int link_events_ = 0;  ///< passed on since last looked
  std::unique_ptr<Engine> engine_;
};

}  // namespace mcast::bench
