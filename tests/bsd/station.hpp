// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "core/address.hpp"
#include "tests/support/fd.hpp"

namespace mcast::testing {

/// The unspecified IPv6 address as source leaves the choice to the kernel.
struct Shipment {
  Address group;
  Address source;
  /// Tells packets of one sender from those of others.
  std::uint64_t flow = 0;
  unsigned hops = 16;
};

/// Sends and receives multicast packets on one interface, of the network that the process which
/// makes it is in. Stays with the interface when that is renamed. Throws when the kernel refuses.
class Station {
 public:
  explicit Station(const std::string& interface);

  /// Receives the group from now on. Joining twice does nothing.
  void join(const Address& group);
  /// One packet, which is not looped back. Returns its number within the flow, from 1.
  std::uint64_t send(const Shipment& shipment);
  /// Whether this packet of a joined group, or a later one of its flow, has come or comes in time.
  bool await(const Address& group, std::uint64_t flow, std::uint64_t number,
             std::chrono::milliseconds patience);
  /// How many packets of the flow have come.
  std::uint64_t received(const Address& group, std::uint64_t flow);
  /// Line by line, what has come.
  [[nodiscard]] std::string describe();

 private:
  struct Account {
    std::uint64_t received = 0;
    std::uint64_t last = 0;
  };
  struct Receiver {
    Fd socket;
    std::map<std::uint64_t, Account> accounts;
    void drain();
  };
  Receiver& receiver(const Address& group);
  int sender(const Shipment& shipment);

  unsigned index_;
  std::map<Address, Receiver> receivers_;
  std::map<Address, Fd> senders_;  ///< by source; those of the kernel's choice by 0.0.0.0 or ::
  std::map<std::uint64_t, std::uint64_t> sent_;
};

}  // namespace mcast::testing
