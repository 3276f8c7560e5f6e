// SPDX-License-Identifier: BSD-2-Clause
// raw_ip.c: a raw socket has no filter, so all IGMP comes and is sorted out by the reader; it takes
// no control messages with what it sends (rip_send), so that interface and source have to be set on
// the socket before.
#include "platform/posix/discovery_ipv4.hpp"

#include <sys/types.h>

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <net/if.h>
#include <net/if_dl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>

#include "platform/posix/socket_address.hpp"
#include "platform/posix/unique_fd.hpp"

namespace mcast::platform {
namespace {

/// The primary IPv4 address of an interface, or an errno.
std::expected<sockaddr_in, int> address_of(int fd, IfIndex link) {
  ifreq request{};
  if (::if_indextoname(link.value, request.ifr_name) == nullptr) return std::unexpected(ENXIO);
  if (::ioctl(fd, SIOCGIFADDR, &request) < 0) return std::unexpected(errno);
  sockaddr_in address{};
  std::memcpy(&address, &request.ifr_addr, sizeof address);
  set_length(address);
  address.sin_port = 0;
  return address;
}

}  // namespace

bool prepare_receiver4(int fd) {
  constexpr int kOn = 1;
  return ::setsockopt(fd, IPPROTO_IP, IP_RECVIF, &kOn, sizeof kOn) == 0;
}

std::optional<IfIndex> arrival4(const cmsghdr& message) {
  if (message.cmsg_level != IPPROTO_IP || message.cmsg_type != IP_RECVIF) return std::nullopt;
  // A struct sockaddr_dl that may be shorter than the type is.
  constexpr std::size_t kIndex = offsetof(sockaddr_dl, sdl_index);
  decltype(sockaddr_dl::sdl_index) index = 0;
  if (message.cmsg_len < CMSG_LEN(kIndex + sizeof index)) return std::nullopt;
  std::memcpy(&index, CMSG_DATA(&message) + kIndex, sizeof index);
  return IfIndex(index);
}

/// Through a socket of its own, since one that is bound to a source no longer hears what is sent to
/// groups. Inside a jail the kernel takes the source from a route to the group, which there need
/// not be (rip_send, in_pcbladdr).
int send4(int fd, std::span<const std::uint8_t> message, const Address& group, IfIndex link) {
  const auto source = address_of(fd, link);
  if (!source) return source.error();
  const UniqueFd sender(::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_IGMP));
  ip_mreqn interface{};
  interface.imr_ifindex = static_cast<int>(link.value);
  const sockaddr_in to = to_sockaddr4(group);
  const bool ready =
      sender && prepare_sender4(sender.get()) &&
      ::setsockopt(sender.get(), IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) == 0 &&
      ::bind(sender.get(), reinterpret_cast<const sockaddr*>(&*source), sizeof *source) == 0;
  if (!ready) return errno;
  const auto sent = ::sendto(sender.get(), message.data(), message.size(), 0,
                             reinterpret_cast<const sockaddr*>(&to), sizeof to);
  return sent < 0 ? errno : 0;
}

}  // namespace mcast::platform
