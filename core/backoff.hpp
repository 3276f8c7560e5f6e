// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>

#include "core/ids.hpp"

namespace mcast {

/// How long to wait after the n-th failure in a row (from 0) before trying again: doubling from a
/// tenth of a second to half a minute.
[[nodiscard]] inline Milliseconds backoff(unsigned failures) {
  constexpr Milliseconds first = 100;
  constexpr Milliseconds last = 30'000;
  return std::min(first << std::min(failures, 10U), last);
}

}  // namespace mcast
