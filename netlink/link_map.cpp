// SPDX-License-Identifier: BSD-2-Clause
#include "netlink/link_map.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mcast::netlink {

void LinkMap::apply(LinkMessage message, platform::LinkSink& sink) {
  const auto position = links_.find(message.link.index.value);
  if (message.removed) {
    if (position != links_.end()) remove(position, sink);
    return;
  }
  if (position == links_.end()) {
    message.link.incarnation = next_incarnation_++;
    const IfIndex index = message.link.index;
    links_.emplace(index.value, Known{std::move(message.link), std::move(message.identity), {}});
    note_change(index, sink);
    return;
  }
  Known& known = position->second;
  message.link.incarnation = known.link.incarnation;
  message.link.addresses = known.link.addresses;
  known.identity = std::move(message.identity);
  // Most messages are about statistics, carrier or radio, which concern nobody here.
  if (message.link == known.link) return;
  if (message.link.up && loss_held_back_) flush(sink);
  const bool goes_down = known.link.up && !message.link.up;
  known.link = std::move(message.link);
  note_change(known.link.index, sink);
  if (goes_down) loss_held_back_ = true;
}

void LinkMap::apply(const AddressMessage& message, platform::LinkSink& sink) {
  const auto position = links_.find(message.link.value);
  if (position == links_.end()) return;
  Known& known = position->second;
  if (!message.removed && loss_held_back_) flush(sink);
  const auto before = known.link.addresses;
  note_address(known, message);
  list_addresses(known);
  if (known.link.addresses == before) return;
  note_change(message.link, sink);
  if (message.removed) loss_held_back_ = true;
}

void LinkMap::flush(platform::LinkSink& sink) {
  if (!held_back_) return;
  Known& known = links_.at(held_back_->value);
  held_back_.reset();
  loss_held_back_ = false;
  known.told = true;
  sink.link_changed(known.link);
}

void LinkMap::replace(Snapshot snapshot, platform::LinkSink& sink) {
  links_ = build(std::move(snapshot));
  held_back_.reset();
  loss_held_back_ = false;
  std::vector<Link> all;
  all.reserve(links_.size());
  for (auto& [index, known] : links_) {
    known.told = true;
    all.push_back(known.link);
  }
  sink.links_relearned(all);
}

void LinkMap::merge(Snapshot snapshot, platform::LinkSink& sink) {
  Links found = build(std::move(snapshot));
  std::set<std::string> names;
  for (const auto& [index, known] : found) names.insert(known.link.name);
  // A name has one bearer: another that had it is gone, or renamed, which the next dump will tell.
  for (auto position = links_.begin(); position != links_.end();) {
    const auto current = position++;
    if (!found.contains(current->first) && names.contains(current->second.link.name)) {
      remove(current, sink);
    }
  }
  for (auto& [index, known] : found) {
    Known& old = links_[index];
    if (old.link == known.link) {
      old.held = std::move(known.held);
      continue;
    }
    const bool recreated = old.told && old.link.incarnation != known.link.incarnation;
    if (recreated) sink.link_removed(known.link.index);
    old = std::move(known);
    note_change(old.link.index, sink);
  }
  flush(sink);
}

LinkMap::Links LinkMap::build(Snapshot snapshot) {
  Links built;
  for (auto& message : snapshot.links) {
    const auto before = links_.find(message.link.index.value);
    const bool same = before != links_.end() && before->second.identity == message.identity;
    message.link.incarnation = same ? before->second.link.incarnation : next_incarnation_++;
    const auto index = message.link.index.value;
    built.insert_or_assign(index, Known{std::move(message.link), std::move(message.identity), {}});
  }
  for (const auto& message : snapshot.addresses) {
    const auto position = built.find(message.link.value);
    if (position != built.end()) note_address(position->second, message);
  }
  for (auto& [index, known] : built) list_addresses(known);
  return built;
}

void LinkMap::note_address(Known& known, const AddressMessage& message) {
  const HeldAddress held{message.address, message.prefix_length};
  if (message.removed) {
    known.held.erase(held);
  } else {
    known.held.insert(held);
  }
}

void LinkMap::list_addresses(Known& known) {
  auto& list = known.link.addresses;
  list.clear();
  std::ranges::transform(known.held, std::back_inserter(list), &HeldAddress::address);
  list.erase(std::ranges::unique(list).begin(), list.end());
}

void LinkMap::note_change(IfIndex index, platform::LinkSink& sink) {
  if (held_back_ && *held_back_ != index) flush(sink);
  held_back_ = index;
}

void LinkMap::remove(Links::iterator position, platform::LinkSink& sink) {
  const IfIndex index = position->second.link.index;
  if (held_back_ == index) {
    held_back_.reset();
    loss_held_back_ = false;
  }
  flush(sink);
  const bool told = position->second.told;
  links_.erase(position);
  if (told) sink.link_removed(index);
}

}  // namespace mcast::netlink
