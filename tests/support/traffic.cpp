// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/traffic.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <stdexcept>

namespace mcast::testing {
namespace {

constexpr Duration kResend{10};
constexpr int kProbes = 20;
constexpr int kReceiveBuffer = 8 << 20;

struct Header {
  std::uint64_t flow;
  std::uint64_t sequence;
};

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family = AF_UNSPEC;
};

Endpoint make_endpoint(const std::string& address, std::uint16_t port, unsigned scope) {
  Endpoint result;
  if (auto* in = reinterpret_cast<sockaddr_in*>(&result.storage);
      ::inet_pton(AF_INET, address.c_str(), &in->sin_addr) == 1) {
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    result.length = sizeof *in;
    result.family = AF_INET;
    return result;
  }
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET6, address.c_str(), &in6->sin6_addr) != 1)
    throw std::runtime_error("not an address: " + address);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(port);
  in6->sin6_scope_id = scope;
  result.length = sizeof *in6;
  result.family = AF_INET6;
  return result;
}

const sockaddr* generic(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr*>(&storage);
}

template <typename T>
void set_option(const Fd& socket, int level, int name, const T& value, const char* what) {
  check_call(::setsockopt(socket.get(), level, name, &value, sizeof value), what);
}

unsigned require_interface(const std::string& name) {
  const unsigned index = ::if_nametoindex(name.c_str());
  if (index == 0) throw std::runtime_error("no such interface: " + name);
  return index;
}

Fd make_socket(int family) {
  return Fd(check_call(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
}

Fd open_sender(const Endpoint& group, unsigned index, const MulticastSender::Options& options) {
  Fd socket = make_socket(group.family);
  if (!options.source.empty()) {
    const Endpoint source = make_endpoint(options.source, 0, index);
    check_call(::bind(socket.get(), generic(source.storage), source.length),
               "bind to " + options.source);
  }
  if (group.family == AF_INET) {
    ip_mreqn out{};
    out.imr_ifindex = static_cast<int>(index);
    set_option(socket, IPPROTO_IP, IP_MULTICAST_IF, out, "IP_MULTICAST_IF");
    set_option(socket, IPPROTO_IP, IP_MULTICAST_TTL, options.hops, "IP_MULTICAST_TTL");
  } else {
    const int out = static_cast<int>(index);
    set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, out, "IPV6_MULTICAST_IF");
    set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, options.hops, "IPV6_MULTICAST_HOPS");
  }
  return socket;
}

void join(const Fd& socket, const Endpoint& group, unsigned index, const std::string& source) {
  const int level = group.family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  if (source.empty()) {
    group_req request{};
    request.gr_interface = index;
    std::memcpy(&request.gr_group, &group.storage, group.length);
    set_option(socket, level, MCAST_JOIN_GROUP, request, "MCAST_JOIN_GROUP");
    return;
  }
  const Endpoint from = make_endpoint(source, 0, 0);
  group_source_req request{};
  request.gsr_interface = index;
  std::memcpy(&request.gsr_group, &group.storage, group.length);
  std::memcpy(&request.gsr_source, &from.storage, from.length);
  set_option(socket, level, MCAST_JOIN_SOURCE_GROUP, request, "MCAST_JOIN_SOURCE_GROUP");
}

Fd open_receiver(const Endpoint& group, const std::string& interface, unsigned index,
                 const MulticastReceiver::Options& options) {
  Fd socket = make_socket(group.family);
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  // Without privilege over the machine the kernel grants what net.core.rmem_max allows.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer,
                   sizeof kReceiveBuffer) < 0)
    set_option(socket, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer, "SO_RCVBUF");
  check_call(::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                          static_cast<socklen_t>(interface.size())),
             "SO_BINDTODEVICE " + interface);
  set_option(socket, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
  check_call(::bind(socket.get(), generic(group.storage), group.length), "bind to the group");
  if (options.join) join(socket, group, index, options.source);
  return socket;
}

/// As recv(), with the time the packet came in at.
ssize_t receive(const Fd& socket, Header& header, ArrivalClock::time_point& arrival) {
  alignas(cmsghdr) std::array<std::byte, 256> control{};
  iovec data{.iov_base = &header, .iov_len = sizeof header};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket.get(), &message, 0);
  if (got < 0) return got;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
    arrival = ArrivalClock::time_point(std::chrono::seconds(stamp.tv_sec) +
                                       std::chrono::nanoseconds(stamp.tv_nsec));
  }
  return got;
}

/// Packets sent by a thread on one processor are queued there and stay in order.
class OneProcessor {
 public:
  OneProcessor() {
    check_call(::sched_getaffinity(0, sizeof before_, &before_), "sched_getaffinity");
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(check_call(::sched_getcpu(), "sched_getcpu")), &one);
    check_call(::sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
  }
  ~OneProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  cpu_set_t before_{};
};

std::uint64_t unique_flow() {
  static std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

Duration remaining(Clock::time_point deadline) {
  return std::max(std::chrono::ceil<Duration>(deadline - Clock::now()), Duration{0});
}

}  // namespace

MulticastSender::MulticastSender(const NetNamespace& host, const std::string& interface,
                                 const std::string& group, const Options& options)
    : flow_(unique_flow()), payload_(std::max(options.size, sizeof(Header))) {
  host.run([&] {
    const unsigned index = require_interface(interface);
    const Endpoint endpoint = make_endpoint(group, options.port, index);
    socket_ = open_sender(endpoint, index, options);
    group_ = endpoint.storage;
    group_length_ = endpoint.length;
  });
}

std::uint64_t MulticastSender::send() {
  const Header header{flow_, next_};
  std::memcpy(payload_.data(), &header, sizeof header);
  const ssize_t sent =
      ::sendto(socket_.get(), payload_.data(), payload_.size(), 0, generic(group_), group_length_);
  constexpr std::array kLinkTrouble{ENETUNREACH,   ENETDOWN, ENODEV, EHOSTUNREACH,
                                    EADDRNOTAVAIL, ENOBUFS,  EAGAIN, ENXIO};
  if (sent < 0 && std::ranges::find(kLinkTrouble, errno) == kLinkTrouble.end())
    throw_errno("sendto");
  return next_++;
}

std::uint64_t FlowAccount::lost(std::uint64_t first, std::uint64_t end) const {
  const auto seen = std::distance(arrivals.lower_bound(first), arrivals.lower_bound(end));
  return end - first - static_cast<std::uint64_t>(seen);
}

MulticastReceiver::MulticastReceiver(const NetNamespace& host, const std::string& interface,
                                     const std::string& group, const Options& options) {
  host.run([&] {
    const unsigned index = require_interface(interface);
    socket_ = open_receiver(make_endpoint(group, options.port, index), interface, index, options);
  });
}

void MulticastReceiver::drain() {
  Header header{};
  ArrivalClock::time_point arrival;
  for (;;) {
    const ssize_t got = receive(socket_, header, arrival);
    if (got < 0 && errno == EAGAIN) return;
    // The interface below was taken away; the socket goes on working when one returns.
    if (got < 0 && (errno == ENETDOWN || errno == ENODEV || errno == EINTR)) continue;
    if (got < 0) throw_errno("recv");
    if (got < static_cast<ssize_t>(sizeof header)) continue;
    FlowAccount& account = accounts_[header.flow];
    if (account.arrivals.try_emplace(header.sequence, arrival).second)
      ++account.received;
    else
      ++account.duplicated;
  }
}

bool MulticastReceiver::await(Duration patience) {
  pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  const int ready = ::poll(&wait, 1, static_cast<int>(patience.count()));
  if (ready < 0 && errno != EINTR) throw_errno("poll");
  drain();
  return ready > 0;
}

bool MulticastReceiver::await(const MulticastSender& sender, std::uint64_t sequence,
                              Duration patience) {
  const auto deadline = Clock::now() + patience;
  const auto arrived = [&] {
    const auto& arrivals = accounts_[sender.flow()].arrivals;
    return arrivals.lower_bound(sequence) != arrivals.end();
  };
  drain();
  while (!arrived()) {
    if (!await(remaining(deadline)) && Clock::now() >= deadline) return false;
  }
  return true;
}

const FlowAccount& MulticastReceiver::account(std::uint64_t flow) {
  drain();
  return accounts_[flow];
}

std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << (verdict.ok ? "as expected" : verdict.reason);
}

Verdict expect_flow(MulticastSender& sender, MulticastReceiver& receiver, Duration patience) {
  const auto deadline = Clock::now() + patience;
  const std::uint64_t first = sender.sent();
  while (Clock::now() < deadline) {
    sender.send();
    if (receiver.await(sender, first, kResend)) return {.ok = true};
  }
  return {.ok = false,
          .reason = fmt::format("none of {} packets arrived within {} ms", sender.sent() - first,
                                patience.count())};
}

Verdict expect_no_flow(MulticastSender& sender, MulticastReceiver& receiver,
                       MulticastSender& control, MulticastReceiver& control_receiver,
                       Duration patience) {
  const auto deadline = Clock::now() + patience;
  const OneProcessor pinned;
  const std::uint64_t first = sender.sent();
  const std::uint64_t first_control = control.sent();
  bool passed = false;
  while (!passed && Clock::now() < deadline) {
    for (int i = 0; i < kProbes; ++i) sender.send();
    control.send();
    passed = control_receiver.await(control, first_control, kResend);
  }
  if (!passed) return {.ok = false, .reason = "the control flow did not pass"};
  const FlowAccount& account = receiver.account(sender);
  const std::uint64_t count = sender.sent() - first;
  const std::uint64_t leaked = count - account.lost(first, sender.sent());
  if (leaked == 0) return {.ok = true};
  return {.ok = false,
          .reason = fmt::format("{} of {} packets arrived that should not", leaked, count)};
}

Loss settle_loss(MulticastSender& sender, MulticastReceiver& receiver, std::uint64_t first,
                 Duration patience) {
  if (!expect_flow(sender, receiver, patience)) return {};
  const FlowAccount& account = receiver.account(sender);
  const std::uint64_t end = account.arrivals.rbegin()->first + 1;
  return {.settled = true, .packets = account.lost(first, end)};
}

BackgroundFlow::BackgroundFlow(MulticastSender& sender, std::chrono::microseconds interval)
    : thread_([&sender, interval](const std::stop_token& stop) {
        auto next = Clock::now();
        while (!stop.stop_requested()) {
          sender.send();
          next += interval;
          std::this_thread::sleep_until(next);
        }
      }) {}

void BackgroundFlow::stop() {
  thread_.request_stop();
  thread_.join();
}

}  // namespace mcast::testing
