// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/support/net_namespace.hpp"
#include "tests/support/traffic.hpp"

#include <deque>
#include <map>
#include <string>

namespace mcast::testing {

/// A machine on a segment of its own: one interface `lan`, which stays whatever happens to the
/// router's end of the cable, because the cable ends in a bridge.
class Host {
 public:
  static constexpr const char* kLan = "lan";

  explicit Host(unsigned number);

  /// 10.N.0.2 and fd00:N::2; the router's end of the cable has .1 and ::1.
  [[nodiscard]] const std::string& v4() const { return v4_; }
  [[nodiscard]] const std::string& v6() const { return v6_; }
  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] NetNamespace& net() { return net_; }
  [[nodiscard]] const NetNamespace& net() const { return net_; }

  /// The address of this host in the family of `group`.
  [[nodiscard]] const std::string& address_for(const std::string& group) const;
  [[nodiscard]] MulticastSender sender(const std::string& group,
                                       MulticastSender::Options options = {}) const;
  [[nodiscard]] MulticastReceiver receiver(const std::string& group,
                                           const MulticastReceiver::Options& options = {}) const;

 private:
  unsigned number_;
  std::string v4_;
  std::string v6_;
  NetNamespace net_;
};

/// A router and hosts around it. Cables (veth pairs) can be plugged and pulled; pulling one
/// deletes the router's interface.
class Topology {
 public:
  /// The first host is number 1.
  Host& add_host();
  /// Makes `interface` of the router, up and with addresses, leading to `host`. A host may have
  /// several cables.
  void plug(const std::string& interface, Host& host);
  /// Deletes the interface.
  void pull(const std::string& interface);
  [[nodiscard]] NetNamespace& router() { return router_; }
  [[nodiscard]] const NetNamespace& router() const { return router_; }

 private:
  NetNamespace router_;
  std::deque<Host> hosts_;
  unsigned cables_ = 0;
};

}  // namespace mcast::testing
