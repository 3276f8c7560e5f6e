// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <functional>

namespace mcast::platform {

/// How many multicast routing tables a kernel has that has `fibs` tables for unicast: as many, or
/// one for all. It tells only when asked for two at the same time. `take` becomes the router of a
/// table, stays it until the count is known, and returns 0 or an errno. Where others leave too few
/// to tell, the count is one.
[[nodiscard]] std::uint32_t count_tables(std::uint32_t fibs,
                                         const std::function<int(std::uint32_t fib)>& take);

}  // namespace mcast::platform
