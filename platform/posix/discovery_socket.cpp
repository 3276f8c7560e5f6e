// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/discovery_socket.hpp"

#include <fmt/format.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <netinet/icmp6.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "platform/discovery_codec.hpp"
#include "platform/posix/discovery_ipv4.hpp"
#include "platform/posix/memberships.hpp"
#include "platform/posix/mroute_error.hpp"
#include "platform/posix/os_error.hpp"
#include "platform/posix/socket_address.hpp"

namespace mcast::platform {
namespace {

constexpr int kOn = 1;
constexpr int kOff = 0;
constexpr int kOneHop = 1;
/// Tells a router to look at the packet: RFC 2711, with two octets of padding.
constexpr std::array<std::uint8_t, 8> kRouterAlert6{0, 0, 5, 2, 0, 0, 1, 0};

template <class Value>
bool set_option(int fd, int level, int name, const Value& value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool prepare6(int fd) {
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(kSolicitation6, &filter);
  return set_option(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter) &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kOneHop) &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, kOff) &&
         set_option(fd, IPPROTO_IPV6, IPV6_HOPOPTS, kRouterAlert6) &&
         set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, kOn) &&
         set_option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, kOn);
}

Result<UniqueFd> open_socket(Family family) {
  const bool v4 = family == Family::ipv4;
  const std::string_view subject =
      v4 ? "IPv4 multicast router discovery" : "IPv6 multicast router discovery";
  const int protocol = v4 ? int{IPPROTO_IGMP} : int{IPPROTO_ICMPV6};
  UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd) {
    const int error = errno;
    return std::unexpected(mroute_error(MrouteCall::open_socket, family, error, subject));
  }
  if (!(v4 ? prepare_receiver4(fd.get()) && prepare_sender4(fd.get()) : prepare6(fd.get()))) {
    const int error = errno;
    return std::unexpected(mroute_error(MrouteCall::set_option, family, error, subject));
  }
  return fd;
}

/// 0 or an errno.
int send6(int fd, std::span<const std::uint8_t> message, const Address& group, IfIndex link) {
  sockaddr_in6 to = to_sockaddr6(group);
  to.sin6_scope_id = link.value;
  const auto* address = reinterpret_cast<const sockaddr*>(&to);
  return ::sendto(fd, message.data(), message.size(), 0, address, sizeof to) < 0 ? errno : 0;
}

/// The payload of a control message, if it is this one.
template <class Payload>
std::optional<Payload> payload_of(const cmsghdr& message, int level, int type) {
  if (message.cmsg_level != level || message.cmsg_type != type) return std::nullopt;
  Payload payload{};
  std::memcpy(&payload, CMSG_DATA(&message), sizeof payload);
  return payload;
}

class PosixDiscoverySocket final : public DiscoverySocket {
 public:
  PosixDiscoverySocket() : sockets_{open_socket(Family::ipv4), open_socket(Family::ipv6)} {}

  Result<void> apply(const AnnounceStep& step) override {
    const auto& socket = socket_of(step.link.family);
    if (!socket) return std::unexpected(socket.error());
    // The membership may be any socket's, and there are as many as the kernel's limits ask for.
    const JoinGroup group{step.link.link, std::nullopt, all_routers(step.link.family)};
    switch (step.kind) {
      case AnnounceStep::Kind::listen:
        return memberships_.join(group);
      case AnnounceStep::Kind::stop_listening:
        return memberships_.leave({group.link, group.source, group.group});
      case AnnounceStep::Kind::advertise:
      case AnnounceStep::Kind::terminate:
        break;
    }
    return send(socket->get(), step);
  }

  int descriptor(Family family) const override {
    const auto& socket = socket_of(family);
    return socket ? socket->get() : -1;
  }

  Result<void> read(Family family, std::size_t limit, SolicitationSink& sink) override;

 private:
  const Result<UniqueFd>& socket_of(Family family) const {
    return sockets_[family == Family::ipv4 ? 0 : 1];
  }
  static Result<void> send(int fd, const AnnounceStep& step);

  std::array<Result<UniqueFd>, 2> sockets_;
  Memberships memberships_;
};

/// The kernel chooses the source: the primary IPv4 address of the interface, its link-local one of
/// IPv6.
Result<void> PosixDiscoverySocket::send(int fd, const AnnounceStep& step) {
  const auto bytes = encode_message(step);
  const Address group = all_snoopers(step.link.family);
  const int error = step.link.family == Family::ipv4 ? send4(fd, bytes, group, step.link.link)
                                                     : send6(fd, bytes, group, step.link.link);
  if (error == 0) return {};
  Error failure = os_error("send", error, describe(step.link.link));
  if (error == ENODEV || error == ENXIO) failure.code = ErrorCode::no_such_interface;
  return std::unexpected(std::move(failure));
}

Result<void> PosixDiscoverySocket::read(Family family, std::size_t limit, SolicitationSink& sink) {
  const int fd = descriptor(family);
  for (std::size_t count = 0; fd >= 0 && count < limit; ++count) {
    std::array<std::uint8_t, 512> buffer{};
    alignas(cmsghdr) std::array<char, 256> control{};
    iovec data{buffer.data(), buffer.size()};
    sockaddr_in6 from{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t length = ::recvmsg(fd, &message, 0);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return {};
      return std::unexpected(os_error("recvmsg", errno, "multicast router solicitation"));
    }
    IfIndex link;
    Ipv6Header header{.source = to_address(from.sin6_addr), .destination = {}, .hop_limit = -1};
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (const auto arrived = arrival4(*part)) {
        link = *arrived;
      } else if (const auto info6 = payload_of<in6_pktinfo>(*part, IPPROTO_IPV6, IPV6_PKTINFO)) {
        link = IfIndex(info6->ipi6_ifindex);
        header.destination = to_address(info6->ipi6_addr);
      } else if (const auto hops = payload_of<int>(*part, IPPROTO_IPV6, IPV6_HOPLIMIT)) {
        header.hop_limit = *hops;
      }
    }
    const auto packet = std::span(buffer).first(static_cast<std::size_t>(length));
    const bool sound =
        family == Family::ipv4 ? is_solicitation(packet) : is_solicitation(packet, header);
    if (sound && link.value != 0) sink.solicited({link, family});
  }
  return {};
}

}  // namespace

std::unique_ptr<DiscoverySocket> make_discovery_socket() {
  return std::make_unique<PosixDiscoverySocket>();
}

}  // namespace mcast::platform
