// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <memory>

#include "core/result.hpp"
#include "platform/ports.hpp"

namespace mcast::netlink {

/// The multicast rules of the calling thread's network namespace, by rtnetlink. Reading needs no
/// privilege, changes need CAP_NET_ADMIN. `is_held` answers for is_held_elsewhere.
[[nodiscard]] Result<std::unique_ptr<platform::MulticastRuleSocket>> open_multicast_rule_socket(
    std::function<bool(TableKey)> is_held);

}  // namespace mcast::netlink
