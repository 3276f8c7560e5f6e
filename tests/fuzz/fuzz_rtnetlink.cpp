// SPDX-License-Identifier: BSD-2-Clause
//
// A datagram of rtnetlink, decoded and followed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>
#include <vector>

#include "netlink/link_codec.hpp"
#include "netlink/link_map.hpp"
#include "netlink/multicast_rule_codec.hpp"

using namespace mcast;

namespace {

/// Checks that what is told makes sense in this order.
class Sink final : public platform::LinkSink {
 public:
  void link_changed(const Link& link) override {
    if (link.index == IfIndex()) std::abort();
    known_.insert(link.index);
  }
  void link_removed(IfIndex index) override {
    if (known_.erase(index) == 0) std::abort();
  }
  void links_relearned(std::span<const Link> links) override {
    known_.clear();
    for (const auto& link : links) known_.insert(link.index);
  }

 private:
  std::set<IfIndex> known_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy is aligned as the kernel's datagrams are.
  const std::vector<std::uint8_t> datagram(data, data + size);
  Sink sink;
  netlink::LinkMap links;
  netlink::LinkMap::Snapshot snapshot;
  netlink::for_each_message(datagram, [&](const nlmsghdr& message) {
    const auto rules = netlink::decode_multicast_rule(message);
    if (!rules.empty() && !netlink::is_multicast_rule(message)) std::abort();
    if (auto link = netlink::decode_link(message)) {
      snapshot.links.push_back(*link);
      links.apply(*std::move(link), sink);
    } else if (const auto address = netlink::decode_address(message)) {
      snapshot.addresses.push_back(*address);
      links.apply(*address, sink);
    }
  });
  links.merge(snapshot, sink);
  links.replace(snapshot, sink);
  links.flush(sink);
  return 0;
}
