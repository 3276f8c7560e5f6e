// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <set>
#include <string>
#include <vector>

namespace mcast::cli {

/// Runs the administrator's program when something happened, without waiting for it.
class Hook {
 public:
  /// `command` may be empty: then nothing is ever run.
  Hook(asio::io_context& loop, std::string command);

  /// Starts the program with this argument and these additions to the environment ("name=value").
  void run(const std::string& event, const std::vector<std::string>& environment = {});

 private:
  void wait_for_children();
  void reap();

  const std::string command_;
  asio::signal_set child_ended_;
  std::set<pid_t> running_;
};

}  // namespace mcast::cli
