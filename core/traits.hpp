// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ids.hpp"

namespace mcast {

/// What decides by which multicast routing table the kernel routes a packet.
enum class TableChoice : std::uint8_t {
  rules,      ///< multicast rules, which we keep (Linux: `ip mrule`), and VRFs
  interface,  ///< the interface it arrives on belongs to a table: Link::fib
  single,     ///< there is one table
};

/// What the kernel does with an output of an entry whose slot is not bound.
enum class UnboundOutput : std::uint8_t {
  skipped,  ///< nothing; and putting an entry leaves it out for good
  routed,   ///< sends by the unicast routing table, a default route included
  fatal,    ///< uses the interface that is missing
};

/// How one family of a kernel's multicast routing behaves where kernels differ. The planner reads
/// these, the fake kernel obeys them; nothing else tells one system from another.
struct FamilyTraits {
  /// Slots per table (Linux MAXVIFS, MAXMIFS: 32; FreeBSD MAXVIFS 32, MAXMIFS 64).
  std::size_t slots = 32;
  /// An interface needs an address of the family before it can take a slot (FreeBSD IPv4).
  bool bind_needs_address = false;
  /// The kernel takes the slot away when the interface is unregistered. Where it does not (FreeBSD
  /// IPv6) the slot dangles and has to be unbound by us.
  bool departure_unbinds = true;
  /// A departure also removes every entry whose parent the slot was (FreeBSD IPv4).
  bool departure_drops_entries = false;
  /// A rename counts as a departure (FreeBSD IPv4).
  bool rename_is_departure = false;
  /// Updating an entry clears outputs whose slot is not bound (Linux). Where it does not (FreeBSD
  /// IPv4: outputs above the highest slot in use stay), entries are dropped and put anew.
  bool update_clears_outputs = true;
  /// Where it is not `skipped`, a put keeps such outputs, and they work once the slot is bound.
  UnboundOutput unbound_output = UnboundOutput::skipped;
  /// Binding a slot already in use is refused harmlessly; on FreeBSD IPv4 it frees the interface.
  bool rebind_is_safe = true;
  /// Forwarding honours per-output TTL thresholds (IPv4 everywhere, IPv6 nowhere).
  bool ttl_thresholds = true;
  /// (*,G) entries are native in the kernel.
  bool native_any_source = true;
  /// Highest interface index a slot can hold: 65535 for Linux IPv6 (mif6ctl.mif6c_pifi is 16 bits).
  std::uint32_t max_ifindex = 0xffffffffU;
  /// Highest number a table can have.
  std::uint32_t max_table = 0xffffffffU;
  /// Whoever has the table keeps all other jails of the kernel from having one, so it is not taken
  /// before a route needs it (FreeBSD IPv6 where tables are no FIBs).
  bool table_is_the_kernels = false;
  /// The table of everything that no rule of the kernel sends elsewhere.
  TableId default_table;
};

struct KernelTraits {
  FamilyTraits ipv4;
  FamilyTraits ipv6;
  TableChoice table_choice = TableChoice::rules;
  /// Most sources one join may list per (interface, group); 0 for no limit of the kernel's.
  std::size_t max_sources_per_group = 0;

  [[nodiscard]] const FamilyTraits& of(Family family) const {
    return family == Family::ipv4 ? ipv4 : ipv6;
  }
};

/// LINUX.md facts: linux/mroute.h, linux/mroute6.h, net/ipv4/ipmr.c, net/ipv6/ip6mr.c.
[[nodiscard]] KernelTraits linux_traits();
/// sys/netinet/ip_mroute.c, sys/netinet6/ip6_mroute.c of FreeBSD 13 to 15; with more than one table
/// as FreeBSD 16 has them, one for each FIB.
[[nodiscard]] KernelTraits freebsd_traits(std::uint32_t tables = 1);

}  // namespace mcast
