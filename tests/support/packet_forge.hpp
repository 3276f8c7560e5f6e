// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/support/fd.hpp"
#include "tests/support/net_namespace.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mcast::testing {

/// Sends UDP packets past the host's IP layer, so that their source may be any address at all and
/// many flows can start at once. A MulticastReceiver accounts for them by `flow()`.
class PacketForge {
 public:
  struct Addresses {
    std::string source;
    std::string group;
  };
  /// A packet as it goes over the cable, but for its link layer.
  struct Packet {
    int family = 0;
    std::vector<std::byte> bytes;
  };

  PacketForge(const NetNamespace& host, const std::string& interface);

  /// Numbers the packets from 0 on, in the order in which they are made.
  [[nodiscard]] Packet make(const Addresses& addresses);
  [[nodiscard]] std::vector<Packet> make(std::span<const Addresses> flows);
  void send(const Packet& packet) const;
  /// All with as few calls as possible.
  void send(std::span<const Packet> packets) const;

  [[nodiscard]] std::uint64_t flow() const { return flow_; }
  [[nodiscard]] std::uint64_t made() const { return next_; }

 private:
  Fd socket_;
  int interface_ = 0;
  std::uint64_t flow_;
  std::uint64_t next_ = 0;
};

/// `count` different addresses, made by counting `first` up: "10.1.2.0", "ff1e::5:0".
[[nodiscard]] std::vector<std::string> count_up(const std::string& first, std::size_t count);

}  // namespace mcast::testing
