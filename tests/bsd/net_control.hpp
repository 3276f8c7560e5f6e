// SPDX-License-Identifier: BSD-2-Clause
//
// What ifconfig(8), sysctl(8) and kldload(8) do, in the network of the calling process. All throw
// what names the call and the interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/address.hpp"

namespace mcast::testing {

/// Two interfaces joined by a cable.
struct Epair {
  std::string a;
  std::string b;
};
/// Skips the case where the kernel has none.
[[nodiscard]] Epair make_epair();
/// Of an epair the other end goes with it, wherever it is.
void destroy_interface(const std::string& name);
void rename_interface(const std::string& name, const std::string& to);
/// 0 if there is none.
[[nodiscard]] unsigned index_of_interface(const std::string& name);
[[nodiscard]] std::set<std::string> interface_names();
/// Those that make_epair() has made, whoever called it and whatever they are called now.
[[nodiscard]] std::set<std::string> interfaces_of_tests();
/// Pairs of an interface's name and an address of it, without the zone.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> interface_addresses();
[[nodiscard]] std::uint32_t flags_of_interface(const std::string& name);
void set_interface_up(const std::string& name, bool up);
[[nodiscard]] unsigned fib_of_interface(const std::string& name);
void set_fib_of_interface(const std::string& name, unsigned fib);
void add_interface_address(const std::string& name, const Address& address, unsigned length);
void remove_interface_address(const std::string& name, const Address& address);
/// Packets to addresses of the IPv4 prefix go to this neighbour, as long as its interface is there.
void add_route(const Address& prefix, unsigned length, const Address& gateway);
/// Moves it into a jail's network, which takes its addresses.
void lend_interface(const std::string& name, int jail);
/// Moves it back here.
void reclaim_interface(const std::string& name, int jail);

/// Empty if there is no such setting.
[[nodiscard]] std::optional<std::vector<std::byte>> read_sysctl(const std::string& name);
/// Of 32 or 64 bits.
[[nodiscard]] std::optional<std::int64_t> read_number(const std::string& name);
[[nodiscard]] std::string read_text(const std::string& name);
/// Of 32 bits.
void write_number(const std::string& name, std::int32_t value);

/// A new network becomes one in which addresses can be used at once. The loopback interface has to
/// be there for routing messages to be sent at all (rt_dispatch in net/rtsock.c).
void settle_network();

/// Asks for the module. Returns what came of it, for people.
[[nodiscard]] std::string load_module(const std::string& name);
/// Whether the kernel has multicast routing of the family now. Takes nothing.
[[nodiscard]] bool has_multicast_routing(Family family);
/// Skips the case where it has not.
void need_multicast_routing(Family family);

}  // namespace mcast::testing
