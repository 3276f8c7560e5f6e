// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/net_control.hpp"

#include <sys/param.h>
// Others need sys/param.h before them.
#include <sys/ioctl.h>
#include <sys/linker.h>
#include <sys/module.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <sys/sysctl.h>

#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>

#include <netinet/in_var.h>
#include <netinet/ip_mroute.h>
#include <netinet6/in6_var.h>
#include <netinet6/ip6_mroute.h>

#include <fmt/format.h>
#include <ifaddrs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>

#include "platform/posix/socket_address.hpp"
#include "tests/support/fd.hpp"
#include "tests/support/skip.hpp"

namespace mcast::testing {
namespace {

/// netinet6/nd6.h has it, which is no C++.
constexpr std::uint32_t kInfiniteLifetime = 0xffffffff;

constexpr std::string_view kDescription = "made by a test of mcastd";

template <std::size_t Size>
void put_name(char (&field)[Size], const std::string& name) {
  if (name.size() >= Size) throw std::invalid_argument(name + " is too long a name");
  std::copy(name.begin(), name.end(), field);
  field[name.size()] = '\0';
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  put_name(request.ifr_name, name);
  return request;
}

/// 0 or the errno.
template <class Request>
int try_control(unsigned long command, Request& request, int family = AF_INET) {
  const Fd socket(check_call(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  return ::ioctl(socket.get(), command, &request) == 0 ? 0 : errno;
}

template <class Request>
void control(unsigned long command, Request& request, const std::string& what,
             int family = AF_INET) {
  const int error = try_control(command, request, family);
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

/// Stays with the interface wherever it goes (`ifconfig -v` prints it). Of use after a crash only,
/// so that it does not matter whether it succeeds.
void describe_interface(const std::string& name) {
  ifreq request = request_for(name);
  std::string text(kDescription);
  request.ifr_buffer.buffer = text.data();
  request.ifr_buffer.length = text.size() + 1;
  static_cast<void>(try_control(SIOCSIFDESCR, request));
}

std::string description_of(const std::string& name) {
  ifreq request = request_for(name);
  std::array<char, 128> text{};
  request.ifr_buffer.buffer = text.data();
  request.ifr_buffer.length = text.size();
  return try_control(SIOCGIFDESCR, request) == 0 ? text.data() : "";
}

/// The address that has as many leading ones.
Address mask(Family family, unsigned length) {
  std::array<std::uint8_t, 16> octets{};
  for (unsigned bit = 0; bit < length; ++bit) {
    octets[bit / 8] = static_cast<std::uint8_t>(octets[bit / 8] | 0x80U >> bit % 8);
  }
  if (family == Family::ipv6) return Address::from_v6(octets);
  return Address::from_v4(std::span(octets).first<4>());
}

}  // namespace

Epair make_epair() {
  ifreq request = request_for("epair");
  const int error = try_control(SIOCIFCREATE2, request);
  if (error == EINVAL) MCAST_SKIP("the kernel has no epair interfaces: kldload if_epair");
  if (error != 0) throw std::system_error(error, std::generic_category(), "create an epair");
  Epair made{request.ifr_name, request.ifr_name};
  if (!made.a.ends_with('a')) throw std::runtime_error("an epair is called " + made.a);
  made.b.back() = 'b';
  describe_interface(made.a);
  describe_interface(made.b);
  return made;
}

void destroy_interface(const std::string& name) {
  ifreq request = request_for(name);
  control(SIOCIFDESTROY, request, "destroy " + name);
}

void rename_interface(const std::string& name, const std::string& to) {
  ifreq request = request_for(name);
  char text[IFNAMSIZ];
  put_name(text, to);
  request.ifr_data = text;
  control(SIOCSIFNAME, request, fmt::format("rename {} to {}", name, to));
}

unsigned index_of_interface(const std::string& name) {
  return ::if_nametoindex(name.c_str());
}

std::set<std::string> interface_names() {
  const std::unique_ptr<struct if_nameindex, decltype(&::if_freenameindex)> list(
      ::if_nameindex(), &::if_freenameindex);
  if (!list) throw_errno("if_nameindex");
  std::set<std::string> names;
  for (const auto* entry = list.get(); entry->if_name != nullptr; ++entry) {
    names.insert(entry->if_name);
  }
  return names;
}

std::set<std::string> interfaces_of_tests() {
  std::set<std::string> names = interface_names();
  std::erase_if(names,
                [](const std::string& name) { return description_of(name) != kDescription; });
  return names;
}

std::vector<std::pair<std::string, std::string>> interface_addresses() {
  ifaddrs* list = nullptr;
  check_call(::getifaddrs(&list), "getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    std::array<std::uint8_t, 16> octets{};
    // Copied, as nothing says how a sockaddr is aligned.
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in v4{};
      std::memcpy(&v4, entry->ifa_addr, sizeof v4);
      std::memcpy(octets.data(), &v4.sin_addr, sizeof v4.sin_addr);
      found.emplace_back(entry->ifa_name,
                         Address::from_v4(std::span(octets).first<4>()).to_string());
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 v6{};
      std::memcpy(&v6, entry->ifa_addr, sizeof v6);
      std::memcpy(octets.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
      found.emplace_back(entry->ifa_name, Address::from_v6(octets).to_string());
    }
  }
  return found;
}

std::uint32_t flags_of_interface(const std::string& name) {
  ifreq request = request_for(name);
  control(SIOCGIFFLAGS, request, "read the flags of " + name);
  return static_cast<std::uint16_t>(request.ifr_flags) |
         static_cast<std::uint32_t>(static_cast<std::uint16_t>(request.ifr_flagshigh)) << 16;
}

void set_interface_up(const std::string& name, bool up) {
  ifreq request = request_for(name);
  control(SIOCGIFFLAGS, request, "read the flags of " + name);
  // Both halves go back as they came.
  constexpr short kUp = IFF_UP;
  request.ifr_flags = static_cast<short>(up ? request.ifr_flags | kUp : request.ifr_flags & ~kUp);
  control(SIOCSIFFLAGS, request, fmt::format("set {} {}", name, up ? "up" : "down"));
}

unsigned fib_of_interface(const std::string& name) {
  ifreq request = request_for(name);
  control(SIOCGIFFIB, request, "read the FIB of " + name);
  return request.ifr_fib;
}

void set_fib_of_interface(const std::string& name, unsigned fib) {
  ifreq request = request_for(name);
  request.ifr_fib = fib;
  control(SIOCSIFFIB, request, fmt::format("set the FIB of {} to {}", name, fib));
}

void add_interface_address(const std::string& name, const Address& address, unsigned length) {
  const std::string what = fmt::format("add {} to {}", address.to_string(), name);
  if (address.family() == Family::ipv4) {
    in_aliasreq request{};
    put_name(request.ifra_name, name);
    request.ifra_addr = platform::to_sockaddr4(address);
    request.ifra_mask = platform::to_sockaddr4(mask(Family::ipv4, length));
    control(SIOCAIFADDR, request, what);
    return;
  }
  in6_aliasreq request{};
  put_name(request.ifra_name, name);
  request.ifra_addr = platform::to_sockaddr6(address);
  request.ifra_prefixmask = platform::to_sockaddr6(mask(Family::ipv6, length));
  // A second that an address would wait to be found unique.
  request.ifra_flags = IN6_IFF_NODAD;
  request.ifra_lifetime.ia6t_vltime = kInfiniteLifetime;
  request.ifra_lifetime.ia6t_pltime = kInfiniteLifetime;
  control(SIOCAIFADDR_IN6, request, what, AF_INET6);
}

void remove_interface_address(const std::string& name, const Address& address) {
  const std::string what = fmt::format("remove {} from {}", address.to_string(), name);
  if (address.family() == Family::ipv4) {
    ifreq request = request_for(name);
    const sockaddr_in wanted = platform::to_sockaddr4(address);
    std::memcpy(&request.ifr_addr, &wanted, sizeof wanted);
    control(SIOCDIFADDR, request, what);
    return;
  }
  in6_ifreq request{};
  put_name(request.ifr_name, name);
  request.ifr_ifru.ifru_addr = platform::to_sockaddr6(address);
  control(SIOCDIFADDR_IN6, request, what, AF_INET6);
}

void add_route(const Address& prefix, unsigned length, const Address& gateway) {
  // Socket addresses in the order of their bits, each in steps of a long (net/route.h SA_SIZE).
  struct {
    rt_msghdr head;
    sockaddr_in destination;
    sockaddr_in gateway;
    sockaddr_in mask;
  } message{};
  static_assert(sizeof(sockaddr_in) % sizeof(long) == 0);
  message.head.rtm_msglen = sizeof message;
  message.head.rtm_version = RTM_VERSION;
  message.head.rtm_type = RTM_ADD;
  message.head.rtm_flags = RTF_UP | RTF_GATEWAY | RTF_STATIC;
  message.head.rtm_addrs = RTA_DST | RTA_GATEWAY | RTA_NETMASK;
  message.head.rtm_seq = 1;
  message.destination = platform::to_sockaddr4(prefix);
  message.gateway = platform::to_sockaddr4(gateway);
  message.mask = platform::to_sockaddr4(mask(Family::ipv4, length));
  const Fd socket(check_call(::socket(PF_ROUTE, SOCK_RAW | SOCK_CLOEXEC, AF_INET), "socket"));
  check_call(static_cast<int>(::write(socket.get(), &message, sizeof message)),
             fmt::format("add a route for {} by {}", prefix.to_string(), gateway.to_string()));
}

void lend_interface(const std::string& name, int jail) {
  ifreq request = request_for(name);
  request.ifr_jid = jail;
  control(SIOCSIFVNET, request, fmt::format("move {} into jail {}", name, jail));
}

void reclaim_interface(const std::string& name, int jail) {
  ifreq request = request_for(name);
  request.ifr_jid = jail;
  control(SIOCSIFRVNET, request, fmt::format("move {} out of jail {}", name, jail));
}

std::optional<std::vector<std::byte>> read_sysctl(const std::string& name) {
  std::size_t size = 0;
  if (::sysctlbyname(name.c_str(), nullptr, &size, nullptr, 0) != 0) return {};
  std::vector<std::byte> value(size);
  if (::sysctlbyname(name.c_str(), value.data(), &size, nullptr, 0) != 0) return {};
  value.resize(size);
  return value;
}

std::optional<std::int64_t> read_number(const std::string& name) {
  const auto value = read_sysctl(name);
  if (!value) return {};
  std::int64_t number = 0;
  if (value->size() == sizeof(std::int32_t)) {
    std::int32_t shorter = 0;
    std::memcpy(&shorter, value->data(), sizeof shorter);
    number = shorter;
  } else if (value->size() == sizeof number) {
    std::memcpy(&number, value->data(), sizeof number);
  } else {
    return {};
  }
  return number;
}

std::string read_text(const std::string& name) {
  const auto value = read_sysctl(name);
  if (!value) return "unknown";
  std::string text;
  for (const std::byte byte : *value) text += static_cast<char>(byte);
  text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
  return text;
}

void write_number(const std::string& name, std::int32_t value) {
  check_call(::sysctlbyname(name.c_str(), nullptr, nullptr, &value, sizeof value),
             fmt::format("set {} to {}", name, value));
}

void settle_network() {
  write_number("net.inet6.ip6.dad_count", 0);
  write_number("net.inet6.ip6.auto_linklocal", 1);
  set_interface_up("lo0", true);
}

std::string load_module(const std::string& name) {
  if (::modfind(name.c_str()) >= 0) return name + ": there";
  const int error = ::kldload(name.c_str()) >= 0 ? 0 : errno;
  if (error == 0) return name + ": loaded";
  return fmt::format("{}: not found in the kernel, and cannot be loaded: {}", name,
                     std::strerror(error));
}

bool has_multicast_routing(Family family) {
  // Only the module answers these; where it is missing, the raw socket says EOPNOTSUPP. Both may
  // be asked without MRT_INIT.
  const bool v4 = family == Family::ipv4;
  const Fd socket(check_call(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC,
                                      v4 ? IPPROTO_IGMP : IPPROTO_ICMPV6),
                             "raw socket"));
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? MRT_VERSION : MRT6_PIM,
                      &value, &size) == 0 ||
         errno != EOPNOTSUPP;
}

void need_multicast_routing(Family family) {
  if (has_multicast_routing(family)) return;
  MCAST_SKIP(fmt::format("the kernel has no {} multicast routing: kldload {}", to_string(family),
                         family == Family::ipv4 ? "ip_mroute" : "ip6_mroute"));
}

}  // namespace mcast::testing
