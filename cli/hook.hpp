// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <cstddef>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mcast::cli {

/// Runs the administrator's program when something happened, without waiting for it.
class Hook {
 public:
  /// At most so many run at the same time, and so many wait: a flood of new flows is no reason to
  /// go on for hours.
  struct Limits {
    std::size_t running = 8;
    std::size_t waiting = 4096;
  };
  /// `command` may be empty: then nothing is ever run.
  Hook(asio::io_context& loop, std::string command) : Hook(loop, std::move(command), Limits()) {}
  Hook(asio::io_context& loop, std::string command, Limits limits);

  /// Has the program run with this argument and these additions to the environment ("name=value"):
  /// at once, or after others if many run already.
  void run(const std::string& event, std::vector<std::string> environment = {});

 private:
  struct Event {
    std::string name;
    std::vector<std::string> environment;
  };
  void start(const Event& event);
  void start_waiting();
  void wait_for_children();
  void reap();

  const std::string command_;
  const Limits limits_;
  asio::signal_set child_ended_;
  std::set<pid_t> running_;
  std::deque<Event> waiting_;
  std::size_t skipped_ = 0;  ///< since there was room last
};

}  // namespace mcast::cli
