// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "platform/ports.hpp"

namespace mcast::platform {

/// Multicast Router Discovery through a raw socket of each family, in the network namespace of the
/// thread that calls. Needs CAP_NET_RAW here, and nothing later.
[[nodiscard]] std::unique_ptr<DiscoverySocket> make_discovery_socket();

}  // namespace mcast::platform
