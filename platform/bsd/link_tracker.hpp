// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/link.hpp"
#include "core/result.hpp"
#include "platform/bsd/route_codec.hpp"
#include "platform/ports.hpp"

namespace mcast::platform {

/// An interface as the system lists it.
struct FoundInterface {
  Link link;  ///< its incarnation is not known
  /// Link-layer address and time of attachment, as opaque bytes.
  std::string identity;
  /// When it was last administered, as an opaque number.
  std::uint64_t last_change = 0;
};

class LinkTracker;

/// What the tracker asks of the system.
class InterfaceReader {
 public:
  virtual ~InterfaceReader() = default;
  /// Notes at the tracker what waits on the routing sockets.
  virtual Result<void> read_hints(LinkTracker& tracker) = 0;
  /// All interfaces as they are now.
  virtual Result<std::vector<FoundInterface>> read_interfaces() = 0;
};

/// What is known of interfaces where events are no more than hints: `ifconfig down` tells that
/// addresses are removed, which stay, and of what follows each other fast only the end can be seen.
/// So what hints concern is read anew. The one thing believed is that an interface has arrived or
/// departed, since the kernel drops its slots then, and nothing else shows that: a rename, a move
/// to another vnet and back, and an interface in place of another all may look as before.
///
/// What was lost is told before what was gained: an interface that was down meanwhile, and one
/// address in place of another, are told as an interruption. That an address went and came back is
/// not seen.
class LinkTracker {
 public:
  void note(const RouteMessage& message);
  /// Messages were lost: everything has to be learned anew.
  void note_loss();
  /// Messages were malformed, and what they told is lost.
  void note_malformed(std::size_t messages);
  /// Asks for a look at everything: the kernel also loses messages without saying so.
  void recheck();

  /// Reads what waits and, if it concerns interfaces, all of them, once for everything that waits
  /// (getifaddrs(3) knows no less), and again for what came meanwhile: a list that is ahead of the
  /// events would have them happen twice. False: more came than `kMaxReads` could cope with, so it
  /// should go on soon.
  Result<bool> follow(InterfaceReader& reader, LinkSink& sink);

  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }

  static constexpr int kMaxReads = 3;

 private:
  struct Hints {
    bool arrived = false;   ///< the last announcement was an arrival
    bool departed = false;  ///< the last announcement was a departure
    bool was_down = false;
    [[nodiscard]] bool announced() const { return arrived || departed; }
  };
  struct Known {
    Link link;
    std::string identity;
    std::uint64_t last_change = 0;
  };
  using Found = std::map<std::uint32_t, FoundInterface>;

  [[nodiscard]] bool in_doubt() const { return lost_ || recheck_ || !hints_.empty(); }
  Hints& hints_of(IfIndex index);
  void settle(std::vector<FoundInterface> found, LinkSink& sink);
  void tell_departures(LinkSink& sink);
  void tell_losses(const Found& found, LinkSink& sink);
  void tell_gains(const Found& found, LinkSink& sink);
  static void begin_leaving(Known& known, LinkSink& sink);
  [[nodiscard]] bool is_settled_as(const Found& found) const;
  void relearn(Found found, LinkSink& sink);
  [[nodiscard]] bool is_same(const Known& known, const FoundInterface& now) const;
  [[nodiscard]] bool awaits_arrival(std::uint32_t index) const;

  std::map<std::uint32_t, Known> known_;
  std::map<std::uint32_t, Hints> hints_;
  bool lost_ = true;  ///< nothing is known at first
  bool recheck_ = false;
  std::uint64_t noted_ = 0;
  std::uint64_t malformed_ = 0;
  std::uint64_t next_incarnation_ = 1;
};

}  // namespace mcast::platform
