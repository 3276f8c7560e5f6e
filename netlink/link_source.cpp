// SPDX-License-Identifier: BSD-2-Clause
#include "netlink/link_source.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "netlink/link_codec.hpp"
#include "netlink/link_map.hpp"
#include "platform/posix/os_error.hpp"

namespace mcast::netlink {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// The kernel makes dump datagrams as large as the reader's buffer allows, up to 32 KB.
constexpr std::size_t kBufferSize = 64 << 10;
/// One call of read() ends after this many datagrams, so that a storm cannot keep the caller away
/// from the rest of its work; the descriptor stays readable.
constexpr int kMaxDatagrams = 20'000;
/// Dumps tried at start before an interrupted one has to do.
constexpr int kStartAttempts = 10;
constexpr milliseconds kFirstRetry{10};
constexpr milliseconds kLastRetry{1000};

std::unexpected<Error> failure(std::string_view call, int error) {
  return std::unexpected(platform::os_error(call, error, "rtnetlink"));
}

struct SocketCloser {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Socket = std::unique_ptr<mnl_socket, SocketCloser>;

enum class Received : std::uint8_t { datagram, nothing, loss };

class RtnetlinkLinkSource final : public platform::LinkSource {
 public:
  RtnetlinkLinkSource(Socket events, Socket requests)
      : events_(std::move(events)), requests_(std::move(requests)) {}

  Result<void> start(platform::LinkSink& sink) override;
  int descriptor() const override { return mnl_socket_get_fd(events_.get()); }
  Result<void> read(platform::LinkSink& sink) override;
  Milliseconds retry_in() const override;

 private:
  Result<Received> receive(const Socket& socket, std::span<const std::uint8_t>& datagram);
  void handle(std::span<const std::uint8_t> datagram, platform::LinkSink& sink);
  Result<void> relearn(platform::LinkSink& sink);
  Result<LinkMap::Snapshot> dump();
  Result<void> request_dump(std::uint16_t type, LinkMap::Snapshot& snapshot);
  /// Whether the dump goes on.
  Result<bool> take_dumped(std::span<const std::uint8_t> datagram, LinkMap::Snapshot& snapshot);

  Socket events_;
  Socket requests_;
  // From the heap, so aligned for any header.
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kBufferSize);
  LinkMap links_;
  std::uint32_t sequence_ = 0;
  bool is_drained_ = true;
  bool relearn_owed_ = false;
  Clock::time_point retry_at_;
  milliseconds next_delay_ = kFirstRetry;
};

Result<void> RtnetlinkLinkSource::start(platform::LinkSink& sink) {
  constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (mnl_socket_bind(events_.get(), kGroups, MNL_SOCKET_AUTOPID) < 0) {
    return failure("bind", errno);
  }
  LinkMap::Snapshot snapshot;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    snapshot = TRY(dump());
    if (!snapshot.interrupted) break;
  }
  relearn_owed_ = snapshot.interrupted;
  retry_at_ = Clock::now() + next_delay_;
  links_.replace(std::move(snapshot), sink);
  return {};
}

Result<void> RtnetlinkLinkSource::read(platform::LinkSink& sink) {
  is_drained_ = false;
  for (int i = 0; i < kMaxDatagrams; ++i) {
    std::span<const std::uint8_t> datagram;
    const Received received = TRY(receive(events_, datagram));
    if (received == Received::datagram) {
      handle(datagram, sink);
      continue;
    }
    if (received == Received::loss) {
      // Reading goes on first: what still waits would be outdated after a dump.
      if (!std::exchange(relearn_owed_, true)) retry_at_ = Clock::now();
      continue;
    }
    is_drained_ = true;
    links_.flush(sink);
    if (relearn_owed_ && Clock::now() >= retry_at_) return relearn(sink);
    return {};
  }
  links_.flush(sink);
  return {};
}

Milliseconds RtnetlinkLinkSource::retry_in() const {
  if (!is_drained_) return 0;
  if (!relearn_owed_) return -1;
  const auto left = std::chrono::ceil<milliseconds>(retry_at_ - Clock::now());
  return std::max<Milliseconds>(0, left.count());
}

Result<Received> RtnetlinkLinkSource::receive(const Socket& socket,
                                              std::span<const std::uint8_t>& datagram) {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t length = ::recvmsg(mnl_socket_get_fd(socket.get()), &message, 0);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return Received::nothing;
      if (errno == ENOBUFS) return Received::loss;
      return failure("recvmsg", errno);
    }
    // Other processes may send to this socket too.
    if (sender.nl_pid != 0) continue;
    if ((message.msg_flags & MSG_TRUNC) != 0) return Received::loss;
    datagram = std::span(buffer_).first(static_cast<std::size_t>(length));
    return Received::datagram;
  }
}

void RtnetlinkLinkSource::handle(std::span<const std::uint8_t> datagram, platform::LinkSink& sink) {
  for_each_message(datagram, [&](const nlmsghdr& message) {
    if (auto link = decode_link(message)) {
      links_.apply(*std::move(link), sink);
    } else if (const auto address = decode_address(message)) {
      links_.apply(*address, sink);
    }
  });
}

Result<void> RtnetlinkLinkSource::relearn(platform::LinkSink& sink) {
  LinkMap::Snapshot snapshot = TRY(dump());
  if (snapshot.interrupted) {
    links_.merge(std::move(snapshot), sink);
    retry_at_ = Clock::now() + next_delay_;
    next_delay_ = std::min(next_delay_ * 2, kLastRetry);
    return {};
  }
  relearn_owed_ = false;
  next_delay_ = kFirstRetry;
  links_.replace(std::move(snapshot), sink);
  return {};
}

Result<LinkMap::Snapshot> RtnetlinkLinkSource::dump() {
  LinkMap::Snapshot snapshot;
  TRY(request_dump(RTM_GETLINK, snapshot));
  TRY(request_dump(RTM_GETADDR, snapshot));
  return snapshot;
}

Result<void> RtnetlinkLinkSource::request_dump(std::uint16_t type, LinkMap::Snapshot& snapshot) {
  alignas(nlmsghdr) std::array<std::uint8_t, 128> request{};
  nlmsghdr* header = mnl_nlmsg_put_header(request.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = ++sequence_;
  if (type == RTM_GETLINK) {
    mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
    mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  } else {
    mnl_nlmsg_put_extra_header(header, sizeof(ifaddrmsg));
  }
  if (mnl_socket_sendto(requests_.get(), header, header->nlmsg_len) < 0) {
    return failure("sendto", errno);
  }
  for (;;) {
    std::span<const std::uint8_t> datagram;
    if (TRY(receive(requests_, datagram)) != Received::datagram) {
      // Nothing came in time, or it did not fit: another try has to do better.
      snapshot.interrupted = true;
      return {};
    }
    if (!TRY(take_dumped(datagram, snapshot))) return {};
  }
}

Result<bool> RtnetlinkLinkSource::take_dumped(std::span<const std::uint8_t> datagram,
                                              LinkMap::Snapshot& snapshot) {
  bool goes_on = true;
  int error = 0;
  for_each_message(datagram, [&](const nlmsghdr& message) {
    // Left over from a dump that was given up.
    if (message.nlmsg_seq != sequence_) return;
    if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) snapshot.interrupted = true;
    if (message.nlmsg_type == NLMSG_DONE) {
      goes_on = false;
    } else if (message.nlmsg_type == NLMSG_ERROR) {
      const auto* body = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
      error = mnl_nlmsg_get_payload_len(&message) >= sizeof *body ? -body->error : EPROTO;
      goes_on = false;
    } else if (auto link = decode_link(message)) {
      snapshot.links.push_back(*std::move(link));
    } else if (const auto address = decode_address(message)) {
      snapshot.addresses.push_back(*address);
    }
  });
  if (error == EBUSY || error == ENOMEM || error == ENOBUFS || error == EINTR) {
    snapshot.interrupted = true;
  } else if (error != 0) {
    return failure("dump", error);
  }
  return goes_on;
}

void set_receive_buffer(const Socket& socket, int size) {
  const int fd = mnl_socket_get_fd(socket.get());
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0) return;
  // Not allowed inside user namespaces: as much as net.core.rmem_max allows. Overflow is handled.
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
}

}  // namespace

Result<std::unique_ptr<platform::LinkSource>> open_link_source(const LinkSourceOptions& options) {
  Socket events(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!events) return failure("socket", errno);
  set_receive_buffer(events, options.receive_buffer);

  Socket requests(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!requests) return failure("socket", errno);
  if (mnl_socket_bind(requests.get(), 0, MNL_SOCKET_AUTOPID) < 0) return failure("bind", errno);
  // A dump waits only for the kernel's network lock; this is a guard against waiting for ever.
  const timeval patience{10, 0};
  ::setsockopt(mnl_socket_get_fd(requests.get()), SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof patience);
  return std::make_unique<RtnetlinkLinkSource>(std::move(events), std::move(requests));
}

}  // namespace mcast::netlink
