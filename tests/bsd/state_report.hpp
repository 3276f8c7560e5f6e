// SPDX-License-Identifier: BSD-2-Clause
//
// What tells on the console, without a debugger, what has happened.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mcast::testing {

/// A slot in use, as the kernel's table has it.
struct Viftable {
  unsigned slot;
  std::string address;  ///< its local one
  std::uint64_t packets_in;
  std::uint64_t packets_out;
};
struct Mif6table {
  unsigned slot;
  unsigned index;  ///< of its interface
  std::uint64_t packets_in;
  std::uint64_t packets_out;
};
/// Of the network that this process is in; IPv6 slots are those of all networks up to FreeBSD 15.
[[nodiscard]] std::vector<Viftable> read_viftable();
[[nodiscard]] std::vector<Mif6table> read_mif6table();
/// Whether anybody on this kernel has slots or entries.
[[nodiscard]] bool is_ipv6_routed();

/// Prints interfaces, slots and counters of the network that this process is in.
void print_state();
/// Prints the release, settings that matter here and which modules there are.
void print_system();

/// While this object lives, what a case has made is told with the kernel's state when a check fails
/// or when give_up() is called.
class StateTeller {
 public:
  explicit StateTeller(std::function<void()> tell);
  ~StateTeller();
  StateTeller(const StateTeller&) = delete;
  StateTeller& operator=(const StateTeller&) = delete;
};

/// Tells the state and throws: the harness, not a check, has found that something is amiss.
[[noreturn]] void give_up(const std::string& why);
/// To be called once in the process of a case.
void tell_state_on_failure();

}  // namespace mcast::testing
