// SPDX-License-Identifier: BSD-2-Clause
#include "tests/fake/fake_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mcast::testing {

Result<platform::TableSocket> FakeKernel::open_table(TableKey table) {
  if (table.id.value > traits_of(table).max_table) {
    return fail(ErrorCode::invalid_argument, "table id out of range");
  }
  if (foreign_.contains(table) || handed_out_.contains(table)) {
    return fail(ErrorCode::table_in_use,
                fmt::format("{} table {} is in use", to_string(table.family), table.id.value));
  }
  handed_out_.insert(table);
  created_.insert(table);
  return platform::TableSocket{table, {}};
}

Result<void> FakeKernel::adopt_table(platform::TableSocket socket) {
  if (!handed_out_.contains(socket.table)) {
    return fail(ErrorCode::internal, "a table that no keeper opened");
  }
  tables_.try_emplace(socket.table);
  return {};
}

void FakeKernel::close_table(TableKey table) {
  tables_.erase(table);
  handed_out_.erase(table);
}

Result<void> FakeKernel::apply(const Op& op) {
  ++changes_;
  if (const auto fault = faults_.find(changes_); fault != faults_.end()) {
    const ErrorCode code = fault->second;
    faults_.erase(fault);
    return fail(code, "injected fault");
  }
  return std::visit([this](const auto& step) { return carry_out(step); }, op);
}

Result<FakeKernel::Table*> FakeKernel::table_of(TableKey key) {
  const auto position = tables_.find(key);
  if (position == tables_.end()) return fail(ErrorCode::internal, "the table is not open");
  return &position->second;
}

Result<void> FakeKernel::carry_out(const PutMfc& op) {
  Table& table = *TRY(table_of(op.table));
  if (op.flow.family() != op.table.family || op.flow.source.family() != op.table.family) {
    violation("an entry of another family than its table: " + op.flow.to_string());
    return fail(ErrorCode::invalid_argument, "family");
  }
  if (!op.flow.group.is_multicast()) {
    return fail(ErrorCode::invalid_argument, "not a multicast group");
  }
  if (op.shape.parent.value >= traits_of(op.table).slots) {
    return fail(ErrorCode::no_slots, "the parent is beyond the last slot");
  }
  TRY(check_outputs(table, op));
  bool is_new = false;
  Entry& entry = *TRY(entry_to_put(table, op, is_new));
  entry.parent = op.shape.parent;
  write_outputs(table, op.table, op.shape, entry);
  // Only a new entry takes over the packets that wait for it: a second NOCACHE for an entry that is
  // there already is not served by an update (ipmr_mfc_add).
  if (!is_new) return {};
  const auto waiting = table.unresolved.find(op.flow);
  if (waiting == table.unresolved.end()) return {};
  const Unresolved queue = std::move(waiting->second);
  table.unresolved.erase(waiting);
  for (const Packet& packet : queue.packets) forward(table, op.table, entry, op.flow, packet);
  return {};
}

/// Of entries for any source there is one for each parent (MRT_ADD_MFC_PROXY); a new one comes
/// first, an update stays where it is.
Result<FakeKernel::Entry*> FakeKernel::entry_to_put(Table& table, const PutMfc& op, bool& is_new) {
  if (!op.flow.source.is_unspecified()) {
    const auto [position, fresh] = table.entries.try_emplace(op.flow);
    is_new = fresh;
    return &position->second;
  }
  if (!traits_of(op.table).native_any_source) {
    violation("an entry for any source: " + to_string(Op(op)));
    return fail(ErrorCode::invalid_argument, "no entries for any source");
  }
  auto& list = table.any_source[op.flow.group];
  const auto known = std::ranges::find(list, op.shape.parent, &Entry::parent);
  is_new = known == list.end();
  return is_new ? &list.emplace_front() : &*known;
}

void FakeKernel::write_outputs(const Table& table, TableKey key, const MfcShape& shape,
                               Entry& entry) const {
  const FamilyTraits& traits = traits_of(key);
  const std::size_t in_use = slots_in_use(table);
  for (std::size_t i = 0; i < kMaxSlots; ++i) {
    if (!traits.update_clears_outputs && i >= in_use) continue;
    const bool kept = table.vifs[i] || traits.unbound_output != UnboundOutput::skipped;
    entry.ttls[i] = kept ? shape.ttls[i] : 0;
  }
}

std::size_t FakeKernel::slots_in_use(const Table& table) {
  std::size_t in_use = kMaxSlots;
  while (in_use > 0 && !table.vifs[in_use - 1]) --in_use;
  return in_use;
}

/// Where the kernel uses the interface of an output without looking, there has to be one: the port
/// refuses others. That it is gone is known to the program once it has read of it.
Result<void> FakeKernel::check_outputs(const Table& table, const PutMfc& op) {
  if (traits_of(op.table).unbound_output != UnboundOutput::fatal) return {};
  for (std::size_t i = 0; i < kMaxSlots; ++i) {
    if (op.shape.ttls[i] == 0) continue;
    if (!table.vifs[i]) {
      violation("an output without an interface: " + to_string(Op(op)));
      return fail(ErrorCode::invalid_argument, "an output has no slot");
    }
    if (!is_gone(*table.vifs[i])) continue;
    auto what = "an output to an interface that is gone: " + to_string(Op(op));
    events_wait() ? accident(std::move(what)) : violation(std::move(what));
  }
  return {};
}

/// The next packet of such an entry would be the end.
void FakeKernel::check_mentions(const Table& table, const UnbindVif& op) {
  if (traits_of(op.table).unbound_output != UnboundOutput::fatal) return;
  for (const auto& [flow, entry] : table.entries) {
    if (entry.ttls[op.slot.value] == 0) continue;
    violation(fmt::format("{} while {} lists it", to_string(Op(op)), flow.to_string()));
  }
}

Result<void> FakeKernel::carry_out(const DropMfc& op) {
  Table& table = *TRY(table_of(op.table));
  table.entries.erase(op.flow);
  const auto list = table.any_source.find(op.flow.group);
  if (!op.flow.source.is_unspecified() || list == table.any_source.end()) return {};
  std::erase_if(list->second, [&](const Entry& entry) { return entry.parent == op.parent; });
  if (list->second.empty()) table.any_source.erase(list);
  return {};
}

Result<void> FakeKernel::carry_out(const BindVif& op) {
  Table& table = *TRY(table_of(op.table));
  const FamilyTraits& traits = traits_of(op.table);
  if (op.slot.value >= traits.slots) return fail(ErrorCode::no_slots, "beyond the last slot");
  const IfIndex index = TRY(interface_to_bind(op));
  if (table.vifs[op.slot.value]) {
    if (!traits.rebind_is_safe) violation("a used slot was bound again: " + to_string(Op(op)));
    return fail(ErrorCode::already_exists, "the slot is in use");
  }
  table.vifs[op.slot.value] = Vif{links_.at(index).device};
  return {};
}

Result<IfIndex> FakeKernel::interface_to_bind(const BindVif& op) {
  const FamilyTraits& traits = traits_of(op.table);
  if (op.link.value > traits.max_ifindex) {
    violation("the interface index does not fit: " + to_string(Op(op)));
    return fail(ErrorCode::invalid_argument, "interface index too large");
  }
  const bool by_address = traits.bind_needs_address;
  if (by_address && !op.address) return fail(ErrorCode::no_such_interface, "it has no address");
  const IfIndex index = by_address ? TRY(holder_of(*op.address, op)) : op.link;
  const auto present = links_.find(index);
  if (present == links_.end()) return fail(ErrorCode::no_such_interface, "no such interface");
  const bool is_of_table =
      traits_.table_choice != TableChoice::interface || present->second.link.fib == op.table.id;
  if (!is_of_table) return fail(ErrorCode::no_such_interface, "an interface of another table");
  return index;
}

/// Whose address it is (ifa_ifwithaddr). Of several holders the kernel chooses one, and here always
/// the one that is not meant.
Result<IfIndex> FakeKernel::holder_of(const Address& address, const BindVif& op) const {
  std::optional<IfIndex> holder;
  for (const auto& [index, present] : links_) {
    if (std::ranges::count(present.link.addresses, address) == 0) continue;
    if (!holder || *holder == op.link) holder = index;
  }
  if (!holder) return fail(ErrorCode::no_such_interface, "no interface has the address");
  return *holder;
}

Result<void> FakeKernel::carry_out(const UnbindVif& op) {
  Table& table = *TRY(table_of(op.table));
  if (op.slot.value >= traits_of(op.table).slots) {
    return fail(ErrorCode::not_found, "beyond the last slot");
  }
  check_mentions(table, op);
  const auto& vif = table.vifs[op.slot.value];
  if (vif && is_gone(*vif)) accident("an interface that is gone is used: " + to_string(Op(op)));
  table.vifs[op.slot.value].reset();
  return {};
}

Result<void> FakeKernel::carry_out(const JoinGroup& op) {
  const auto present = links_.find(op.link);
  if (present == links_.end()) return fail(ErrorCode::no_such_interface, "no such interface");
  // Where records of interfaces that are gone stay on sockets, one keeps a new join of the same
  // index from having an effect, until it is left (ip_mc_join_group: EADDRINUSE).
  if (joins_.contains(op)) return {};
  const auto sources = std::ranges::count_if(joins_, [&](const auto& join) {
    return join.first.source && join.first.link == op.link && join.first.group == op.group;
  });
  const std::size_t limit = traits_.max_sources_per_group;
  if (op.source && limit != 0 && static_cast<std::size_t>(sources) >= limit) {
    violation("more sources than the kernel survives: " + to_string(Op(op)));
    return fail(ErrorCode::limit_reached, "too many sources of the group");
  }
  joins_.emplace(op, present->second.device);
  return {};
}

Result<void> FakeKernel::carry_out(const LeaveGroup& op) {
  joins_.erase(JoinGroup{op.link, op.source, op.group});
  return {};
}

void FakeKernel::forget_joins(Device device) {
  if (link_habits_.departure_leaves_groups) {
    std::erase_if(joins_, [&](const auto& join) { return join.second == device; });
    return;
  }
  for (auto& [join, holder] : joins_) {
    if (holder == device) holder = Device();
  }
}

Result<bool> FakeKernel::slot_is_bound(TableKey table, VifIndex slot) {
  const Table& state = *TRY(table_of(table));
  return state.vifs.at(slot.value).has_value();
}

Result<FlowCounters> FakeKernel::counters(TableKey table, const FlowKey& flow) {
  const Table& state = *TRY(table_of(table));
  if (flow.source.is_unspecified()) {
    // Only the first of the list can be asked about (ipmr_cache_find).
    const auto list = state.any_source.find(flow.group);
    if (list == state.any_source.end()) return fail(ErrorCode::not_found, "no such entry");
    return list->second.front().counters;
  }
  const auto entry = state.entries.find(flow);
  if (entry == state.entries.end()) return fail(ErrorCode::not_found, "no such entry");
  return entry->second.counters;
}

Result<std::size_t> FakeKernel::read_upcalls(TableKey table, std::size_t limit,
                                             platform::UpcallSink& sink) {
  Table& state = *TRY(table_of(table));
  std::size_t count = 0;
  for (; count < limit && !state.upcalls.empty(); ++count) {
    const Upcall upcall = state.upcalls.front();
    state.upcalls.pop_front();
    ++state.upcall_counts.read;
    sink.upcall(upcall);
  }
  return count;
}

Result<platform::UpcallCounts> FakeKernel::upcall_counts(TableKey table) const {
  const auto state = tables_.find(table);
  if (state == tables_.end()) return fail(ErrorCode::internal, "the table is not open");
  return state->second.upcall_counts;
}

void FakeKernel::lose_upcalls(TableKey table) {
  Table& state = tables_.at(table);
  state.upcall_counts.lost += state.upcalls.size();
  for (const Upcall& upcall : std::exchange(state.upcalls, {})) {
    if (upcall.kind == Upcall::Kind::no_cache) state.unresolved.erase(upcall.flow);
  }
}

std::vector<FlowKey> FakeKernel::unanswered(TableKey table) const {
  std::vector<FlowKey> flows;
  const Table& state = tables_.at(table);
  for (const auto& [flow, waiting] : state.unresolved) {
    const bool unread = std::ranges::any_of(
        state.upcalls, [&](const Upcall& upcall) { return upcall.flow == flow; });
    if (!unread) flows.push_back(flow);
  }
  return flows;
}

std::vector<TableKey> FakeKernel::open_tables() const {
  std::vector<TableKey> keys;
  for (const auto& [key, table] : tables_) keys.push_back(key);
  return keys;
}

const std::unordered_map<FlowKey, FakeKernel::Entry>& FakeKernel::entries(TableKey table) const {
  return tables_.at(table).entries;
}

std::vector<FakeKernel::Entry> FakeKernel::any_source_entries(TableKey table,
                                                              const Address& group) const {
  const auto& lists = tables_.at(table).any_source;
  const auto list = lists.find(group);
  if (list == lists.end()) return {};
  return {list->second.begin(), list->second.end()};
}

std::size_t FakeKernel::entry_count(TableKey table) const {
  std::size_t count = tables_.at(table).entries.size();
  for (const auto& [group, list] : tables_.at(table).any_source) count += list.size();
  return count;
}

std::optional<Device> FakeKernel::slot(TableKey table, VifIndex slot) const {
  const auto& vif = tables_.at(table).vifs.at(slot.value);
  return vif ? std::optional(vif->device) : std::nullopt;
}

std::size_t FakeKernel::slots_bound(TableKey table) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      tables_.at(table).vifs, [](const auto& vif) { return vif.has_value(); }));
}

std::set<FakeKernel::Membership> FakeKernel::memberships() const {
  std::set<Membership> effective;
  for (const auto& [join, device] : joins_) {
    if (find_device(device) != nullptr) effective.insert({device, join.source, join.group});
  }
  return effective;
}

}  // namespace mcast::testing
