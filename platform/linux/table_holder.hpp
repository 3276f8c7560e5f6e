// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "core/address.hpp"

namespace mcast::platform {

/// Programs other than this one that hold a socket with which a multicast routing table of the
/// family can be owned, as "NAME (pid PID)". The kernel does not say which table such a socket
/// serves, and other programs open them too, so with several it may be any. Programs of other users
/// are seen only with privilege, those of other pid namespaces never.
[[nodiscard]] std::vector<std::string> find_table_holders(Family family);

}  // namespace mcast::platform
