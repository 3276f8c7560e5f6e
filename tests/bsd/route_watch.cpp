// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/route_watch.hpp"

#include <sys/param.h>
// Others need sys/param.h before them.
#include <sys/socket.h>
#include <sys/sysctl.h>

#include <net/if.h>
#include <net/if_dl.h>
#include <net/route.h>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>

#include "tests/bsd/agent.hpp"
#include "tests/bsd/state_report.hpp"

namespace mcast::testing {
namespace {

using Bytes = std::span<const std::byte>;

/// Copies, because what follows a message's head is not aligned.
template <class Value>
Value load(Bytes bytes) {
  Value value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof value, bytes.size()));
  return value;
}

std::string text_of(Bytes address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const auto family = load<sockaddr>(address).sa_family;
  if (family == AF_INET) {
    const auto v4 = load<sockaddr_in>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (family == AF_INET6) {
    const auto v6 = load<sockaddr_in6>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  } else {
    return fmt::format("of family {}", family);
  }
  return text.data();
}

std::string name_of(Bytes address) {
  const auto link = load<sockaddr_dl>(address);
  const std::size_t size = std::min<std::size_t>(link.sdl_nlen, sizeof link.sdl_data);
  return {&link.sdl_data[0], size};
}

/// net/route.h: SA_SIZE.
void walk_addresses(RouteEvent& event, Bytes bytes) {
  for (unsigned place = 0; place < RTAX_MAX && bytes.size() >= 2; ++place) {
    if ((event.addrs & 1U << place) == 0) continue;
    const std::size_t length = std::to_integer<std::size_t>(bytes[0]);
    const std::size_t step =
        length == 0 ? sizeof(long) : (length + sizeof(long) - 1) / sizeof(long) * sizeof(long);
    const Bytes address = bytes.first(std::min(length, bytes.size()));
    if (place == RTAX_IFA) event.address = text_of(address);
    if (place == RTAX_IFP) event.name = name_of(address);
    bytes = bytes.subspan(std::min(step, bytes.size()));
  }
}

RouteEvent decode(Bytes bytes) {
  RouteEvent event;
  event.size = bytes.size();
  event.type = std::to_integer<std::uint8_t>(bytes[3]);
  switch (event.type) {
    case RTM_IFANNOUNCE: {
      const auto head = load<if_announcemsghdr>(bytes);
      event.index = head.ifan_index;
      event.what = head.ifan_what;
      event.name.assign(&head.ifan_name[0], ::strnlen(&head.ifan_name[0], IFNAMSIZ));
      break;
    }
    case RTM_IFINFO: {
      const auto head = load<if_msghdr>(bytes);
      event.index = head.ifm_index;
      event.flags = static_cast<std::uint32_t>(head.ifm_flags);
      break;
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const auto head = load<ifa_msghdr>(bytes);
      event.index = head.ifam_index;
      event.addrs = static_cast<std::uint32_t>(head.ifam_addrs);
      if (bytes.size() > sizeof head) walk_addresses(event, bytes.subspan(sizeof head));
      break;
    }
    case RTM_NEWMADDR:
    case RTM_DELMADDR:
      event.index = load<ifma_msghdr>(bytes).ifmam_index;
      break;
    default:
      event.index = load<rt_msghdr>(bytes).rtm_index;
      break;
  }
  return event;
}

}  // namespace

std::string RouteEvent::describe() const {
  switch (type) {
    case 0:
      return "messages were lost";
    case RTM_IFANNOUNCE:
      return fmt::format("IFANNOUNCE {} {} (index {})",
                         what == IFAN_ARRIVAL     ? "arrival"
                         : what == IFAN_DEPARTURE ? "departure"
                                                  : std::to_string(what),
                         name, index);
    case RTM_IFINFO:
      return fmt::format("IFINFO index {} flags {:#x}", index, flags);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return fmt::format("{} {} on {} (index {}), addrs {:#x}",
                         type == RTM_NEWADDR ? "NEWADDR" : "DELADDR", address, name, index, addrs);
    case RTM_NEWMADDR:
      return fmt::format("NEWMADDR index {}", index);
    case RTM_DELMADDR:
      return fmt::format("DELMADDR index {}", index);
    default:
      return fmt::format("type {:#x} index {}", type, index);
  }
}

RouteWatch::RouteWatch() : RouteWatch(Settings{}) {}

RouteWatch::RouteWatch(const Settings& settings)
    : socket_(
          check_call(::socket(PF_ROUTE, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, settings.protocol),
                     "routing socket")) {
  check_call(::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &settings.room, sizeof settings.room),
             "SO_RCVBUF");
  constexpr int kYes = 1;
  check_call(::setsockopt(fd(), SOL_SOCKET, SO_RERROR, &kYes, sizeof kYes), "SO_RERROR");
  if (settings.fib >= 0) {
    check_call(::setsockopt(fd(), SOL_SOCKET, SO_SETFIB, &settings.fib, sizeof settings.fib),
               "SO_SETFIB");
  }
}

bool RouteWatch::read() {
  std::array<std::byte, 8192> buffer{};
  const auto size = ::recv(fd(), buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EINTR) return true;
  if (size < 0 && errno == EAGAIN) return false;
  if (size < 0 && errno == ENOBUFS) {
    history_.emplace_back();
    return true;
  }
  check_call(static_cast<int>(size), "read the routing socket");
  Bytes left = Bytes(buffer).first(static_cast<std::size_t>(size));
  while (left.size() >= 4) {
    const auto length = load<std::uint16_t>(left);
    if (length < 4 || length > left.size()) break;
    history_.push_back(decode(left.first(length)));
    left = left.subspan(length);
  }
  return true;
}

std::vector<RouteEvent> RouteWatch::drain() {
  const auto before = static_cast<std::ptrdiff_t>(history_.size());
  while (read()) {
  }
  return {history_.begin() + before, history_.end()};
}

RouteEvent RouteWatch::await(const std::function<bool(const RouteEvent&)>& is_it,
                             const std::string& what) {
  const auto end = std::chrono::steady_clock::now() + kKernelPatience;
  while (true) {
    const auto before = static_cast<std::ptrdiff_t>(history_.size());
    if (read()) {
      const auto found = std::find_if(history_.begin() + before, history_.end(), is_it);
      if (found != history_.end()) return *found;
      continue;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd waiting{fd(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0) {
      give_up("no routing message told of " + what + "; there were\n" + describe());
    }
  }
}

std::string RouteWatch::describe() {
  drain();
  std::string text;
  for (const auto& event : history_) text += "  " + event.describe() + "\n";
  return text;
}

}  // namespace mcast::testing
