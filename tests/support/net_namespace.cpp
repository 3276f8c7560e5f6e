// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/net_namespace.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/ipgre.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/link/vlan.h>
#include <netlink/route/link/vrf.h>

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <fcntl.h>
#include <sched.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace mcast::testing {
namespace {

constexpr const char* kSelf = "/proc/thread-self/ns/net";

Fd open_current_namespace() {
  return Fd(check_call(::open(kSelf, O_RDONLY | O_CLOEXEC), kSelf));
}

void write_file(const std::string& path, std::string_view text) {
  const Fd file(check_call(::open(path.c_str(), O_WRONLY | O_CLOEXEC), path));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw_errno("write " + path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The network namespace made together with the user namespace is left behind as the thread's
/// home: unlike the machine's own one, it can be returned to.
void enter_user_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
    throw_errno("unshare: network namespaces need root, or user namespaces to be allowed");
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", fmt::format("0 {} 1", uid));
  write_file("/proc/self/gid_map", fmt::format("0 {} 1", gid));
}

/// Leaves the calling thread where it was.
Fd make_namespace() {
  const Fd home = open_current_namespace();
  check_call(::unshare(CLONE_NEWNET), "unshare");
  Fd made = open_current_namespace();
  check_call(::setns(home.get(), CLONE_NEWNET), "setns");
  return made;
}

bool may_make_namespaces() {
  const Fd home = open_current_namespace();
  if (::unshare(CLONE_NEWNET) < 0) return false;
  check_call(::setns(home.get(), CLONE_NEWNET), "setns");
  return true;
}

void check_nl(int result, const std::string& what) {
  if (result < 0) throw std::runtime_error(fmt::format("{}: {}", what, nl_geterror(result)));
}

struct LinkDeleter {
  void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
using Link = std::unique_ptr<rtnl_link, LinkDeleter>;

struct MessageDeleter {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, MessageDeleter>;

/// About the interface of an index, or of 0 a new one. `up` is left as it is unless it is set.
Message link_message(int type, int flags, unsigned char family, unsigned index, bool up = false) {
  Message message(nlmsg_alloc_simple(type, flags));
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_index = static_cast<int>(index);
  header.ifi_flags = header.ifi_change = up ? IFF_UP : 0;
  nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  return message;
}

void put_bridge_option(nl_msg* message, int option, std::uint8_t value) {
  nlattr* info = nla_nest_start(message, IFLA_LINKINFO);
  nla_put_string(message, IFLA_INFO_KIND, "bridge");
  nlattr* data = nla_nest_start(message, IFLA_INFO_DATA);
  nla_put_u8(message, option, value);
  nla_nest_end(message, data);
  nla_nest_end(message, info);
}

void send(nl_sock* socket, const Message& message, const std::string& what) {
  check_nl(nl_send_auto(socket, message.get()), what);
  check_nl(nl_wait_for_ack(socket), what);
}

}  // namespace

void NetNamespace::SocketDeleter::operator()(nl_sock* socket) const {
  nl_socket_free(socket);
}

NetNamespace::Visit::Visit(const NetNamespace& target) : home_(open_current_namespace()) {
  check_call(::setns(target.fd(), CLONE_NEWNET), "setns");
}

NetNamespace::Visit::~Visit() {
  // The thread would go on in a wrong namespace: nothing after that could be trusted.
  if (::setns(home_.get(), CLONE_NEWNET) < 0) std::terminate();
}

NetNamespace::NetNamespace() {
  static const bool prepared = [] {
    if (!may_make_namespaces()) enter_user_namespace();
    return true;
  }();
  static_cast<void>(prepared);
  fd_ = make_namespace();
  run([this] {
    route_.reset(nl_socket_alloc());
    check_nl(nl_connect(route_.get(), NETLINK_ROUTE), "rtnetlink");
  });
  // The reverse path filter takes the greater of "all" and the interface's own value.
  for (const char* scope : {"all", "default"}) {
    write_sysctl(fmt::format("net/ipv4/conf/{}/rp_filter", scope), "0");
    write_sysctl(fmt::format("net/ipv6/conf/{}/accept_dad", scope), "0");
  }
  set_up("lo");
}

NetNamespace::~NetNamespace() = default;
NetNamespace::NetNamespace(NetNamespace&&) noexcept = default;
NetNamespace& NetNamespace::operator=(NetNamespace&&) noexcept = default;

void NetNamespace::add_veth(const std::string& name, NetNamespace& peer_namespace,
                            const std::string& peer) {
  const std::unique_ptr<rtnl_link, decltype(&rtnl_link_veth_release)> link(rtnl_link_veth_alloc(),
                                                                           &rtnl_link_veth_release);
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_flags(link.get(), IFF_UP);
  const Link end(rtnl_link_veth_get_peer(link.get()));
  rtnl_link_set_name(end.get(), peer.c_str());
  rtnl_link_set_ns_fd(end.get(), peer_namespace.fd());
  check_nl(rtnl_link_add(route_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
           fmt::format("add veth {} with peer {}", name, peer));
  // The kernel refuses to make the peer up: it is configured before the two ends are connected.
  peer_namespace.set_up(peer);
}

// libnl-route 3.7 has no setters for the attributes of bridges.
void NetNamespace::add_bridge(const std::string& name) {
  const Message message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0, true);
  nla_put_string(message.get(), IFLA_IFNAME, name.c_str());
  put_bridge_option(message.get(), IFLA_BR_MCAST_SNOOPING, 0);
  send(route_.get(), message, "add bridge " + name);
}

void NetNamespace::filter_vlans(const std::string& bridge) {
  const Message message = link_message(RTM_NEWLINK, 0, AF_UNSPEC, require_index(bridge));
  put_bridge_option(message.get(), IFLA_BR_VLAN_FILTERING, 1);
  send(route_.get(), message, "filter VLANs on " + bridge);
}

void NetNamespace::change_bridge_vlan(const std::string& name, std::uint16_t vlan,
                                      std::uint16_t vlan_flags, bool is_port, bool add) {
  const Message message =
      link_message(add ? RTM_SETLINK : RTM_DELLINK, 0, AF_BRIDGE, require_index(name));
  nlattr* spec = nla_nest_start(message.get(), IFLA_AF_SPEC);
  nla_put_u16(message.get(), IFLA_BRIDGE_FLAGS, is_port ? BRIDGE_FLAGS_MASTER : BRIDGE_FLAGS_SELF);
  const bridge_vlan_info info{.flags = vlan_flags, .vid = vlan};
  nla_put(message.get(), IFLA_BRIDGE_VLAN_INFO, sizeof info, &info);
  nla_nest_end(message.get(), spec);
  send(route_.get(), message, fmt::format("VLAN {} of {}", vlan, name));
}

void NetNamespace::set_port_vlan(const std::string& port, std::uint16_t vlan) {
  change_bridge_vlan(port, vlan, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, true, true);
  constexpr std::uint16_t kDefault = 1;
  if (vlan != kDefault) change_bridge_vlan(port, kDefault, 0, true, false);
}

void NetNamespace::add_bridge_vlan(const std::string& bridge, std::uint16_t vlan) {
  change_bridge_vlan(bridge, vlan, 0, false, true);
}

void NetNamespace::add_vlan(const std::string& name, const std::string& parent,
                            std::uint16_t vlan) {
  const Link link(rtnl_link_vlan_alloc());
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_link(link.get(), static_cast<int>(require_index(parent)));
  rtnl_link_set_flags(link.get(), IFF_UP);
  check_nl(rtnl_link_vlan_set_id(link.get(), vlan), "VLAN id");
  check_nl(rtnl_link_add(route_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
           fmt::format("add VLAN {} on {}", name, parent));
}

void NetNamespace::add_gre(const std::string& name, const std::string& local,
                           const std::string& remote) {
  const Link link(rtnl_link_ipgre_alloc());
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_flags(link.get(), IFF_UP | IFF_MULTICAST);
  const auto number = [](const std::string& address) { return ::inet_addr(address.c_str()); };
  check_nl(rtnl_link_ipgre_set_local(link.get(), number(local)), "GRE local");
  check_nl(rtnl_link_ipgre_set_remote(link.get(), number(remote)), "GRE remote");
  constexpr std::uint8_t kHops = 64;
  check_nl(rtnl_link_ipgre_set_ttl(link.get(), kHops), "GRE TTL");
  check_nl(rtnl_link_add(route_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL), "add GRE " + name);
}

void NetNamespace::add_macvlan(const std::string& name, const std::string& parent) {
  const Link link(rtnl_link_macvlan_alloc());
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_link(link.get(), static_cast<int>(require_index(parent)));
  rtnl_link_set_flags(link.get(), IFF_UP);
  check_nl(rtnl_link_macvlan_set_mode(link.get(), MACVLAN_MODE_BRIDGE), "macvlan mode");
  check_nl(rtnl_link_add(route_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
           fmt::format("add macvlan {} on {}", name, parent));
}

void NetNamespace::add_dummy(const std::string& name) {
  const Link link(rtnl_link_alloc());
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_flags(link.get(), IFF_UP);
  check_nl(rtnl_link_set_type(link.get(), "dummy"), "dummy");
  check_nl(rtnl_link_add(route_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL), "add dummy " + name);
}

void NetNamespace::add_vrf(const std::string& name, std::uint32_t table) {
  const Link link(rtnl_link_vrf_alloc());
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_set_flags(link.get(), IFF_UP);
  check_nl(rtnl_link_vrf_set_tableid(link.get(), table), "VRF table");
  check_nl(rtnl_link_add(route_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
           fmt::format("add VRF {} with table {}", name, table));
}

void NetNamespace::remove_link(const std::string& name) {
  const Link link(rtnl_link_alloc());
  rtnl_link_set_ifindex(link.get(), static_cast<int>(require_index(name)));
  check_nl(rtnl_link_delete(route_.get(), link.get()), "delete " + name);
}

void NetNamespace::change_link(const std::string& name, const std::function<void(rtnl_link*)>& edit,
                               const char* what) {
  const Link original(rtnl_link_alloc());
  rtnl_link_set_ifindex(original.get(), static_cast<int>(require_index(name)));
  const Link changes(rtnl_link_alloc());
  edit(changes.get());
  check_nl(rtnl_link_change(route_.get(), original.get(), changes.get(), 0),
           fmt::format("{} {}", what, name));
}

void NetNamespace::rename_link(const std::string& from, const std::string& to) {
  const auto rename = [&](rtnl_link* link) { rtnl_link_set_name(link, to.c_str()); };
  // Before Linux 6.2 an interface had to be down to be renamed.
  try {
    change_link(from, rename, "rename");
  } catch (const std::runtime_error&) {
    set_down(from);
    change_link(from, rename, "rename");
    set_up(to);
  }
}

void NetNamespace::move_link(const std::string& name, NetNamespace& destination) {
  change_link(name, [&](rtnl_link* link) { rtnl_link_set_ns_fd(link, destination.fd()); }, "move");
  destination.set_up(name);
}

void NetNamespace::enslave(const std::string& name, const std::string& master) {
  check_nl(rtnl_link_enslave_ifindex(route_.get(), static_cast<int>(require_index(master)),
                                     static_cast<int>(require_index(name))),
           fmt::format("enslave {} to {}", name, master));
}

void NetNamespace::release(const std::string& name) {
  check_nl(rtnl_link_release_ifindex(route_.get(), static_cast<int>(require_index(name))),
           "release " + name);
}

void NetNamespace::set_up(const std::string& name) {
  change_link(name, [](rtnl_link* link) { rtnl_link_set_flags(link, IFF_UP); }, "set up");
}

void NetNamespace::set_down(const std::string& name) {
  change_link(name, [](rtnl_link* link) { rtnl_link_unset_flags(link, IFF_UP); }, "set down");
}

void NetNamespace::set_multicast(const std::string& name, bool on) {
  change_link(
      name,
      [on](rtnl_link* link) {
        on ? rtnl_link_set_flags(link, IFF_MULTICAST) : rtnl_link_unset_flags(link, IFF_MULTICAST);
      },
      "set MULTICAST of");
}

void NetNamespace::change_address(const std::string& name, const std::string& address, bool add) {
  const std::string what = fmt::format("{} {} on {}", add ? "add" : "remove", address, name);
  nl_addr* parsed = nullptr;
  check_nl(nl_addr_parse(address.c_str(), AF_UNSPEC, &parsed), what);
  const std::unique_ptr<nl_addr, decltype(&nl_addr_put)> local(parsed, &nl_addr_put);
  const std::unique_ptr<rtnl_addr, decltype(&rtnl_addr_put)> entry(rtnl_addr_alloc(),
                                                                   &rtnl_addr_put);
  rtnl_addr_set_ifindex(entry.get(), static_cast<int>(require_index(name)));
  check_nl(rtnl_addr_set_local(entry.get(), local.get()), what);
  if (nl_addr_get_family(local.get()) == AF_INET6) rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
  check_nl(add ? rtnl_addr_add(route_.get(), entry.get(), 0)
               : rtnl_addr_delete(route_.get(), entry.get(), 0),
           what);
}

void NetNamespace::add_address(const std::string& name, const std::string& address) {
  change_address(name, address, true);
}

void NetNamespace::remove_address(const std::string& name, const std::string& address) {
  change_address(name, address, false);
}

unsigned NetNamespace::index_of(const std::string& name) const {
  return run([&] { return ::if_nametoindex(name.c_str()); });
}

unsigned NetNamespace::require_index(const std::string& name) const {
  const unsigned index = index_of(name);
  if (index == 0) throw std::runtime_error("no such interface: " + name);
  return index;
}

std::string NetNamespace::read_proc_net(std::string_view path) const {
  return run([&] { return read_file(fmt::format("/proc/thread-self/net/{}", path)); });
}

std::string NetNamespace::read_sysctl(std::string_view path) const {
  return run([&] { return read_file(fmt::format("/proc/sys/{}", path)); });
}

void NetNamespace::write_sysctl(std::string_view path, std::string_view value) const {
  run([&] { write_file(fmt::format("/proc/sys/{}", path), value); });
}

}  // namespace mcast::testing
