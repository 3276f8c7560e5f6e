// SPDX-License-Identifier: BSD-2-Clause
// What the fake kernel does with packets.
#include <fmt/format.h>

#include <algorithm>

#include "tests/fake/fake_kernel.hpp"

namespace mcast::testing {

namespace {

/// ipmr.c, ip6mr.c; FreeBSD's releases queue three to five.
constexpr std::size_t kUnresolvedPackets = 4;
/// linux/mroute.h: MFC_ASSERT_THRESH, between two reports of a wrong interface for one entry;
/// FreeBSD's ip_mroute.c: pim_assert_interval. For FreeBSD's IPv6 the port limits them.
constexpr Milliseconds kReportInterval = 3'000;

}  // namespace

std::optional<VifIndex> FakeKernel::arrival_slot(const Table& table, TableKey key,
                                                 Device from) const {
  std::optional<VifIndex> arrived;
  for (std::size_t i = 0; i < kMaxSlots; ++i) {
    if (!table.vifs[i] || table.vifs[i]->device != from) continue;
    if (!arrived || !habits_of(key).lowest_slot_first) arrived = slot_number(i);
  }
  return arrived;
}

/// The entry of the flow itself, otherwise of those for any source the first that lists the arrival
/// slot, be that as its parent or as an output.
template <class SomeTable>
auto* FakeKernel::lookup(SomeTable& table, const FlowKey& flow, std::optional<VifIndex> arrived) {
  const auto exact = table.entries.find(flow);
  auto* found = exact == table.entries.end() ? nullptr : &exact->second;
  const auto list = table.any_source.find(flow.group);
  if (found != nullptr || list == table.any_source.end() || !arrived) return found;
  const auto any = std::ranges::find_if(
      list->second, [&](const Entry& entry) { return entry.ttls[arrived->value] != 0; });
  return any == list->second.end() ? nullptr : &*any;
}

Devices FakeKernel::targets(const Table& table, TableKey key, const Entry& entry, bool any_source,
                            std::optional<VifIndex> arrived, Device from, unsigned ttl) const {
  Devices devices;
  const auto& parent = table.vifs[entry.parent.value];
  if (!parent || parent->device != from) return devices;
  for (std::size_t i = 0; i < kMaxSlots; ++i) {
    if (entry.ttls[i] == 0 || !table.vifs[i]) continue;
    if (any_source && arrived && arrived->value == i) continue;
    const unsigned needed = traits_of(key).ttl_thresholds ? entry.ttls[i] : 1;
    if (ttl <= needed || find_device(table.vifs[i]->device) == nullptr) continue;
    devices.push_back(table.vifs[i]->device);
  }
  std::ranges::sort(devices);
  const auto repeated = std::ranges::unique(devices);
  devices.erase(repeated.begin(), repeated.end());
  return devices;
}

Devices FakeKernel::outputs(TableKey table, Device from, const FlowKey& flow, unsigned ttl) const {
  const auto position = tables_.find(table);
  if (position == tables_.end() || find_device(from) == nullptr) return {};
  const Table& state = position->second;
  const auto arrived = arrival_slot(state, table, from);
  const Entry* entry = lookup(state, flow, arrived);
  if (entry == nullptr) return {};
  return targets(state, table, *entry, !state.entries.contains(flow), arrived, from, ttl);
}

void FakeKernel::send(Device from, const FlowKey& flow, unsigned ttl, std::size_t bytes) {
  const TableKey key = table_for(from, flow.family());
  const auto position = tables_.find(key);
  if (position == tables_.end() || find_device(from) == nullptr) return;
  Table& table = position->second;
  const auto arrived = arrival_slot(table, key, from);
  const Packet packet{from, ttl, bytes};
  if (Entry* found = lookup(table, flow, arrived)) return forward(table, key, *found, flow, packet);
  if (!arrived && !habits_of(key).asks_without_slot) return;
  const auto [queue, is_new] = table.unresolved.try_emplace(flow);
  if (is_new) {
    queue->second.since = now_;
    const VifIndex number = arrived.value_or(slot_number(slots_in_use(table)));
    table.upcalls.push_back({Upcall::Kind::no_cache, key, flow, number});
  }
  if (queue->second.packets.size() < kUnresolvedPackets) queue->second.packets.push_back(packet);
}

void FakeKernel::forward(Table& table, TableKey key, Entry& entry, const FlowKey& flow,
                         const Packet& packet) {
  const Habits& habits = habits_of(key);
  const auto arrived = arrival_slot(table, key, packet.from);
  const auto& parent = table.vifs[entry.parent.value];
  const bool is_expected = parent && parent->device == packet.from;
  if (is_expected || habits.counts_wrong_packets) {
    entry.counters.packets += 1;
    entry.counters.bytes += packet.bytes;
  }
  if (!is_expected) {
    entry.counters.wrong_interface += 1;
    const bool silent = entry.reported_at && now_ - *entry.reported_at < kReportInterval;
    const bool reports =
        (arrived || habits.asks_without_slot) && !silent && (parent || !habits.reports_need_parent);
    if (reports) {
      entry.reported_at = now_;
      const VifIndex number = arrived.value_or(slot_number(slots_in_use(table)));
      table.upcalls.push_back({Upcall::Kind::wrong_vif, key, flow, number});
    }
    return;
  }
  check_sends(table, key, entry, packet.ttl);
  for (const Device device : targets(table, key, entry, !table.entries.contains(flow), arrived,
                                     packet.from, packet.ttl)) {
    if (find_device(device)->link.up) deliveries_.push_back({device, flow});
  }
}

void FakeKernel::check_sends(const Table& table, TableKey key, const Entry& entry, unsigned ttl) {
  if (traits_of(key).unbound_output != UnboundOutput::fatal || ttl <= 1) return;
  const std::size_t in_use = slots_in_use(table);
  for (std::size_t i = 0; i < in_use; ++i) {
    if (entry.ttls[i] == 0) continue;
    if (!table.vifs[i])
      accident(fmt::format("a packet was sent out of slot {}, which has no interface", i));
    if (table.vifs[i] && is_gone(*table.vifs[i])) {
      accident(fmt::format("a packet was sent out of slot {}, whose interface is gone", i));
    }
  }
}

void FakeKernel::advance(Milliseconds by) {
  now_ += by;
  for (auto& [key, table] : tables_) {
    const Milliseconds life = habits_of(key).unresolved_life;
    std::erase_if(table.unresolved,
                  [&](const auto& waiting) { return now_ - waiting.second.since >= life; });
  }
}

}  // namespace mcast::testing
