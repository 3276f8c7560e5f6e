// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/discovery_ipv4.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/filter.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "platform/discovery_codec.hpp"
#include "platform/posix/socket_address.hpp"

namespace mcast::platform {
namespace {

/// Leaves only solicitations: no other IGMP packet wakes the daemon.
bool keep_only_solicitations4(int fd) {
  constexpr std::uint32_t kAcceptAll = 0xffffffff;
  // X becomes the length of the IPv4 header, after which comes the type.
  std::array<sock_filter, 5> program{{{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0},
                                      {BPF_LD | BPF_B | BPF_IND, 0, 0, 0},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kSolicitation4},
                                      {BPF_RET | BPF_K, 0, 0, kAcceptAll},
                                      {BPF_RET | BPF_K, 0, 0, 0}}};
  const sock_fprog filter{program.size(), program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace

bool prepare_receiver4(int fd) {
  constexpr int kOn = 1;
  return keep_only_solicitations4(fd) &&
         ::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &kOn, sizeof kOn) == 0;
}

std::optional<IfIndex> arrival4(const cmsghdr& message) {
  if (message.cmsg_level != IPPROTO_IP || message.cmsg_type != IP_PKTINFO) return std::nullopt;
  in_pktinfo info{};
  std::memcpy(&info, CMSG_DATA(&message), sizeof info);
  return IfIndex(static_cast<std::uint32_t>(info.ipi_ifindex));
}

int send4(int fd, std::span<const std::uint8_t> message, const Address& group, IfIndex link) {
  sockaddr_in to = to_sockaddr4(group);
  // sendmsg(2) does not write to it.
  iovec data{const_cast<std::uint8_t*>(message.data()), message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
  msghdr request{};
  request.msg_name = &to;
  request.msg_namelen = sizeof to;
  request.msg_iov = &data;
  request.msg_iovlen = 1;
  request.msg_control = control.data();
  request.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&request);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo info{};
  info.ipi_ifindex = static_cast<int>(link.value);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
  return ::sendmsg(fd, &request, 0) < 0 ? errno : 0;
}

}  // namespace mcast::platform
