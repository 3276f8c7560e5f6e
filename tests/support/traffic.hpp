// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/support/fd.hpp"
#include "tests/support/net_namespace.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>

namespace mcast::testing {

using Clock = std::chrono::steady_clock;
/// The clock the kernel stamps arriving packets with.
using ArrivalClock = std::chrono::system_clock;
using Duration = std::chrono::milliseconds;

/// How long an awaited event may take on a busy machine before the test fails.
inline constexpr Duration kPatience{20'000};
inline constexpr std::uint16_t kTestPort = 5007;

/// Sends numbered UDP packets to one group out of one interface.
class MulticastSender {
 public:
  struct Options {
    int hops = 8;             ///< TTL or hop limit
    std::string source = {};  ///< one of the interface's addresses; empty: the kernel chooses
    std::uint16_t port = kTestPort;
    std::size_t size = 64;  ///< bytes of payload, at least 16
  };

  MulticastSender(const NetNamespace& host, const std::string& interface, const std::string& group,
                  const Options& options);
  MulticastSender(const NetNamespace& host, const std::string& interface, const std::string& group)
      : MulticastSender(host, interface, group, Options{}) {}

  /// Returns the packet's sequence number, counted from 0. A packet the network refuses
  /// (the interface is down or gone) counts as sent: it is a lost one.
  std::uint64_t send();
  /// Distinguishes this sender's packets from all others on the machine.
  [[nodiscard]] std::uint64_t flow() const { return flow_; }
  [[nodiscard]] std::uint64_t sent() const { return next_; }

 private:
  Fd socket_;
  sockaddr_storage group_{};
  socklen_t group_length_ = 0;
  std::uint64_t flow_;
  std::uint64_t next_ = 0;
  std::vector<std::byte> payload_;
};

/// What one receiver saw of one sender.
struct FlowAccount {
  std::uint64_t received = 0;  ///< distinct packets
  std::uint64_t duplicated = 0;
  std::map<std::uint64_t, ArrivalClock::time_point> arrivals;  ///< by sequence number

  [[nodiscard]] bool has(std::uint64_t sequence) const { return arrivals.contains(sequence); }
  /// Packets missing among those numbered from `first` up to, not including, `end`.
  [[nodiscard]] std::uint64_t lost(std::uint64_t first, std::uint64_t end) const;
};

/// Receives one group on one interface. Not thread-safe; packets wait in the socket, which
/// holds several thousand, until one of the functions below takes them.
class MulticastReceiver {
 public:
  struct Options {
    bool join = true;         ///< without it the host's IP layer discards the packets
    std::string source = {};  ///< not empty: a source-specific join
    std::uint16_t port = kTestPort;
  };

  MulticastReceiver(const NetNamespace& host, const std::string& interface,
                    const std::string& group, const Options& options);
  MulticastReceiver(const NetNamespace& host, const std::string& interface,
                    const std::string& group)
      : MulticastReceiver(host, interface, group, Options{}) {}

  /// Takes what is there now.
  void drain();
  /// Waits for at least one packet, of any sender, and takes all; false when time is over.
  bool await(Duration patience);
  /// Waits for a packet of `sender` numbered `sequence` or higher.
  bool await(const MulticastSender& sender, std::uint64_t sequence, Duration patience);

  [[nodiscard]] const FlowAccount& account(const MulticastSender& sender) {
    return account(sender.flow());
  }
  [[nodiscard]] const FlowAccount& account(std::uint64_t flow);
  /// Readable when packets wait.
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  Fd socket_;
  std::map<std::uint64_t, FlowAccount> accounts_;
};

/// The outcome of an expectation: true, or false with the reason.
struct Verdict {
  bool ok = false;
  std::string reason = {};
  explicit operator bool() const { return ok; }
};
std::ostream& operator<<(std::ostream& out, const Verdict& verdict);

/// Sends until a packet sent by this call arrives.
Verdict expect_flow(MulticastSender& sender, MulticastReceiver& receiver,
                    Duration patience = kPatience);

/// Sends packets of the flow under test, then one of `control`, which is known to pass between
/// the same hosts. All are sent on one processor and the path keeps their order: once the last
/// has arrived, none of the others can still be on the way.
Verdict expect_no_flow(MulticastSender& sender, MulticastReceiver& receiver,
                       MulticastSender& control, MulticastReceiver& control_receiver,
                       Duration patience = kPatience);

/// Sends one more packet after the other until one arrives, then tells how many of those
/// numbered from `first` on did not.
struct Loss {
  bool settled = false;  ///< false: nothing arrived any more
  std::uint64_t packets = 0;
};
Loss settle_loss(MulticastSender& sender, MulticastReceiver& receiver, std::uint64_t first,
                 Duration patience = kPatience);

/// Keeps a sender busy on a thread of its own until stopped.
class BackgroundFlow {
 public:
  BackgroundFlow(MulticastSender& sender, std::chrono::microseconds interval);
  /// The sender may be used again afterwards.
  void stop();

 private:
  std::jthread thread_;
};

}  // namespace mcast::testing
