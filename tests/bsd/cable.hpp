// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/address.hpp"
#include "tests/bsd/agent.hpp"
#include "tests/bsd/jail.hpp"
#include "tests/bsd/net_control.hpp"
#include "tests/bsd/station.hpp"

namespace mcast::testing {

/// Numbers of flows from here on are those of the cases.
inline constexpr std::uint64_t kFirstFlow = 1000;

/// An interface of this process's network, and a host in a jail at the other end of its cable. In
/// the jail it keeps the name that the kernel gave it.
class Cable {
 public:
  /// The number makes its addresses, 10.NUMBER.0.0/24 and fd00:NUMBER::/64, and the flows of its
  /// markers, which are below kFirstFlow.
  Cable(std::string name, unsigned number);
  ~Cable();
  Cable(const Cable&) = delete;
  Cable& operator=(const Cable&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Address router_address(Family family) const;
  [[nodiscard]] Address host_address(Family family) const;
  [[nodiscard]] Agent& host() { return *host_; }
  [[nodiscard]] bool passes() const { return up_ && !borrower_; }

  void rename(const std::string& to);
  void set_up(bool up);
  void add_address(Family family);
  void remove_address(Family family);
  /// Moves the router's end into the jail.
  void lend(const Jail& jail);
  /// It is as new afterwards.
  void take_back();

  /// One packet of the host, or one that looks like another host's, which the router has handled
  /// when this returns.
  void send(const Shipment& shipment);
  /// Waits until what the router has sent before has arrived at the host. A packet that is sent
  /// later overtakes none on a cable: see print_system().
  void settle_downstream();
  void settle_upstream();

 private:
  [[nodiscard]] std::uint64_t up_flow() const { return 2ULL * number_; }
  [[nodiscard]] std::uint64_t down_flow() const { return 2ULL * number_ + 1; }
  void configure();
  /// A new interface may take its time to have a link-local address.
  void await_passage();

  std::string name_;
  unsigned number_;
  Jail jail_;
  std::string far_end_;
  std::unique_ptr<Agent> host_;
  /// Of the router's end, for markers. It joins nothing that a router is asked to forward.
  std::unique_ptr<Station> station_;
  std::optional<int> borrower_;
  bool up_ = true;
};

}  // namespace mcast::testing
