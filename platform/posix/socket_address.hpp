// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <span>

#include "core/address.hpp"

/// Addresses as sockets take them.
namespace mcast::platform {

/// Where socket addresses tell their length (4.4BSD) the kernel refuses those that do not.
template <class SocketAddress>
void set_length(SocketAddress& address) {
  if constexpr (requires { address.sin_len; }) {
    address.sin_len = sizeof address;
  } else if constexpr (requires { address.sin6_len; }) {
    address.sin6_len = sizeof address;
  }
}

[[nodiscard]] inline in_addr to_in(const Address& address) {
  in_addr in{};
  std::memcpy(&in, address.mapped().last<4>().data(), sizeof in);
  return in;
}

[[nodiscard]] inline sockaddr_in to_sockaddr4(const Address& address) {
  sockaddr_in socket_address{};
  set_length(socket_address);
  socket_address.sin_family = AF_INET;
  socket_address.sin_addr = to_in(address);
  return socket_address;
}

[[nodiscard]] inline sockaddr_in6 to_sockaddr6(const Address& address) {
  sockaddr_in6 socket_address{};
  set_length(socket_address);
  socket_address.sin6_family = AF_INET6;
  std::memcpy(&socket_address.sin6_addr, address.mapped().data(), sizeof socket_address.sin6_addr);
  return socket_address;
}

[[nodiscard]] inline sockaddr_storage to_storage(const Address& address) {
  sockaddr_storage storage{};
  if (address.family() == Family::ipv4) {
    const sockaddr_in in = to_sockaddr4(address);
    std::memcpy(&storage, &in, sizeof in);
  } else {
    const sockaddr_in6 in6 = to_sockaddr6(address);
    std::memcpy(&storage, &in6, sizeof in6);
  }
  return storage;
}

[[nodiscard]] inline Address to_address(const in6_addr& address) {
  return Address::from_v6(std::span<const std::uint8_t, 16>(address.s6_addr));
}

}  // namespace mcast::platform
