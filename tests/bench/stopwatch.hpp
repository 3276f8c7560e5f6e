// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <limits>

namespace mcast::bench {

/// Seconds by the clock on the wall, and seconds of a processor. The latter hardly change when
/// others use the machine too, nor with the time spent waiting for the kernel's network lock.
struct Cost {
  double wall = 0;
  double processor = 0;
  Cost operator+(const Cost& other) const {
    return {wall + other.wall, processor + other.processor};
  }
};

inline constexpr Cost kNever{std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::infinity()};

inline Cost best(const Cost& a, const Cost& b) {
  return {std::min(a.wall, b.wall), std::min(a.processor, b.processor)};
}

/// Measures the calling thread.
class Stopwatch {
 public:
  [[nodiscard]] Cost cost() const {
    return {std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(),
            processor() - processor_began_};
  }

 private:
  static double processor() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
  }

  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  double processor_began_ = processor();
};

}  // namespace mcast::bench
