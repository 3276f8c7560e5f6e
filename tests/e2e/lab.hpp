// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "tests/support/daemon.hpp"
#include "tests/support/topology.hpp"

namespace mcast::testing {

/// What the tests of one address family send. The source is the lab's sender.
struct FamilyCase {
  std::string name;
  std::string source;
  std::string group;
  std::string other_group;    ///< a second flow
  std::string control_group;  ///< the flow that proves the path while another must not pass
};
inline const FamilyCase kFamilies[] = {
    {"IPv4", "10.1.0.2", "239.1.1.1", "239.1.1.2", "239.1.1.9"},
    {"IPv6", "fd00:1::2", "ff1e::101", "ff1e::102", "ff1e::109"},
};

/// eth0 leads to the sender, eth1 and eth2 to the receivers.
struct Lab {
  Topology net;
  Host& sender = net.add_host();
  Host& first = net.add_host();
  Host& second = net.add_host();

  Lab() {
    net.plug("eth0", sender);
    net.plug("eth1", first);
    net.plug("eth2", second);
  }
  NetNamespace& router() { return net.router(); }
};

inline std::string mroute(std::string_view in, std::string_view source, std::string_view group,
                          std::string_view out) {
  return fmt::format("mroute from {} source {} group {} to {}\n", in, source, group, out);
}

/// One flow from a sender to one receiver, with both ends.
struct Flow {
  MulticastSender sender;
  MulticastReceiver receiver;

  /// `source` is one of the sender's addresses; empty: its first.
  Flow(const Host& from, const Host& to, const std::string& group, const std::string& source = {})
      : sender(from.sender(group, {.source = source})), receiver(to.receiver(group)) {}
  Verdict passes(Duration patience = kPatience) { return expect_flow(sender, receiver, patience); }
  Verdict blocked(Flow& control) {
    return expect_no_flow(sender, receiver, control.sender, control.receiver);
  }
};

/// The flow stops once the daemon has reacted; `control` has to pass all the time.
inline bool eventually_blocked(const Daemon& daemon, Flow& flow, Flow& control) {
  return daemon.eventually([&] { return static_cast<bool>(flow.blocked(control)); });
}

/// A flow that runs all the time while something else happens, and must not notice.
class Bystander {
 public:
  Bystander(const Host& from, const Host& to, const std::string& group)
      : flow_(from, to, group),
        ready_(flow_.passes()),
        first_(flow_.sender.sent()),
        background_(flow_.sender, std::chrono::milliseconds(1)) {}

  /// Ends the flow and tells whether every packet of it has arrived exactly once.
  Verdict undisturbed() {
    background_.stop();
    if (!ready_) return {.ok = false, .reason = "the flow did not pass before: " + ready_.reason};
    const Loss loss = settle_loss(flow_.sender, flow_.receiver, first_);
    const auto duplicated = flow_.receiver.account(flow_.sender).duplicated;
    if (loss.settled && loss.packets == 0 && duplicated == 0) return {.ok = true};
    return {.ok = false,
            .reason = fmt::format("{} of {} packets lost, {} duplicated{}", loss.packets,
                                  flow_.sender.sent() - first_, duplicated,
                                  loss.settled ? "" : ", and now nothing passes")};
  }

 private:
  Flow flow_;
  Verdict ready_;
  std::uint64_t first_;
  BackgroundFlow background_;
};

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace mcast::testing
