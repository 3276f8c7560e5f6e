// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/support/fd.hpp"

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

struct nl_sock;
struct rtnl_link;

namespace mcast::testing {

/// A private network namespace, alive as long as this object (and the sockets and
/// processes inside it). It has no name: nothing appears in /run/netns.
///
/// Without the privilege to make one, the first instance moves the whole process into a
/// user namespace where it is root, so it must be made before any thread is started.
/// Interface operations go through rtnetlink; all of them throw std::system_error or
/// std::runtime_error naming the interface.
class NetNamespace {
 public:
  NetNamespace();
  ~NetNamespace();
  NetNamespace(NetNamespace&&) noexcept;
  NetNamespace& operator=(NetNamespace&&) noexcept;
  NetNamespace(const NetNamespace&) = delete;
  NetNamespace& operator=(const NetNamespace&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Runs `action` with the calling thread inside the namespace. Sockets made there stay there.
  template <std::invocable F>
  std::invoke_result_t<F> run(F&& action) const {
    const Visit visit(*this);
    return std::invoke(std::forward<F>(action));
  }

  /// A new interface is up, has no IPv6 duplicate address detection and no reverse path filter.
  void add_veth(const std::string& name, NetNamespace& peer_namespace, const std::string& peer);
  /// Multicast snooping is off: the bridge behaves as a plain segment.
  void add_bridge(const std::string& name);
  /// Only frames of a VLAN that the bridge and its ports belong to pass from here on.
  void filter_vlans(const std::string& bridge);
  /// What the port receives without a tag is of this VLAN and the only that it sends, untagged.
  void set_port_vlan(const std::string& port, std::uint16_t vlan);
  /// The bridge itself takes part in the VLAN, tagged: for a VLAN interface on it.
  void add_bridge_vlan(const std::string& bridge, std::uint16_t vlan);
  void add_vlan(const std::string& name, const std::string& parent, std::uint16_t vlan);
  /// A tunnel over IPv4. The kernel makes it without the MULTICAST flag, which it has here.
  void add_gre(const std::string& name, const std::string& local, const std::string& remote);
  void add_macvlan(const std::string& name, const std::string& parent);
  /// An interface that counts what it is sent and discards it.
  void add_dummy(const std::string& name);
  void add_vrf(const std::string& name, std::uint32_t table);
  void remove_link(const std::string& name);
  void rename_link(const std::string& from, const std::string& to);
  /// Moves the interface, which loses its addresses and arrives down; it is set up again there.
  void move_link(const std::string& name, NetNamespace& destination);
  void enslave(const std::string& name, const std::string& master);
  void release(const std::string& name);
  void set_up(const std::string& name);
  void set_down(const std::string& name);
  void set_multicast(const std::string& name, bool on);

  /// `address` is written as "10.0.0.1/24" or "fd00::1/64".
  void add_address(const std::string& name, const std::string& address);
  void remove_address(const std::string& name, const std::string& address);

  /// 0 if there is no such interface.
  [[nodiscard]] unsigned index_of(const std::string& name) const;
  [[nodiscard]] bool has_link(const std::string& name) const { return index_of(name) != 0; }

  /// `path` is relative to /proc/net of the namespace: "igmp", "mcfilter6", "ip_mr_vif".
  [[nodiscard]] std::string read_proc_net(std::string_view path) const;
  /// `path` is relative to /proc/sys: "net/ipv4/igmp_max_memberships".
  [[nodiscard]] std::string read_sysctl(std::string_view path) const;
  void write_sysctl(std::string_view path, std::string_view value) const;

 private:
  class Visit {
   public:
    explicit Visit(const NetNamespace& target);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    Fd home_;
  };
  struct SocketDeleter {
    void operator()(nl_sock* socket) const;
  };

  void change_link(const std::string& name, const std::function<void(rtnl_link*)>& edit,
                   const char* what);
  void change_address(const std::string& name, const std::string& address, bool add);
  void change_bridge_vlan(const std::string& name, std::uint16_t vlan, std::uint16_t vlan_flags,
                          bool is_port, bool add);
  [[nodiscard]] unsigned require_index(const std::string& name) const;

  Fd fd_;
  std::unique_ptr<nl_sock, SocketDeleter> route_;
};

}  // namespace mcast::testing
