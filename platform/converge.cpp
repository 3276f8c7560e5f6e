// SPDX-License-Identifier: BSD-2-Clause
#include "platform/converge.hpp"

namespace mcast::platform {

Result<void> read_links(Engine& engine, LinkSource& links, LinkSink& sink) {
  const auto read = links.read(sink);
  // The kernel removes a slot and sends the event under the lock that a put takes too (rtnl_lock in
  // net/core/dev.c and ip_mroute_setsockopt), so nothing can come between them.
  if (read && links.retry_in() < 0) engine.links_current();
  return read;
}

std::size_t converge(Engine& engine, MrouteKernel& kernel, Milliseconds now,
                     std::size_t max_steps) {
  for (const auto& [table, slot] : engine.slots_to_verify()) {
    const auto bound = kernel.slot_is_bound(table, slot);
    if (bound && !*bound) engine.slot_lost(table, slot);
  }
  std::size_t steps = 0;
  while (steps < max_steps) {
    const Plan plan = engine.plan(now);
    if (plan.empty()) break;
    for (const Op& op : plan) engine.acknowledge(op, kernel.apply(op), now);
    steps += plan.size();
  }
  return steps;
}

}  // namespace mcast::platform
