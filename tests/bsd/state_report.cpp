// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/state_report.hpp"

#include <sys/param.h>
// Others need sys/param.h before them.
#include <sys/socket.h>

#include <net/if.h>
#include <netinet/in.h>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/ip_mroute.h>
#include <netinet6/ip6_mroute.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>
#include <utility>

#include "tests/bsd/net_control.hpp"
#include "tests/support/reporter.hpp"

namespace mcast::testing {
namespace {

// Up to v_bytes_out on every release read; the kernel has more, and leaves it out of the sysctl.
static_assert(sizeof(vif) == 56);
static_assert(sizeof(mif6_sctl) == 64);

std::function<void()> teller;
bool told = false;

/// The rows of a table that is an array in the kernel.
template <class Row>
std::vector<Row> read_rows(const std::string& name) {
  const auto bytes = read_sysctl(name);
  if (!bytes) return {};
  std::vector<Row> rows(bytes->size() / sizeof(Row));
  if (!rows.empty()) std::memcpy(rows.data(), bytes->data(), rows.size() * sizeof(Row));
  return rows;
}

std::string text_of(const in_addr& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &address, text.data(), text.size());
  return text.data();
}

void print_interfaces() {
  std::map<std::string, std::string> addresses;
  for (const auto& [name, address] : interface_addresses()) addresses[name] += " " + address;
  for (const auto& name : interface_names()) {
    const auto flags = flags_of_interface(name);
    fmt::print("  {} index {} fib {} flags {:#x}{}:{}\n", name, index_of_interface(name),
               fib_of_interface(name), flags, (flags & IFF_UP) != 0 ? " up" : "", addresses[name]);
  }
}

template <class Counters>
void print_counters(const char* family, const std::string& name,
                    std::initializer_list<std::pair<const char*, std::uint64_t Counters::*>> all) {
  const auto rows = read_rows<Counters>(name);
  if (rows.empty()) return;
  std::string text;
  for (const auto& [label, member] : all) {
    if (rows[0].*member != 0) text += fmt::format(" {} {}", label, rows[0].*member);
  }
  fmt::print("  {}:{}\n", family, text.empty() ? " nothing counted" : text);
}

void print_tables() {
  for (const auto& row : read_viftable()) {
    fmt::print("  IPv4 slot {}: {}, {} packets in, {} out\n", row.slot, row.address, row.packets_in,
               row.packets_out);
  }
  for (const auto& row : read_mif6table()) {
    fmt::print("  IPv6 slot {}: index {}, {} packets in, {} out\n", row.slot, row.index,
               row.packets_in, row.packets_out);
  }
  print_counters<mrtstat>("IPv4 multicast routing", "net.inet.ip.mrtstat",
                          {{"lookups", &mrtstat::mrts_mfc_lookups},
                           {"misses", &mrtstat::mrts_mfc_misses},
                           {"upcalls", &mrtstat::mrts_upcalls},
                           {"no_route", &mrtstat::mrts_no_route},
                           {"wrong_if", &mrtstat::mrts_wrong_if},
                           {"upcall_queue_full", &mrtstat::mrts_upq_ovflw},
                           {"expired", &mrtstat::mrts_cache_cleanups},
                           {"upcall_socket_full", &mrtstat::mrts_upq_sockfull}});
  print_counters<mrt6stat>("IPv6 multicast routing", "net.inet6.ip6.mrt6stat",
                           {{"lookups", &mrt6stat::mrt6s_mfc_lookups},
                            {"misses", &mrt6stat::mrt6s_mfc_misses},
                            {"upcalls", &mrt6stat::mrt6s_upcalls},
                            {"no_route", &mrt6stat::mrt6s_no_route},
                            {"wrong_if", &mrt6stat::mrt6s_wrong_if},
                            {"upcall_queue_full", &mrt6stat::mrt6s_upq_ovflw},
                            {"expired", &mrt6stat::mrt6s_cache_cleanups},
                            {"upcall_socket_full", &mrt6stat::mrt6s_upq_sockfull}});
}

void tell_once() {
  if (std::exchange(told, true)) return;
  fmt::print("--- the kernel looks like this:\n");
  print_state();
  try {
    if (teller) teller();
  } catch (const std::exception& problem) {
    fmt::print("  (and then: {})\n", problem.what());
  }
  fmt::print("---\n");
  std::fflush(stdout);
}

}  // namespace

std::vector<Viftable> read_viftable() {
  std::vector<Viftable> used;
  const auto rows = read_rows<vif>("net.inet.ip.viftable");
  for (unsigned slot = 0; slot < rows.size(); ++slot) {
    const vif& row = rows[slot];
    // What add_vif() and del_vif() in netinet/ip_mroute.c go by.
    if (row.v_lcl_addr.s_addr == INADDR_ANY) continue;
    used.push_back({slot, text_of(row.v_lcl_addr), row.v_pkt_in, row.v_pkt_out});
  }
  return used;
}

std::vector<Mif6table> read_mif6table() {
  std::vector<Mif6table> used;
  const auto rows = read_rows<mif6_sctl>("net.inet6.ip6.mif6table");
  for (unsigned slot = 0; slot < rows.size(); ++slot) {
    const mif6_sctl& row = rows[slot];
    if (row.m6_ifp == 0) continue;
    used.push_back({slot, row.m6_ifp, row.m6_pkt_in, row.m6_pkt_out});
  }
  return used;
}

bool is_ipv6_routed() {
  // An array of pointers, of use only for whether there are any.
  const auto entries = read_sysctl("net.inet6.ip6.mf6ctable");
  const auto used = [](std::byte byte) { return byte != std::byte{0}; };
  return !read_mif6table().empty() || (entries && std::ranges::any_of(*entries, used));
}

void print_state() {
  try {
    print_interfaces();
    print_tables();
  } catch (const std::exception& problem) {
    fmt::print("  (and then: {})\n", problem.what());
  }
  std::fflush(stdout);
}

void print_system() {
  fmt::print("{}\n", read_text("kern.version"));
  for (const char* name :
       {"kern.osreldate", "hw.ncpu", "kern.features.vimage", "net.fibs", "net.add_addr_allfibs",
        "net.rtsock.recvspace", "kern.ipc.maxsockbuf", "net.inet.ip.mcast.maxgrpsrc"}) {
    const auto value = read_number(name);
    fmt::print("{}={} ", name, value ? std::to_string(*value) : "unknown");
  }
  // Markers are relied on to overtake no packet: an epair has one queue in each direction unless
  // the kernel has options RSS, and with direct dispatch its packets are handled in that order.
  fmt::print("net.isr.dispatch={}\n", read_text("net.isr.dispatch"));
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    fmt::print("{} multicast routing: {}\n", to_string(family),
               has_multicast_routing(family) ? "there" : "missing");
  }
  std::fflush(stdout);
}

StateTeller::StateTeller(std::function<void()> tell) {
  teller = std::move(tell);
}

StateTeller::~StateTeller() {
  teller = nullptr;
}

void give_up(const std::string& why) {
  fmt::print("giving up: {}\n", why);
  tell_once();
  throw std::runtime_error(why);
}

void tell_state_on_failure() {
  on_first_failure(tell_once);
}

}  // namespace mcast::testing
