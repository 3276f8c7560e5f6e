// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <memory>

#include "platform/ports.hpp"

namespace mcast::platform {

/// How many multicast routing tables the kernel has: one, or one for each FIB. To find out it
/// becomes the router of two FIBs for a moment if nobody else is, of IPv4 only: beside an IPv6
/// router elsewhere on the host the attempt alone could stop older kernels.
[[nodiscard]] std::uint32_t probe_tables();

/// Opens table sockets of the process's jail or, outside of any, of the host. Needs root, of a jail
/// with vnet inside of one.
[[nodiscard]] std::unique_ptr<TableKeeper> make_table_keeper(std::uint32_t tables);

}  // namespace mcast::platform
