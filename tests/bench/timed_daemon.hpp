// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/routes.hpp"
#include "tests/bench/stopwatch.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/process.hpp"

namespace mcast::bench {

/// Kilobytes, as smaps_rollup tells them.
struct Memory {
  std::uint64_t resident = 0;
  std::uint64_t proportional = 0;
  std::uint64_t private_dirty = 0;
};

/// A daemon process in the foreground, with files of its own: mcastd, or SMCRoute's, which takes
/// the same arguments.
class TimedDaemon {
 public:
  /// Starts it and waits until the flows 0 to `routes` are in the kernel and its pid file is there.
  TimedDaemon(const testing::NetNamespace& router, const std::string& program,
              std::string_view configuration, std::size_t routes);
  /// Asks it to end and waits for that, so that the table is free again.
  ~TimedDaemon();
  TimedDaemon(const TimedDaemon&) = delete;
  TimedDaemon& operator=(const TimedDaemon&) = delete;

  /// From its start to the last route installed.
  [[nodiscard]] Cost start_cost() const { return start_cost_; }
  /// Has it read its file again: from SIGHUP to the pid file touched.
  Cost reload();
  /// What the client prints on standard output; throws if it fails.
  [[nodiscard]] std::string ctl(const std::vector<std::string>& arguments) const;
  [[nodiscard]] Memory memory() const;
  /// How often any of its threads was switched away from: it can do nothing without that.
  [[nodiscard]] std::uint64_t context_switches() const;

 private:
  void require_running();
  /// Seconds of a processor that it has used.
  [[nodiscard]] double processor() const;

  const testing::NetNamespace& router_;
  testing::TempDir dir_;
  testing::DirectoryWatch watch_;
  TableView table_;
  Stopwatch started_;
  testing::Process process_;
  Cost start_cost_;
};

inline const std::string kSmcrouted = "/usr/sbin/smcrouted";

}  // namespace mcast::bench
