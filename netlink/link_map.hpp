// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/link.hpp"
#include "netlink/link_codec.hpp"
#include "platform/ports.hpp"

namespace mcast::netlink {

/// What is known of interfaces, put together from link and address messages, and passed on when it
/// changes. Changes to one interface in a row are told as one, but what it lost is told before what
/// it gained: down and up again in one batch is an interruption that somebody may have to make
/// good.
class LinkMap {
 public:
  /// What a dump found.
  struct Snapshot {
    std::vector<LinkMessage> links;
    std::vector<AddressMessage> addresses;
    /// The kernel's lists changed meanwhile: something may be missing.
    bool interrupted = false;
  };

  void apply(LinkMessage message, platform::LinkSink& sink);
  void apply(const AddressMessage& message, platform::LinkSink& sink);
  /// Tells the sink a change that has been held back.
  void flush(platform::LinkSink& sink);

  /// Makes the snapshot the truth and tells everything.
  void replace(Snapshot snapshot, platform::LinkSink& sink);
  /// Takes over what an interrupted snapshot has; what it lacks may still exist and stays.
  void merge(Snapshot snapshot, platform::LinkSink& sink);

 private:
  struct HeldAddress {
    Address address;
    std::uint8_t prefix_length = 0;
    auto operator<=>(const HeldAddress&) const = default;
  };
  struct Known {
    Link link;
    std::string identity;
    std::set<HeldAddress> held;
    bool told = false;
  };
  using Links = std::map<std::uint32_t, Known>;

  [[nodiscard]] Links build(Snapshot snapshot);
  static void note_address(Known& known, const AddressMessage& message);
  static void list_addresses(Known& known);
  void note_change(IfIndex index, platform::LinkSink& sink);
  void remove(Links::iterator position, platform::LinkSink& sink);

  Links links_;
  std::optional<IfIndex> held_back_;
  bool loss_held_back_ = false;  ///< it went down, or lost an address
  std::uint64_t next_incarnation_ = 1;
};

}  // namespace mcast::netlink
