// SPDX-License-Identifier: BSD-2-Clause
#include "core/traits.hpp"

namespace mcast {

KernelTraits linux_traits() {
  KernelTraits traits;
  // ip6mr.c: forwarding asks only whether the output's bit is set.
  traits.ipv6.ttl_thresholds = false;
  // linux/mroute6.h: mif6ctl.mif6c_pifi has 16 bits.
  traits.ipv6.max_ifindex = 0xffff;
  // ipmr.c and ip6mr.c: an interface is named after the table, in 16 letters.
  traits.ipv4.max_table = 999'999'999;
  traits.ipv6.max_table = 99'999'999;
  // linux/rtnetlink.h: RT_TABLE_DEFAULT; net/ip6_fib.h: RT6_TABLE_DFLT, which is RT_TABLE_MAIN.
  traits.ipv4.default_table = TableId(253);
  traits.ipv6.default_table = TableId(254);
  return traits;
}

KernelTraits freebsd_traits(std::uint32_t tables) {
  KernelTraits traits;
  // netinet/ip_mroute.c: a VIF is named by a local address; ifnet_departure_event, which a rename
  // raises too, removes the VIF and the entries it is the parent of. Entries that have it as an
  // output keep their TTL slot and use it again, and an update leaves slots above numvifs alone.
  traits.ipv4.bind_needs_address = true;
  traits.ipv4.departure_drops_entries = true;
  traits.ipv4.rename_is_departure = true;
  traits.ipv4.update_clears_outputs = false;
  // ip_mdq() asks for no interface, and ip_output() without one asks the routing table.
  traits.ipv4.unbound_output = UnboundOutput::routed;
  traits.ipv4.rebind_is_safe = false;
  traits.ipv4.native_any_source = false;
  // netinet6/ip6_mroute.c: knows no departure, takes a 16-bit ifindex, an update replaces the whole
  // output set, bound or not, and phyint_send() takes the MTU of a null interface.
  traits.ipv6.unbound_output = UnboundOutput::fatal;
  traits.ipv6.slots = 64;
  traits.ipv6.departure_unbinds = false;
  traits.ipv6.ttl_thresholds = false;
  traits.ipv6.native_any_source = false;
  traits.ipv6.max_ifindex = 0xffff;
  traits.table_choice = tables > 1 ? TableChoice::interface : TableChoice::single;
  traits.ipv4.max_table = traits.ipv6.max_table = tables - 1;
  // netinet6/ip6_mroute.c: before there are tables for FIBs, jails share MIFs, entries and the
  // timer.
  traits.ipv6.table_is_the_kernels = tables == 1;
  // netinet/in_mcast.c: maxgrpsrc; one source more panics releases 13 to 15.
  traits.max_sources_per_group = 512;
  return traits;
}

}  // namespace mcast
