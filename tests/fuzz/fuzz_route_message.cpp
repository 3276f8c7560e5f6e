// SPDX-License-Identifier: BSD-2-Clause
//
// Messages of FreeBSD's routing socket, decoded and followed. The bits of the first byte say, by
// turns, which of them are true of the interfaces that are then found; a message that is about
// something else ends a batch.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "platform/bsd/link_tracker.hpp"
#include "platform/bsd/route_codec.hpp"

using namespace mcast;
using namespace mcast::platform;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Checks that what is told makes sense in this order.
class Sink final : public LinkSink {
 public:
  void link_changed(const Link& link) override {
    require(link.index != IfIndex() && std::ranges::is_sorted(link.addresses));
    const auto [known, is_new] = known_.try_emplace(link.index, link);
    if (is_new) {
      require(used_.insert(link.incarnation).second);
    } else {
      require(known->second.incarnation == link.incarnation && !(known->second == link));
    }
    known->second = link;
  }
  void link_removed(IfIndex index) override { require(known_.erase(index) == 1); }
  void links_relearned(std::span<const Link> links) override {
    const auto before = std::exchange(known_, {});
    for (const Link& link : links) {
      require(known_.emplace(link.index, link).second);
      const auto same = before.find(link.index);
      const bool kept = same != before.end() && same->second.incarnation == link.incarnation;
      require(kept || used_.insert(link.incarnation).second);
    }
  }
  [[nodiscard]] const std::map<IfIndex, Link>& known() const { return known_; }

 private:
  std::map<IfIndex, Link> known_;
  std::set<std::uint64_t> used_;
};

class Host final : public InterfaceReader {
 public:
  explicit Host(std::uint8_t truths) : truths_(truths) {}

  void add(const RouteMessage& message) {
    truths_ = std::rotl(truths_, 1);
    if ((truths_ & 1U) != 0) std::visit([this](const auto& told) { happen(told); }, message);
    waiting_.push_back(message);
  }
  Result<void> read_hints(LinkTracker& tracker) override {
    for (const RouteMessage& message : std::exchange(waiting_, {})) tracker.note(message);
    return {};
  }
  Result<std::vector<FoundInterface>> read_interfaces() override {
    std::vector<FoundInterface> found;
    for (const auto& [index, interface] : interfaces_) found.push_back(interface);
    return found;
  }

 private:
  void happen(const OtherMessage&) {}
  void happen(const InterfaceAnnounced& told) {
    interfaces_.erase(told.index);
    if (told.departed) return;
    FoundInterface& interface = interfaces_[told.index];
    interface.link.index = told.index;
    interface.link.name = told.name;
  }
  void happen(const InterfaceInfo& told) {
    const auto interface = interfaces_.find(told.index);
    if (interface == interfaces_.end()) return;
    interface->second.link.up = (told.flags & kInterfaceUp) != 0;
    interface->second.link.multicast = (told.flags & kInterfaceMulticast) != 0;
    interface->second.last_change += told.link_state;
  }
  void happen(const AddressAnnounced& told) {
    const auto interface = interfaces_.find(told.index);
    if (interface == interfaces_.end() || !told.address) return;
    auto& addresses = interface->second.link.addresses;
    if (told.removed) {
      std::erase(addresses, *told.address);
    } else {
      addresses.push_back(*told.address);
    }
  }

  std::uint8_t truths_;
  std::map<IfIndex, FoundInterface> interfaces_;
  std::vector<RouteMessage> waiting_;
};

/// After a loss nothing but what is found counts.
void check_truth(LinkTracker& tracker, Host& host, Sink& sink) {
  require(tracker.follow(host, sink).value());
  tracker.note_loss();
  require(tracker.follow(host, sink).value());
  const auto found = host.read_interfaces().value();
  require(found.size() == sink.known().size());
  for (const FoundInterface& interface : found) {
    const Link& told = sink.known().at(interface.link.index);
    require(told.name == interface.link.name && told.up == interface.link.up &&
            told.usable() == interface.link.usable());
    for (const Address& address : interface.link.addresses) {
      require(std::ranges::binary_search(told.addresses, address));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Host host(data[0]);
  Sink sink;
  LinkTracker tracker;
  require(tracker.follow(host, sink).value());
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  while (!rest.empty()) {
    const auto message = take_route_message(rest);
    if (!message) {
      tracker.note_malformed(1);
      if (rest.size() % 2 == 0) tracker.recheck();
    } else if (std::holds_alternative<OtherMessage>(*message)) {
      require(tracker.follow(host, sink).value());
      if (rest.size() % 3 == 0) tracker.recheck();
    } else {
      host.add(*message);
    }
  }
  check_truth(tracker, host, sink);
  return 0;
}
