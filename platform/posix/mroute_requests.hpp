// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <type_traits>

#include "core/ids.hpp"
#include "core/ops.hpp"
#include "platform/posix/mroute_error.hpp"
#include "platform/posix/socket_address.hpp"
#include "platform/posix/unique_fd.hpp"

/// What the structures of MROUTING have the same members for on every system, each of which has
/// headers of its own: <linux/mroute.h>, <linux/mroute6.h>; <netinet/ip_mroute.h>,
/// <netinet6/ip6_mroute.h>.
namespace mcast::platform {

/// struct mfcctl, without outputs.
template <class Entry>
[[nodiscard]] Entry ipv4_entry(const FlowKey& flow, VifIndex parent) {
  Entry entry{};
  entry.mfcc_origin = to_in(flow.source);
  entry.mfcc_mcastgrp = to_in(flow.group);
  entry.mfcc_parent = parent.value;
  return entry;
}

template <class Entry>
[[nodiscard]] Entry ipv4_entry(const PutMfc& op) {
  Entry entry = ipv4_entry<Entry>(op.flow, op.shape.parent);
  static_assert(std::extent_v<decltype(entry.mfcc_ttls)> <= kMaxSlots);
  std::copy_n(op.shape.ttls.begin(), std::size(entry.mfcc_ttls), std::begin(entry.mfcc_ttls));
  return entry;
}

/// struct mf6cctl, without outputs.
template <class Entry>
[[nodiscard]] Entry ipv6_entry(const FlowKey& flow, VifIndex parent) {
  Entry entry{};
  entry.mf6cc_origin = to_sockaddr6(flow.source);
  entry.mf6cc_mcastgrp = to_sockaddr6(flow.group);
  entry.mf6cc_parent = parent.value;
  return entry;
}

template <class Entry>
[[nodiscard]] Entry ipv6_entry(const PutMfc& op) {
  Entry entry = ipv6_entry<Entry>(op.flow, op.shape.parent);
  auto& words = entry.mf6cc_ifset.ifs_bits;
  using Word = std::remove_reference_t<decltype(words[0])>;
  constexpr std::size_t kBits = 8 * sizeof(Word);
  static_assert(kMaxSlots <= 8 * sizeof words);
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
    if (op.shape.ttls[slot] != 0) words[slot / kBits] |= Word{1} << slot % kBits;
  }
  return entry;
}

/// By struct sioc_sg_req and SIOCGETSGCNT, or struct sioc_sg_req6 and SIOCGETSGCNT_IN6: an errno if
/// there are none.
template <class Request>
[[nodiscard]] std::expected<FlowCounters, int> request_counters(int fd, unsigned long command,
                                                                const FlowKey& flow) {
  Request request{};
  if constexpr (std::is_same_v<decltype(request.src), in_addr>) {
    request.src = to_in(flow.source);
    request.grp = to_in(flow.group);
  } else {
    request.src = to_sockaddr6(flow.source);
    request.grp = to_sockaddr6(flow.group);
  }
  if (::ioctl(fd, command, &request) != 0) return std::unexpected(errno);
  return FlowCounters{request.pktcnt, request.bytecnt, request.wrong_if};
}

/// A call that failed and its errno.
struct Refusal {
  MrouteCall call;
  int error;
};

/// A socket that may become a table's owner.
[[nodiscard]] inline std::expected<UniqueFd, Refusal> open_mroute_socket(Family family) {
  const bool v4 = family == Family::ipv4;
  const int protocol = v4 ? int{IPPROTO_IGMP} : int{IPPROTO_ICMPV6};
  UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd) return std::unexpected(Refusal{MrouteCall::open_socket, errno});
  return fd;
}

[[nodiscard]] inline int mroute_level(Family family) {
  return family == Family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
}

}  // namespace mcast::platform
