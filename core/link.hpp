// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.hpp"
#include "core/ids.hpp"

namespace mcast {

/// One network interface as the kernel's link source reports it.
struct Link {
  IfIndex index;
  std::string name;
  /// Linux alternative names; empty elsewhere.
  std::vector<std::string> altnames;
  bool up = false;
  bool multicast = false;  ///< IFF_MULTICAST: without it the interface does not count
  bool loopback = false;
  bool point_to_point = false;
  /// Its removal has begun: the kernel may still hold its slots, but not for long (FreeBSD).
  bool leaving = false;
  /// The bridge, bond or VRF it is enslaved to; 0 if none.
  IfIndex master;
  bool master_is_vrf = false;
  /// The kind of link as rtnetlink names it ("veth", "bridge", "vrf"); empty for hardware.
  std::string kind;
  /// For a VRF device, its table; 0 otherwise.
  TableId vrf_table;
  /// The routing table that the interface belongs to where that is a property of interfaces
  /// (FreeBSD FIBs, `ifconfig em0 fib 1`); 0 elsewhere.
  TableId fib;
  /// Tells a re-created interface from the old one when both have the same name and index: link
  /// layer address and whatever else the source knows, as an opaque number.
  std::uint64_t incarnation = 0;
  /// The addresses it holds now, sorted.
  std::vector<Address> addresses;

  bool operator==(const Link&) const = default;

  /// An interface counts when it exists, to stay, and is multicast capable; the loopback is never
  /// matched by a wildcard, but may be named.
  [[nodiscard]] bool usable() const { return !leaving && (multicast || loopback); }
  [[nodiscard]] bool has_name(std::string_view wanted) const {
    if (name == wanted) return true;
    for (const auto& alt : altnames) {
      if (alt == wanted) return true;
    }
    return false;
  }
};

}  // namespace mcast
