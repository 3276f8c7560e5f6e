// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/daemon.hpp"
#include "tests/support/topology.hpp"

namespace mcast::demo {

/// What the demonstrated daemon is configured with.
extern const char* const kConfiguration;

/// A receiver of one flow.
class Tap {
 public:
  Tap(const testing::Host& place, const testing::MulticastSender& sender, const std::string& group)
      : sender_(&sender), receiver_(place.receiver(group)), ipv6_(group.contains(':')) {}

  [[nodiscard]] bool ipv6() const { return ipv6_; }
  void drain() { receiver_.drain(); }
  bool await(testing::Duration patience) { return receiver_.await(patience); }
  /// The number of the next packet that could arrive.
  [[nodiscard]] std::uint64_t position();
  /// When the first packet numbered `position` or higher arrived.
  [[nodiscard]] std::optional<testing::ArrivalClock::time_point> first_after(
      std::uint64_t position);
  /// Packets sent and not received between two positions.
  [[nodiscard]] std::uint64_t lost(std::uint64_t first, std::uint64_t end);
  [[nodiscard]] std::uint64_t received();

 private:
  const testing::MulticastSender* sender_;
  testing::MulticastReceiver receiver_;
  bool ipv6_;
};

/// A flow that is sent all the time.
struct Stream {
  Stream(const testing::Host& from, const std::string& to)
      : group(to), sender(from.sender(to)), background(sender, std::chrono::milliseconds(1)) {}
  std::string group;
  testing::MulticastSender sender;
  testing::BackgroundFlow background;
};

/// Packets that one interface of the router took in and put out for others.
struct Counters {
  struct Family {
    std::uint64_t in = 0;
    std::uint64_t out = 0;
  };
  Family ipv4;
  Family ipv6;
};

/// The sender, the router with a real daemon, two receivers and a network that is not there yet.
/// Every stream is sent from the start; where it arrives is for the daemon to bring about.
class Scene {
 public:
  Scene();

  /// The uplink's flows and where they should arrive: receiver A, receiver B, the newcomer.
  std::array<std::vector<Tap*>, 3> uplink;
  /// Flows between the LANs of receiver B and receiver A.
  std::vector<Tap*> lateral;

  void plug(const std::string& interface);
  void pull(const std::string& interface);
  /// Takes what has arrived; waits a moment for it.
  void pump();
  [[nodiscard]] std::map<std::string, Counters> counters() const;
  [[nodiscard]] std::vector<Tap*> taps();
  [[nodiscard]] std::string daemon_log() const { return daemon_->log(); }

 private:
  testing::Topology net_;
  std::map<std::string, testing::Host*> cables_;
  std::unique_ptr<testing::Daemon> daemon_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Tap>> taps_;
};

}  // namespace mcast::demo
