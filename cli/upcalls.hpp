// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "core/ids.hpp"
#include "platform/ports.hpp"

namespace mcast::cli {

/// Waits for what the kernel asks about flows and has it answered. The first packets of a flow wait
/// in the kernel for that, in a list which the kernel searches from end to end for each new flow,
/// so each question is answered before the next one is read.
class Upcalls {
 public:
  /// `sink` is told each upcall, then `answer` makes the kernel follow. `answered` is called when
  /// no more wait, or when others should have their turn.
  Upcalls(asio::io_context& loop, platform::UpcallSink& sink, std::function<void()> answer,
          std::function<void()> answered);
  Upcalls(const Upcalls&) = delete;
  Upcalls& operator=(const Upcalls&) = delete;
  ~Upcalls() { stop(); }

  void serve(platform::MrouteKernel& kernel, TableKey table);
  /// Lets go of descriptors, which belong to the port: of one, or of all.
  void stop(TableKey table);
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Table {
    asio::posix::stream_descriptor ready;
    std::uint64_t lost = 0;  ///< as last told
    std::optional<Clock::time_point> told_at = std::nullopt;
  };

  void wait(platform::MrouteKernel& kernel, TableKey table);
  void read(platform::MrouteKernel& kernel, TableKey table);
  void watch_losses(const platform::MrouteKernel& kernel, TableKey table);

  asio::io_context& loop_;
  platform::UpcallSink& sink_;
  std::function<void()> answer_;
  std::function<void()> answered_;
  std::map<TableKey, Table> tables_;
};

}  // namespace mcast::cli
