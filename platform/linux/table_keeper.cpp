// SPDX-License-Identifier: BSD-2-Clause
#include "platform/linux/table_keeper.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/mroute.h>
#include <linux/mroute6.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <expected>
#include <utility>

#include "core/traits.hpp"
#include "platform/linux/table_holder.hpp"
#include "platform/posix/mroute_error.hpp"
#include "platform/posix/mroute_requests.hpp"

namespace mcast::platform {
namespace {

static_assert(MRT_TABLE == MRT6_TABLE && MRT_INIT == MRT6_INIT && MRT_PIM == MRT6_PIM &&
              MRT_ASSERT == MRT6_ASSERT && MRT_FLUSH == MRT6_FLUSH);

/// An upcall costs 832 bytes of it; the kernel doubles the figure, so 40,000 new flows may wait.
constexpr int kReceiveBuffer = 16 << 20;

template <class Value>
bool set_option(int fd, int level, int name, const Value& value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

constexpr std::uint32_t kAcceptAll = 0xffffffff;

template <std::size_t N>
bool attach_filter(int fd, std::array<sock_filter, N> program) {
  const sock_fprog filter{program.size(), program.data()};
  return set_option(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter);
}

/// An IPv4 table socket receives all IGMP, once per table; upcalls have 0 where a packet has its
/// protocol.
bool keep_only_igmpmsg(int fd) {
  constexpr std::uint32_t kProtocolOffset = 9;
  return attach_filter(
      fd, std::array<sock_filter, 4>{{{BPF_LD | BPF_B | BPF_ABS, 0, 0, kProtocolOffset},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0},
                                      {BPF_RET | BPF_K, 0, 0, kAcceptAll},
                                      {BPF_RET | BPF_K, 0, 0, 0}}});
}

/// Upcalls pass even an ICMPv6 filter that blocks everything. Those about the source :: have no
/// answer: an entry with that source is one for every source. Nor have those about IPv4-mapped
/// sources, which are no addresses of IPv6. A refused upcall makes the kernel drop packet and
/// question at once (ip6mr.c, ip6mr_cache_unresolved); unanswered, each such group would lengthen
/// the list that is searched for every new flow. IPv4 never routes from 0.0.0.0.
bool keep_only_mrt6msg(int fd) {
  icmp6_filter nothing{};
  ICMP6_FILTER_SETBLOCKALL(&nothing);
  if (!set_option(fd, IPPROTO_ICMPV6, ICMP6_FILTER, nothing)) return false;
  constexpr std::uint32_t kSource = 8;  // its offset; compared by four bytes
  constexpr std::uint32_t kMapped = 0x0000ffff;
  return attach_filter(fd,
                       std::array<sock_filter, 11>{{{BPF_LD | BPF_W | BPF_ABS, 0, 0, kSource},
                                                    {BPF_JMP | BPF_JEQ | BPF_K, 0, 7, 0},
                                                    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kSource + 4},
                                                    {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0},
                                                    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kSource + 8},
                                                    {BPF_JMP | BPF_JEQ | BPF_K, 4, 0, kMapped},
                                                    {BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0},
                                                    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kSource + 12},
                                                    {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0},
                                                    {BPF_RET | BPF_K, 0, 0, kAcceptAll},
                                                    {BPF_RET | BPF_K, 0, 0, 0}}});
}

/// Leaves only upcalls that can be answered.
bool keep_only_upcalls(int fd, Family family) {
  return family == Family::ipv4 ? keep_only_igmpmsg(fd) : keep_only_mrt6msg(fd);
}

/// Asks for reports of packets on any wrong interface. The flags belong to the table and outlive
/// their setter; MRT_PIM sets ASSERT only when it changes, hence off first.
void enable_wrong_vif_reports(int fd, Family family) {
  const int level = mroute_level(family);
  static_cast<void>(set_option(fd, level, MRT_PIM, 0));
  // Without CONFIG_IP_PIMSM_V2 there is no MRT_PIM: then only packets from outputs are reported.
  if (!set_option(fd, level, MRT_PIM, 1)) static_cast<void>(set_option(fd, level, MRT_ASSERT, 1));
}

/// Entries and slots made through a second socket outlive their owner; the table has to be empty
/// for our record of it to be true. Kernels before 5.1 have no MRT_FLUSH, and hardly such entries.
void flush_leftovers(int fd, Family family) {
  constexpr int kEverything =
      MRT_FLUSH_MFC | MRT_FLUSH_MFC_STATIC | MRT_FLUSH_VIFS | MRT_FLUSH_VIFS_STATIC;
  static_cast<void>(set_option(fd, mroute_level(family), MRT_FLUSH, kEverything));
}

void enlarge_receive_buffer(int fd) {
  if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer)) return;
  // Not allowed inside user namespaces: as much as net.core.rmem_max allows.
  static_cast<void>(set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer));
}

Error table_in_use(TableKey table, int error) {
  Error failure = mroute_error(MrouteCall::init, table.family, error, describe(table));
  const auto holders = find_table_holders(table.family);
  constexpr std::size_t kMostNamed = 4;
  if (holders.size() == 1) {
    failure.message += fmt::format("; it is held by {}", holders.front());
  } else if (!holders.empty() && holders.size() <= kMostNamed) {
    failure.message += fmt::format("; it is held by one of {}", fmt::join(holders, ", "));
  } else {
    failure.message += "; it is held by another program";
  }
  return failure;
}

Result<void> check_id(TableKey table) {
  const std::uint32_t most = linux_traits().of(table.family).max_table;
  if (table.id.value != 0 && table.id.value <= most) return {};
  return fail(ErrorCode::invalid_argument,
              fmt::format("{}: table ids go from 1 to {}", describe(table), most));
}

std::expected<void, Refusal> take_table(int fd, TableKey table) {
  const int level = mroute_level(table.family);
  // Not for the default table: MRT_TABLE needs CAP_NET_ADMIN and kernels with several tables.
  if (table.id != linux_traits().of(table.family).default_table &&
      !set_option(fd, level, MRT_TABLE, table.id.value)) {
    return std::unexpected(Refusal{MrouteCall::set_table, errno});
  }
  if (!set_option(fd, level, MRT_INIT, 1)) {
    return std::unexpected(Refusal{MrouteCall::init, errno});
  }
  return {};
}

Error describe_refusal(const Refusal& refusal, TableKey table) {
  if (refusal.call == MrouteCall::init && refusal.error == EADDRINUSE) {
    return table_in_use(table, refusal.error);
  }
  return mroute_error(refusal.call, table.family, refusal.error, describe(table));
}

class LinuxTableKeeper final : public TableKeeper {
 public:
  Result<TableSocket> open_table(TableKey table) override {
    TRY(check_id(table));
    const auto failed = [&](const Refusal& refusal) {
      return std::unexpected(describe_refusal(refusal, table));
    };
    auto fd = open_mroute_socket(table.family);
    if (!fd) return failed(fd.error());
    if (!keep_only_upcalls(fd->get(), table.family)) return failed({MrouteCall::set_option, errno});
    enlarge_receive_buffer(fd->get());
    if (const auto taken = take_table(fd->get(), table); !taken) return failed(taken.error());
    flush_leftovers(fd->get(), table.family);
    enable_wrong_vif_reports(fd->get(), table.family);
    return TableSocket{table, *std::move(fd)};
  }
};

}  // namespace

bool is_table_held(TableKey table) {
  const auto fd = open_mroute_socket(table.family);
  // What cannot be found out counts as held: nothing of it will be touched.
  return !fd || !take_table(fd->get(), table);
}

std::unique_ptr<TableKeeper> make_table_keeper() {
  return std::make_unique<LinuxTableKeeper>();
}

}  // namespace mcast::platform
