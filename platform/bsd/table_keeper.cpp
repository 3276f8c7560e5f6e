// SPDX-License-Identifier: BSD-2-Clause
// Kernels differ in how many multicast routers they have room for:
//  - IPv4: one for each vnet (the host's and those of jails), or one for each FIB of a vnet.
//  - IPv6: where there is a table for each FIB, as IPv4. On older kernels the sockets are each
//    vnet's own, but slots, entries and timer are the whole kernel's (ip6_mroute.c): a second
//    MRT6_INIT starts anew a timer that runs and loses the entries of the first router, which ends
//    in a panic, and the first of them to end takes the slots of the other.
// What tells the kernels apart is whether they give away two tables of IPv4 at a time; see
// probe_tables.
#include "platform/bsd/table_keeper.hpp"

#include <fmt/format.h>

#include <sys/param.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <netinet/icmp6.h>
#include <netinet/ip_mroute.h>
#include <netinet6/ip6_mroute.h>

#include <cerrno>
#include <expected>
#include <utility>
#include <vector>

#include "platform/bsd/slot_codec.hpp"
#include "platform/bsd/sysctl.hpp"
#include "platform/bsd/table_count.hpp"
#include "platform/posix/mroute_error.hpp"
#include "platform/posix/mroute_requests.hpp"
#include "platform/posix/socket_address.hpp"

namespace mcast::platform {
namespace {

/// Halved until the host's kern.ipc.maxsockbuf allows it.
constexpr int kReceiveBuffer = 16 << 20;
constexpr int kLeastReceiveBuffer = 64 << 10;
constexpr int kOn = 1;

template <class Value>
bool set_option(int fd, int level, int name, const Value& value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// The kernel finds the table by the FIB of the socket, at each call and when it is closed, so it
/// never changes afterwards; by default it is the process's (setfib(1)).
std::expected<void, Refusal> take_table(int fd, TableKey table) {
  const int fib = static_cast<int>(table.id.value);
  if (!set_option(fd, SOL_SOCKET, SO_SETFIB, fib)) {
    return std::unexpected(Refusal{MrouteCall::set_table, errno});
  }
  static_assert(MRT_INIT != MRT6_INIT);
  const int option = table.family == Family::ipv4 ? MRT_INIT : MRT6_INIT;
  if (!set_option(fd, mroute_level(table.family), option, kOn)) {
    return std::unexpected(Refusal{MrouteCall::init, errno});
  }
  return {};
}

/// Upcalls pass even a filter that blocks everything. IPv4 has no such filter: all IGMP comes too.
bool block_icmp6(int fd) {
  icmp6_filter nothing{};
  ICMP6_FILTER_SETBLOCKALL(&nothing);
  return set_option(fd, IPPROTO_ICMPV6, ICMP6_FILTER, nothing);
}

/// Both are best effort: without them more is lost, or lost unnoticed.
void prepare_for_storms(int fd) {
#ifdef SO_RERROR
  static_cast<void>(set_option(fd, SOL_SOCKET, SO_RERROR, kOn));
#endif
  for (int size = kReceiveBuffer; size >= kLeastReceiveBuffer; size /= 2) {
    if (set_option(fd, SOL_SOCKET, SO_RCVBUF, size)) return;
  }
}

/// Asks for reports of packets on a wrong interface. The kernel sends those of IPv4 every three
/// seconds for each entry, those of IPv6 for each packet.
void enable_wrong_vif_reports(int fd, Family family) {
  const int option = family == Family::ipv4 ? MRT_ASSERT : MRT6_PIM;
  static_cast<void>(set_option(fd, mroute_level(family), option, kOn));
}

/// Whether somebody in this kernel, whatever the jail, has slots or entries of IPv6. One of other
/// make that has neither is not seen; nor is one that takes the table between this look and ours.
bool is_ipv6_routed() {
  return is_used(sysctl_bytes("net.inet6.ip6.mif6table")) ||
         is_used(sysctl_bytes("net.inet6.ip6.mf6ctable"));
}

/// An entry that no packet uses, since its group never leaves an interface: by it others of our
/// make see a router that has nothing to route yet.
void leave_mark(int fd) {
  mf6cctl entry{};
  entry.mf6cc_origin = to_sockaddr6(*Address::parse("::1"));
  entry.mf6cc_mcastgrp = to_sockaddr6(*Address::parse("ff01::1"));
  static_cast<void>(set_option(fd, IPPROTO_IPV6, MRT6_ADD_MFC, entry));
}

class BsdTableKeeper final : public TableKeeper {
 public:
  explicit BsdTableKeeper(std::uint32_t tables) : tables_(tables) {}

  Result<TableSocket> open_table(TableKey table) override {
    TRY(check_id(table));
    const bool shared = table.family == Family::ipv6 && tables_ == 1;
    if (shared && is_ipv6_routed()) {
      return fail(ErrorCode::table_in_use,
                  fmt::format("{}: another program routes IPv6 multicast on this host or in one of "
                              "its jails, and this kernel can do it for one only; stop it first",
                              describe(table)));
    }
    const auto failed = [&](const Refusal& refusal) {
      return std::unexpected(
          mroute_error(refusal.call, table.family, refusal.error, describe(table)));
    };
    auto fd = open_mroute_socket(table.family);
    if (!fd) return failed(fd.error());
    if (table.family == Family::ipv6 && !block_icmp6(fd->get())) {
      return failed({MrouteCall::set_option, errno});
    }
    prepare_for_storms(fd->get());
    if (const auto taken = take_table(fd->get(), table); !taken) return failed(taken.error());
    if (shared) leave_mark(fd->get());
    enable_wrong_vif_reports(fd->get(), table.family);
    return TableSocket{table, *std::move(fd)};
  }

 private:
  Result<void> check_id(TableKey table) const {
    if (table.id.value < tables_) return {};
    if (tables_ == 1) {
      return fail(ErrorCode::no_kernel_support,
                  fmt::format("{}: this kernel has one table only, which is 0; use a jail with "
                              "vnet for each further one",
                              describe(table)));
    }
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: tables are FIBs, and they go from 0 to {} (net.fibs)",
                            describe(table), tables_ - 1));
  }

  std::uint32_t tables_;
};

}  // namespace

std::uint32_t probe_tables() {
  std::vector<UniqueFd> taken;  // given back in the end
  const auto fibs = static_cast<std::uint32_t>(sysctl_number("net.fibs").value_or(1));
  return count_tables(fibs, [&](std::uint32_t fib) {
    auto fd = open_mroute_socket(Family::ipv4);
    if (!fd) return fd.error().error;
    const auto outcome = take_table(fd->get(), {Family::ipv4, TableId(fib)});
    if (!outcome) return outcome.error().error;
    taken.push_back(*std::move(fd));
    return 0;
  });
}

std::unique_ptr<TableKeeper> make_table_keeper(std::uint32_t tables) {
  return std::make_unique<BsdTableKeeper>(tables);
}

}  // namespace mcast::platform
