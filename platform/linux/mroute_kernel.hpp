// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "platform/ports.hpp"

namespace mcast::platform {

/// Multicast forwarding through MRT and MRT6 socket options. Joins belong to the network namespace
/// of the thread that calls.
[[nodiscard]] std::unique_ptr<MrouteKernel> make_mroute_kernel();

}  // namespace mcast::platform
