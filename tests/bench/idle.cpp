// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/idle.hpp"

#include <poll.h>

#include <stdexcept>
#include <string>
#include <thread>

#include "tests/bench/timed_daemon.hpp"
#include "tests/support/topology.hpp"

namespace mcast::bench {
namespace {

using testing::Duration;

const std::string kConfiguration =
    "mroute from eth0 source 10.1.0.2 group 239.1.0.0 to eth1 lan+\n"
    "mroute from eth0 source fd00:1::2 group ff1e::1:0:0 to eth1 lan+\n"
    "mgroup from eth0 group 239.1.0.0\n"
    "mgroup from eth0 source fd00:1::2 group ff1e::1:0:0\n";

/// Until the daemon has done nothing for a second; what the kernel tells late (the carrier of new
/// interfaces, addresses) has come by then.
void settle(const TimedDaemon& daemon) {
  for (int seconds = 0; seconds < 30; ++seconds) {
    const std::uint64_t before = daemon.context_switches();
    std::this_thread::sleep_for(std::chrono::seconds(1));
    if (daemon.context_switches() == before) return;
  }
}

}  // namespace

Idleness watch_idle_daemon(std::chrono::seconds window) {
  testing::Topology net;
  testing::Host& sender_host = net.add_host();
  testing::Host& receiver_host = net.add_host();
  net.plug("eth0", sender_host);
  net.plug("eth1", receiver_host);
  const TimedDaemon daemon(net.router(), "mcastd", kConfiguration, 1);
  auto sender = sender_host.sender("239.1.0.0");
  auto receiver = receiver_host.receiver("239.1.0.0");
  if (const auto flows = expect_flow(sender, receiver); !flows) {
    throw std::runtime_error("nothing is forwarded: " + flows.reason);
  }
  net.plug("lan0", receiver_host);
  net.pull("lan0");
  settle(daemon);

  const std::uint64_t received = receiver.account(sender).received;
  const std::uint64_t before = daemon.context_switches();
  testing::BackgroundFlow traffic(sender, std::chrono::milliseconds(10));
  std::this_thread::sleep_for(window);
  traffic.stop();
  const std::uint64_t after = daemon.context_switches();
  receiver.drain();
  return {.wakeups = after - before, .forwarded = receiver.account(sender).received - received};
}

}  // namespace mcast::bench
