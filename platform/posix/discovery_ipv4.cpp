// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/discovery_ipv4.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

namespace mcast::platform {
namespace {

template <class Value>
bool set_option(int fd, int name, const Value& value) {
  return ::setsockopt(fd, IPPROTO_IP, name, &value, sizeof value) == 0;
}

}  // namespace

bool prepare_sender4(int fd) {
  // These two are bytes on every system.
  constexpr std::uint8_t kOneHop = 1;
  constexpr std::uint8_t kOff = 0;
  constexpr int kInternetworkControl = 0xc0;  // as IGMP has it
  // Tells a router to look at the packet: RFC 2113.
  constexpr std::array<std::uint8_t, 4> kRouterAlert{0x94, 4, 0, 0};
  return set_option(fd, IP_MULTICAST_TTL, kOneHop) && set_option(fd, IP_MULTICAST_LOOP, kOff) &&
         set_option(fd, IP_TOS, kInternetworkControl) && set_option(fd, IP_OPTIONS, kRouterAlert);
}

}  // namespace mcast::platform
