// SPDX-License-Identifier: BSD-2-Clause
#include "platform/bsd/table_count.hpp"

#include <algorithm>
#include <cerrno>

namespace mcast::platform {

std::uint32_t count_tables(std::uint32_t fibs, const std::function<int(std::uint32_t fib)>& take) {
  constexpr std::uint32_t kMostTried = 16;
  bool somebody = false;  // has one of them
  for (std::uint32_t fib = 0; fib < std::min(fibs, kMostTried); ++fib) {
    const int error = take(fib);
    if (error != 0 && error != EADDRINUSE) return 1;
    if (error == 0 && somebody) return fibs;
    somebody = true;
  }
  return 1;
}

}  // namespace mcast::platform
