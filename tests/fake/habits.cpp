// SPDX-License-Identifier: BSD-2-Clause
#include "tests/fake/habits.hpp"

namespace mcast::testing {

// Linux: net/ipv4/ipmr.c, net/ipv6/ip6mr.c.
// FreeBSD: netinet/ip_mroute.c and netinet6/ip6_mroute.c, UPCALL_EXPIRE and EXPIRE_TIMEOUT for the
// first, X_ip6_mforward() and ip6_mdq() for what only IPv6
// does.
Habits::Habits(const FamilyTraits& traits) {
  const bool keeps_unbound = traits.unbound_output != UnboundOutput::skipped;
  unresolved_life = keeps_unbound ? 1'500 : 10'000;
  reports_need_parent = keeps_unbound;
  counts_wrong_packets = !keeps_unbound;
  lowest_slot_first = keeps_unbound;
  asks_without_slot = !traits.departure_unbinds;
}

// Linux: net/core/rtnetlink.c, ip_mc_join_group() in net/ipv4/igmp.c.
// FreeBSD: if_rename() in net/if.c, inp_freemoptions() of the interface's in netinet/in_mcast.c.
LinkHabits::LinkHabits(const KernelTraits& traits)
    : rename_is_two_events(traits.ipv4.rename_is_departure),
      departure_leaves_groups(traits.ipv4.rename_is_departure) {}

}  // namespace mcast::testing
