// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/support/fd.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/traffic.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace mcast::testing {

/// Keeps what passes an Ethernet interface, in either direction, from when it is made.
class PacketCapture {
 public:
  using Frame = std::vector<std::uint8_t>;

  PacketCapture(const NetNamespace& host, const std::string& interface);

  /// All so far.
  [[nodiscard]] const std::vector<Frame>& frames();
  /// Waits until so many of all frames are of this kind.
  bool await(std::size_t count, const std::function<bool(const Frame&)>& kind,
             Duration patience = kPatience);
  /// For programs that read captures (libpcap's classic format).
  void write_pcap(const std::filesystem::path& path);

 private:
  void drain();

  Fd socket_;
  std::vector<Frame> frames_;
};

}  // namespace mcast::testing
