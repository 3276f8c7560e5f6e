// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <cstdint>

namespace mcast::bench {

struct Idleness {
  std::uint64_t wakeups = 0;
  std::uint64_t forwarded = 0;  ///< packets that passed meanwhile: the kernel's work, not ours
};

/// Runs the daemon with routes and joins of both families, has it handle some events, and then
/// leaves it alone for `window` while its routes forward.
[[nodiscard]] Idleness watch_idle_daemon(std::chrono::seconds window);

}  // namespace mcast::bench
