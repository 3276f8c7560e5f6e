// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <memory>

#include "platform/ports.hpp"

namespace mcast::platform {

/// Multicast forwarding through MRT and MRT6 socket options, of a kernel with this many tables. Not
/// for a program with several threads that open sockets: asking about a table of another FIB than
/// the process's takes the process there for a moment.
///
/// UpcallCounts::lost is the least that can have been lost: of losses in a row the kernel tells
/// once, and only after what it had kept has been read.
[[nodiscard]] std::unique_ptr<MrouteKernel> make_mroute_kernel(std::uint32_t tables);

}  // namespace mcast::platform
