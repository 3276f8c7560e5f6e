// SPDX-License-Identifier: BSD-2-Clause
#include "platform/bsd/link_tracker.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mcast::platform {
namespace {

using Addresses = std::vector<Address>;

Addresses common(const Addresses& a, const Addresses& b) {
  Addresses both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  return both;
}

/// What is left of `before` on the way to `now`.
Link without_losses(const Link& before, const Link& now, bool was_down) {
  Link left = before;
  left.up = before.up && now.up && !was_down;
  left.multicast = before.multicast && now.multicast;
  left.addresses = common(before.addresses, now.addresses);
  return left;
}

bool is_equal(Link known, const Link& now) {
  known.incarnation = now.incarnation;
  return known == now;
}

}  // namespace

LinkTracker::Hints& LinkTracker::hints_of(IfIndex index) {
  ++noted_;
  return hints_[index.value];
}

void LinkTracker::note(const RouteMessage& message) {
  if (const auto* announced = std::get_if<InterfaceAnnounced>(&message)) {
    Hints& hints = hints_of(announced->index);
    hints.departed = announced->departed;
    hints.arrived = !announced->departed;
  } else if (const auto* info = std::get_if<InterfaceInfo>(&message)) {
    Hints& hints = hints_of(info->index);
    if ((info->flags & kInterfaceUp) == 0) hints.was_down = true;
  } else if (const auto* address = std::get_if<AddressAnnounced>(&message)) {
    hints_of(address->index);
  }
}

void LinkTracker::note_loss() {
  ++noted_;
  lost_ = true;
}

void LinkTracker::note_malformed(std::size_t messages) {
  if (messages == 0) return;
  malformed_ += messages;
  note_loss();
}

void LinkTracker::recheck() {
  recheck_ = true;
}

Result<bool> LinkTracker::follow(InterfaceReader& reader, LinkSink& sink) {
  TRY(reader.read_hints(*this));
  if (!in_doubt()) return true;
  for (int reads = 1;; ++reads) {
    auto found = TRY(reader.read_interfaces());
    const std::uint64_t before = noted_;
    const bool is_last = reads == kMaxReads;
    if (!is_last) TRY(reader.read_hints(*this));
    if (noted_ != before) continue;
    settle(std::move(found), sink);
    return !is_last;
  }
}

void LinkTracker::settle(std::vector<FoundInterface> list, LinkSink& sink) {
  Found found;
  for (FoundInterface& now : list) {
    if (now.link.index.value == 0) continue;
    auto& addresses = now.link.addresses;
    std::ranges::sort(addresses);
    addresses.erase(std::ranges::unique(addresses).begin(), addresses.end());
    now.link.incarnation = 0;
    const auto index = now.link.index.value;
    found.insert_or_assign(index, std::move(now));
  }
  tell_departures(sink);
  tell_losses(found, sink);
  if (!lost_) tell_gains(found, sink);
  if (lost_ || (recheck_ && !is_settled_as(found))) relearn(std::move(found), sink);
  hints_.clear();
  lost_ = recheck_ = false;
}

void LinkTracker::tell_departures(LinkSink& sink) {
  for (const auto& [index, hints] : hints_) {
    // An arrival of what is known means that its departure was lost.
    if (hints.announced() && known_.erase(index) != 0) sink.link_removed(IfIndex(index));
  }
}

void LinkTracker::tell_losses(const Found& found, LinkSink& sink) {
  for (const auto& [index, hints] : hints_) {
    const auto position = known_.find(index);
    if (position == known_.end()) continue;
    Known& known = position->second;
    const auto now = found.find(index);
    if (now == found.end()) {
      if (!lost_) begin_leaving(known, sink);
      continue;
    }
    // If it has another name its announcements are on their way.
    if (known.link.leaving || known.link.name != now->second.link.name) continue;
    Link left = without_losses(known.link, now->second.link, hints.was_down);
    if (left == known.link) continue;
    known.link = std::move(left);
    sink.link_changed(known.link);
  }
}

/// The kernel takes an interface from the list long before it drops its slots and tells of the
/// departure (net/if.c if_unlink_ifnet, if_detach_internal). Meanwhile the slots are neither to be
/// believed empty nor to be used; they had best be unbound by us, while there is something to
/// unbind.
void LinkTracker::begin_leaving(Known& known, LinkSink& sink) {
  if (known.link.leaving) return;
  known.link.leaving = true;
  known.link.up = false;
  sink.link_changed(known.link);
}

void LinkTracker::tell_gains(const Found& found, LinkSink& sink) {
  for (const auto& [index, hints] : hints_) {
    const auto position = found.find(index);
    // Seen before its arrival is told, it may be on its way to another name.
    if (position == found.end() || hints.departed) continue;
    const FoundInterface& now = position->second;
    const auto [place, is_new] = known_.try_emplace(index);
    Known& known = place->second;
    if (is_new) {
      known.link.incarnation = next_incarnation_++;
    } else if (known.link.leaving || known.link.name != now.link.name) {
      continue;
    }
    known.identity = now.identity;
    known.last_change = now.last_change;
    if (!is_new && is_equal(known.link, now.link)) continue;
    const auto incarnation = known.link.incarnation;
    known.link = now.link;
    known.link.incarnation = incarnation;
    sink.link_changed(known.link);
  }
}

bool LinkTracker::awaits_arrival(std::uint32_t index) const {
  const auto hints = hints_.find(index);
  return hints != hints_.end() && hints->second.departed;
}

/// Whether what is known is what was found, but for what events now on their way will tell.
bool LinkTracker::is_settled_as(const Found& found) const {
  for (const auto& [index, known] : known_) {
    if (!found.contains(index) && !(known.link.leaving && hints_.contains(index))) return false;
  }
  return std::ranges::all_of(found, [&](const auto& entry) {
    if (awaits_arrival(entry.first)) return true;
    const auto known = known_.find(entry.first);
    return known != known_.end() && known->second.identity == entry.second.identity &&
           is_equal(known->second.link, entry.second.link);
  });
}

bool LinkTracker::is_same(const Known& known, const FoundInterface& now) const {
  // An interface made anew within a second may differ in nothing else than this, which also a mere
  // change alters: with events lost the worse is to be assumed.
  if (lost_ && known.last_change != now.last_change) return false;
  return !known.link.leaving && known.link.name == now.link.name && known.identity == now.identity;
}

void LinkTracker::relearn(Found found, LinkSink& sink) {
  std::map<std::uint32_t, Known> anew;
  std::vector<Link> all;
  for (auto& [index, now] : found) {
    if (awaits_arrival(index)) continue;
    const auto known = known_.find(index);
    const bool same = known != known_.end() && is_same(known->second, now);
    now.link.incarnation = same ? known->second.link.incarnation : next_incarnation_++;
    all.push_back(now.link);
    anew.emplace(index, Known{std::move(now.link), std::move(now.identity), now.last_change});
  }
  known_ = std::move(anew);
  sink.links_relearned(all);
}

}  // namespace mcast::platform
