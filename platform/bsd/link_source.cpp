// SPDX-License-Identifier: BSD-2-Clause
#include "platform/bsd/link_source.hpp"

#include <net/if.h>
#include <net/if_dl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <sys/types.h>
#include <unistd.h>

#include <ifaddrs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "platform/bsd/link_tracker.hpp"
#include "platform/bsd/route_codec.hpp"
#include "platform/bsd/sysctl.hpp"
#include "platform/posix/os_error.hpp"
#include "platform/posix/unique_fd.hpp"

namespace mcast::platform {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

static_assert(kInterfaceUp == IFF_UP && kInterfaceMulticast == IFF_MULTICAST &&
              kInterfaceDying == IFF_DYING);

/// The length of a message has 16 bits.
constexpr std::size_t kBufferSize = 64 << 10;
/// One call of read() ends after this many messages, so that a storm cannot keep the caller away
/// from the rest of its work; the descriptor stays readable.
constexpr int kMaxMessages = 20'000;
/// Addresses of interfaces in further FIBs, or in FIBs added later, are found with the next change
/// of the interface's flags, which its first address brings, or else by rechecking.
constexpr int kMaxFibs = 16;
/// When interfaces could not be read for lack of memory.
constexpr Milliseconds kRetryAfterFailure = 1000;

std::unexpected<Error> failure(std::string_view call, int error) {
  return std::unexpected(os_error(call, error, "routing socket"));
}

struct IfaddrsDeleter {
  void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

std::span<const std::uint8_t> bytes_of(const sockaddr& address) {
  return {static_cast<const std::uint8_t*>(static_cast<const void*>(&address)), address.sa_len};
}

// --- Interfaces ----------------------------------------------------------------------------------

void append_bytes(std::string& text, const void* bytes, std::size_t count) {
  text.append(static_cast<const char*>(bytes), count);
}

/// From the entry with its link-layer address, which each interface begins with.
FoundInterface interface_of(const ifaddrs& entry) {
  const auto bytes = bytes_of(*entry.ifa_addr);
  sockaddr_dl link_address{};
  std::memcpy(&link_address, bytes.data(), std::min(bytes.size(), sizeof link_address));
  FoundInterface found;
  Link& link = found.link;
  link.index = IfIndex(link_address.sdl_index);
  link.name = entry.ifa_name;
  link.up = (entry.ifa_flags & IFF_UP) != 0;
  link.multicast = (entry.ifa_flags & IFF_MULTICAST) != 0;
  link.loopback = (entry.ifa_flags & IFF_LOOPBACK) != 0;
  link.point_to_point = (entry.ifa_flags & IFF_POINTOPOINT) != 0;
  const std::size_t begin = offsetof(sockaddr_dl, sdl_data) + link_address.sdl_nlen;
  if (begin + link_address.sdl_alen <= bytes.size()) {
    append_bytes(found.identity, bytes.data() + begin, link_address.sdl_alen);
  }
  if (entry.ifa_data != nullptr) {
    // As long as the kernel's, which may be older than the headers.
    if_data data{};
    std::memcpy(&data, entry.ifa_data, offsetof(if_data, ifi_mtu));
    std::memcpy(&data, entry.ifa_data, std::min<std::size_t>(data.ifi_datalen, sizeof data));
    append_bytes(found.identity, &data.ifi_epoch, sizeof data.ifi_epoch);
    found.last_change = static_cast<std::uint64_t>(data.ifi_lastchange.tv_sec) * 1'000'000 +
                        static_cast<std::uint64_t>(data.ifi_lastchange.tv_usec);
  }
  return found;
}

/// IPv6 addresses count before duplicate address detection is done: that it is done is not told.
Result<std::vector<FoundInterface>> list_interfaces() {
  ifaddrs* head = nullptr;
  if (::getifaddrs(&head) != 0) return failure("getifaddrs", errno);
  const std::unique_ptr<ifaddrs, IfaddrsDeleter> list(head);
  std::vector<FoundInterface> found;
  std::unordered_map<std::string_view, std::size_t> places;
  for (const ifaddrs* entry = head; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (entry->ifa_addr->sa_family == AF_LINK) {
      places[entry->ifa_name] = found.size();
      found.push_back(interface_of(*entry));
      continue;
    }
    const auto place = places.find(entry->ifa_name);
    const auto address = decode_sockaddr(bytes_of(*entry->ifa_addr));
    if (place != places.end() && address) found[place->second].link.addresses.push_back(*address);
  }
  return found;
}

// --- Sockets -------------------------------------------------------------------------------------

/// As large as the kernel allows.
void set_receive_buffer(const UniqueFd& socket, int size) {
  constexpr int kSmallest = 16 << 10;
  while (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0 &&
         errno == ENOBUFS && size > kSmallest) {
    size /= 2;
  }
}

Result<UniqueFd> open_socket(int receive_buffer) {
  // With a family as protocol it would not tell of interfaces, which are of none (net/rtsock.c).
  UniqueFd socket(::socket(PF_ROUTE, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, AF_UNSPEC));
  if (!socket) return failure("socket", errno);
  set_receive_buffer(socket, receive_buffer);
  const int off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_USELOOPBACK, &off, sizeof off);
#ifdef SO_RERROR
  // Tells of overflow. A kernel older than the headers refuses; rechecking has to do there.
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RERROR, &on, sizeof on) != 0 &&
      errno != ENOPROTOOPT) {
    return failure("setsockopt(SO_RERROR)", errno);
  }
#endif
  return socket;
}

/// Addresses are told only to sockets of their interface's FIB (net/rtsock.c rts_input), so there
/// is a socket for each FIB. All else is told to all of them, and taken from the first. A kqueue
/// that watches them would make one descriptor of them, but asio cannot wait for one: it sets
/// FIONBIO first, which a kqueue refuses (kern/kern_event.c kqueue_ioctl).
class RoutingLinkSource final : public LinkSource, private InterfaceReader {
 public:
  Result<void> open(const LinkSourceOptions& options);

  Result<void> start(LinkSink& sink) override { return read(sink); }
  int descriptor() const override { return sockets_.front().get(); }
  std::vector<int> further_descriptors() const override;
  Result<void> read(LinkSink& sink) override;
  Milliseconds retry_in() const override { return retry_in_; }
  Milliseconds recheck_in() const override;

 private:
  Result<void> read_hints(LinkTracker& tracker) override;
  Result<std::vector<FoundInterface>> read_interfaces() override;

  Result<void> drain(std::size_t which, LinkTracker& tracker);
  /// False: it is gone.
  [[nodiscard]] Result<bool> read_fib(Link& link) const;

  std::vector<UniqueFd> sockets_;
  UniqueFd requests_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kBufferSize);
  LinkTracker tracker_;
  int messages_left_ = 0;
  Milliseconds retry_in_ = -1;
  milliseconds recheck_interval_{0};
  Clock::time_point recheck_at_;
};

Result<void> RoutingLinkSource::open(const LinkSourceOptions& options) {
  // What ifconfig(8) asks about interfaces with: any kind of socket will do.
  requests_ = UniqueFd(::socket(PF_LOCAL, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!requests_) return failure("socket", errno);
  // One where the kernel has no such thing.
  const int fibs = std::max(1, static_cast<int>(sysctl_number("net.fibs").value_or(1)));
  for (int fib = 0; fib < std::min(fibs, kMaxFibs); ++fib) {
    UniqueFd socket = TRY(open_socket(options.receive_buffer));
    if (fibs > 1 && ::setsockopt(socket.get(), SOL_SOCKET, SO_SETFIB, &fib, sizeof fib) != 0) {
      return failure("setsockopt(SO_SETFIB)", errno);
    }
    sockets_.push_back(std::move(socket));
  }
  recheck_interval_ = options.recheck_interval;
  recheck_at_ = Clock::now() + recheck_interval_;
  return {};
}

std::vector<int> RoutingLinkSource::further_descriptors() const {
  std::vector<int> further;
  for (std::size_t i = 1; i < sockets_.size(); ++i) further.push_back(sockets_[i].get());
  return further;
}

Result<void> RoutingLinkSource::read(LinkSink& sink) {
  messages_left_ = kMaxMessages;
  retry_in_ = kRetryAfterFailure;
  if (const auto now = Clock::now(); now >= recheck_at_) {
    recheck_at_ = now + recheck_interval_;
    tracker_.recheck();
  }
  const bool caught_up = TRY(tracker_.follow(*this, sink));
  retry_in_ = caught_up && messages_left_ > 0 ? -1 : 0;
  return {};
}

Milliseconds RoutingLinkSource::recheck_in() const {
  const auto left = std::chrono::ceil<milliseconds>(recheck_at_ - Clock::now());
  return std::max<Milliseconds>(0, left.count());
}

Result<void> RoutingLinkSource::read_hints(LinkTracker& tracker) {
  for (std::size_t which = 0; which < sockets_.size(); ++which) TRY(drain(which, tracker));
  return {};
}

Result<void> RoutingLinkSource::drain(std::size_t which, LinkTracker& tracker) {
  const bool is_first = which == 0;
  for (; messages_left_ > 0; --messages_left_) {
    const ssize_t length = ::recv(sockets_[which].get(), buffer_.data(), buffer_.size(), 0);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return {};
      if (errno != ENOBUFS) return failure("recv", errno);
      // What still waits is read first; it would be outdated after a look at the interfaces.
      if (is_first) {
        tracker.note_loss();
      } else {
        tracker.recheck();
      }
      continue;
    }
    const auto datagram = std::span(buffer_).first(static_cast<std::size_t>(length));
    tracker.note_malformed(for_each_route_message(datagram, [&](const RouteMessage& message) {
      if (is_first || std::holds_alternative<AddressAnnounced>(message)) tracker.note(message);
    }));
  }
  return {};
}

Result<std::vector<FoundInterface>> RoutingLinkSource::read_interfaces() {
  auto found = TRY(list_interfaces());
  if (sockets_.size() == 1) return found;
  std::vector<FoundInterface> present;
  present.reserve(found.size());
  for (FoundInterface& interface : found) {
    if (TRY(read_fib(interface.link))) present.push_back(std::move(interface));
  }
  return present;
}

Result<bool> RoutingLinkSource::read_fib(Link& link) const {
  ifreq request{};
  const std::size_t length = std::min(link.name.size(), sizeof request.ifr_name - 1);
  std::memcpy(request.ifr_name, link.name.data(), length);
  if (::ioctl(requests_.get(), SIOCGIFFIB, &request) == 0) {
    link.fib = TableId(request.ifr_fib);
    return true;
  }
  if (errno == ENXIO) return false;
  return failure("ioctl(SIOCGIFFIB)", errno);
}

}  // namespace

Result<std::unique_ptr<LinkSource>> open_link_source(const LinkSourceOptions& options) {
  auto source = std::make_unique<RoutingLinkSource>();
  TRY(source->open(options));
  return source;
}

}  // namespace mcast::platform
