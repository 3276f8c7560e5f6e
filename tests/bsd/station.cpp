// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/station.hpp"

#include <fmt/format.h>

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "platform/posix/socket_address.hpp"

namespace mcast::testing {
namespace {

constexpr std::uint16_t kPort = 41999;
constexpr std::uint32_t kMagic = 0x6d636173;

struct Payload {
  std::uint32_t magic = kMagic;
  std::uint32_t unused = 0;
  std::uint64_t flow = 0;
  std::uint64_t number = 0;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  SocketAddress(const Address& address, std::uint16_t port, unsigned scope) {
    if (address.family() == Family::ipv4) {
      sockaddr_in made = platform::to_sockaddr4(address);
      made.sin_port = htons(port);
      store(made);
      return;
    }
    sockaddr_in6 made = platform::to_sockaddr6(address);
    made.sin6_port = htons(port);
    if (address.is_link_scoped_group()) made.sin6_scope_id = scope;
    store(made);
  }
  [[nodiscard]] const sockaddr* get() const {
    return static_cast<const sockaddr*>(static_cast<const void*>(&storage));
  }

 private:
  template <class Made>
  void store(const Made& made) {
    size = sizeof made;
    std::memcpy(&storage, &made, sizeof made);
  }
};

bool is_v4(const Address& address) {
  return address.family() == Family::ipv4;
}

template <class Value>
void set(int socket, int level, int name, const Value& value, const char* call) {
  check_call(::setsockopt(socket, level, name, &value, sizeof value), call);
}

Fd open_socket(const Address& any) {
  return Fd(check_call(
      ::socket(is_v4(any) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
      "socket"));
}

void bind_to(int socket, const Address& address, std::uint16_t port) {
  const SocketAddress local(address, port, 0);
  check_call(::bind(socket, local.get(), local.size), ("bind to " + address.to_string()).c_str());
}

}  // namespace

Station::Station(const std::string& interface) : index_(::if_nametoindex(interface.c_str())) {
  if (index_ == 0) throw_errno("if_nametoindex(" + interface + ")");
}

void Station::join(const Address& group) {
  if (receivers_.contains(group)) return;
  Receiver made{open_socket(group), {}};
  const int socket = made.socket.get();
  set(socket, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  set(socket, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  bind_to(socket, Address::unspecified(group.family()), kPort);
  group_req request{};
  request.gr_interface = index_;
  request.gr_group = SocketAddress(group, 0, index_).storage;
  set(socket, is_v4(group) ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, request,
      "MCAST_JOIN_GROUP");
  receivers_.emplace(group, std::move(made));
}

int Station::sender(const Shipment& shipment) {
  const bool v4 = is_v4(shipment.group);
  const bool chosen = !shipment.source.is_unspecified();
  const Address source = chosen ? shipment.source : Address::unspecified(shipment.group.family());
  const auto [place, fresh] = senders_.try_emplace(source);
  if (fresh) {
    Fd made = open_socket(source);
    if (v4) {
      ip_mreqn interface{};
      interface.imr_ifindex = static_cast<int>(index_);
      set(made.get(), IPPROTO_IP, IP_MULTICAST_IF, interface, "IP_MULTICAST_IF");
      set(made.get(), IPPROTO_IP, IP_MULTICAST_LOOP, static_cast<unsigned char>(0),
          "IP_MULTICAST_LOOP");
    } else {
      set(made.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, index_, "IPV6_MULTICAST_IF");
      set(made.get(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0U, "IPV6_MULTICAST_LOOP");
    }
    if (chosen) bind_to(made.get(), source, 0);
    place->second = std::move(made);
  }
  const int socket = place->second.get();
  if (v4) {
    set(socket, IPPROTO_IP, IP_MULTICAST_TTL, static_cast<unsigned char>(shipment.hops),
        "IP_MULTICAST_TTL");
  } else {
    set(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, static_cast<int>(shipment.hops),
        "IPV6_MULTICAST_HOPS");
  }
  return socket;
}

std::uint64_t Station::send(const Shipment& shipment) {
  const int socket = sender(shipment);
  Payload payload;
  payload.flow = shipment.flow;
  payload.number = ++sent_[shipment.flow];
  const SocketAddress to(shipment.group, kPort, index_);
  check_call(static_cast<int>(::sendto(socket, &payload, sizeof payload, 0, to.get(), to.size)),
             "send to " + shipment.group.to_string());
  return payload.number;
}

Station::Receiver& Station::receiver(const Address& group) {
  const auto found = receivers_.find(group);
  if (found == receivers_.end()) throw std::logic_error(group.to_string() + " was not joined");
  return found->second;
}

void Station::Receiver::drain() {
  while (true) {
    Payload payload;
    const auto size = ::recv(socket.get(), &payload, sizeof payload, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      if (errno == EAGAIN) return;
      throw_errno("recv");
    }
    if (size != sizeof payload || payload.magic != kMagic) continue;
    Account& account = accounts[payload.flow];
    ++account.received;
    account.last = std::max(account.last, payload.number);
  }
}

bool Station::await(const Address& group, std::uint64_t flow, std::uint64_t number,
                    std::chrono::milliseconds patience) {
  Receiver& from = receiver(group);
  const auto end = std::chrono::steady_clock::now() + patience;
  while (true) {
    from.drain();
    if (from.accounts[flow].last >= number) return true;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{from.socket.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) {
      throw_errno("poll");
    }
  }
}

std::uint64_t Station::received(const Address& group, std::uint64_t flow) {
  Receiver& from = receiver(group);
  from.drain();
  return from.accounts[flow].received;
}

std::string Station::describe() {
  std::string text;
  for (const auto& [flow, count] : sent_) text += fmt::format("sent {} of flow {}\n", count, flow);
  for (auto& [group, from] : receivers_) {
    from.drain();
    text += fmt::format("joined {}\n", group.to_string());
    for (const auto& [flow, account] : from.accounts) {
      text += fmt::format("  received {} of flow {}, the last was number {}\n", account.received,
                          flow, account.last);
    }
  }
  return text;
}

}  // namespace mcast::testing
