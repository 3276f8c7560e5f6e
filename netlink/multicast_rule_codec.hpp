// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <vector>

#include <libmnl/libmnl.h>

#include "core/ops.hpp"

/// rtnetlink messages about multicast rules (rtnetlink(7), linux/fib_rules.h) as values.
namespace mcast::netlink {

/// Whether it is about a multicast rule; the same groups tell of the rules for unicast.
[[nodiscard]] bool is_multicast_rule(const nlmsghdr& message);

/// An RTM_NEWRULE of a rule that takes all packets that arrive on one interface or on every one,
/// or all that this host sends so; two entries for one that takes both. None for rules that take
/// only some packets or none, and for other messages.
[[nodiscard]] std::vector<KernelMulticastRule> decode_multicast_rule(const nlmsghdr& message);

}  // namespace mcast::netlink
