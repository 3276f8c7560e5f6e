// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "platform/ports.hpp"

namespace mcast::platform {

/// Multicast Router Discovery through a raw socket of each family, in the network namespace or jail
/// of the thread that calls. Needs privilege for raw sockets here; where using multicast routing
/// needs none later, nor does this.
[[nodiscard]] std::unique_ptr<DiscoverySocket> make_discovery_socket();

}  // namespace mcast::platform
