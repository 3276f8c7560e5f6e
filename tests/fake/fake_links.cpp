// SPDX-License-Identifier: BSD-2-Clause
// The interfaces of the fake kernel and their events.
#include <algorithm>
#include <random>
#include <utility>

#include "tests/fake/fake_kernel.hpp"

namespace mcast::testing {

Device FakeKernel::add_link(Link link) {
  if (link.index.value == 0) link.index = IfIndex(next_index_);
  next_index_ = std::max(next_index_, link.index.value + 1);
  const Device device(next_device_++);
  if (link.incarnation == 0) link.incarnation = device.value;
  std::ranges::sort(link.addresses);
  events_.emplace_back(link);
  const IfIndex index = link.index;
  links_.insert_or_assign(index, Present{std::move(link), device});
  return device;
}

void FakeKernel::remove_link(IfIndex index) {
  const auto position = links_.find(index);
  if (position == links_.end()) return;
  // The kernel first takes the interface down and says so.
  position->second.link.up = false;
  events_.emplace_back(position->second.link);
  events_.emplace_back(index);
  depart(position->second.device, false);
  links_.erase(position);
}

void FakeKernel::lend_link(IfIndex index) {
  Present lent = links_.at(index);
  remove_link(index);
  lent.link.up = false;
  lent.link.addresses.clear();
  lent_.insert_or_assign(lent.device, std::move(lent.link));
}

void FakeKernel::return_link(Device device) {
  auto lent = lent_.extract(device);
  Link& link = lent.mapped();
  if (link_habits_.rename_is_two_events) link.incarnation = ++next_incarnation_;
  events_.emplace_back(link);
  links_.insert_or_assign(link.index, Present{std::move(link), device});
}

void FakeKernel::rename_link(IfIndex index, const std::string& name) {
  Present& present = links_.at(index);
  present.link.name = name;
  if (link_habits_.rename_is_two_events) {
    events_.emplace_back(index);
    present.link.incarnation = ++next_incarnation_;
  }
  events_.emplace_back(present.link);
  depart(present.device, true);
}

void FakeKernel::change_link(IfIndex index, const std::function<void(Link&)>& edit) {
  Present& present = links_.at(index);
  edit(present.link);
  std::ranges::sort(present.link.addresses);
  events_.emplace_back(present.link);
}

void FakeKernel::depart(Device device, bool renamed) {
  if (!renamed) forget_joins(device);
  for (auto& [key, table] : tables_) {
    const FamilyTraits& traits = traits_of(key);
    if (renamed ? !traits.rename_is_departure : !traits.departure_unbinds) continue;
    for (std::size_t i = 0; i < kMaxSlots; ++i) {
      if (table.vifs[i] && table.vifs[i]->device == device) forget_slot(table, traits, i);
    }
  }
}

void FakeKernel::forget_slot(Table& table, const FamilyTraits& traits, std::size_t place) {
  table.vifs[place].reset();
  // Entries that are left go on naming it, and revive with it.
  if (!traits.departure_drops_entries) return;
  std::erase_if(table.entries,
                [&](const auto& entry) { return entry.second.parent.value == place; });
}

const FakeKernel::Present* FakeKernel::find_link(std::string_view name) const {
  for (const auto& [index, present] : links_) {
    if (present.link.name == name) return &present;
  }
  return nullptr;
}

const FakeKernel::Present* FakeKernel::find_device(Device device) const {
  for (const auto& [index, present] : links_) {
    if (present.device == device) return &present;
  }
  return nullptr;
}

void FakeKernel::lose_events() {
  if (events_.empty()) return;
  events_.clear();
  overflowed_ = true;
}

void FakeKernel::deliver_some(platform::LinkSink& sink, std::size_t count) {
  for (; count > 0 && !events_.empty(); --count) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    if (const auto* link = std::get_if<Link>(&event)) {
      sink.link_changed(*link);
    } else {
      sink.link_removed(std::get<IfIndex>(event));
    }
  }
}

void FakeKernel::disorder_events(std::uint32_t seed) {
  std::map<IfIndex, std::deque<Event>> queues;
  for (Event& event : events_) {
    const auto* link = std::get_if<Link>(&event);
    const IfIndex index = link != nullptr ? link->index : std::get<IfIndex>(event);
    queues[index].push_back(std::move(event));
  }
  events_.clear();
  std::minstd_rand random(seed);
  while (!queues.empty()) {
    auto queue = std::next(queues.begin(), static_cast<std::ptrdiff_t>(random() % queues.size()));
    events_.push_back(queue->second.front());
    if (random() % 4 == 0) events_.push_back(queue->second.front());
    queue->second.pop_front();
    if (queue->second.empty()) queues.erase(queue);
  }
}

Result<void> FakeKernel::start(platform::LinkSink& sink) {
  overflowed_ = true;
  return read(sink);
}

Result<void> FakeKernel::read(platform::LinkSink& sink) {
  if (std::exchange(overflowed_, false)) {
    events_.clear();
    std::vector<Link> all;
    for (const auto& [index, present] : links_) all.push_back(present.link);
    sink.links_relearned(all);
  }
  deliver_some(sink, events_.size());
  return {};
}

}  // namespace mcast::testing
