// SPDX-License-Identifier: BSD-2-Clause
// Groups whose rules are native: what entries for any source, (*,G), they have, and what becomes of
// flows meanwhile. LINUX: net/ipv4/ipmr_base.c, mr_mfc_find_any; net/ipv4/ipmr.c, ip_mr_forward.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/native_order.hpp"
#include "core/table.hpp"

namespace mcast {

// --- Which rules concern a group -----------------------------------------------------------------

std::uint32_t Table::native_group(const Address& group) const {
  const auto position = native_ids_.find(group);
  return position == native_ids_.end() ? kNone : position->second;
}

std::uint32_t Table::make_native_group(const Address& group) {
  const auto [position, is_new] =
      native_ids_.try_emplace(group, static_cast<std::uint32_t>(native_groups_.size()));
  if (!is_new) return position->second;
  if (native_free_.empty()) {
    native_groups_.emplace_back();
  } else {
    position->second = native_free_.back();
    native_free_.pop_back();
  }
  NativeGroup& made = native_groups_[position->second];
  made = NativeGroup{};
  made.group = group;
  made.in_use = true;
  return position->second;
}

/// Rules of the template came or went: every group that it covers may be treated otherwise.
void Table::native_rules_changed(const Rule& rule, int more) {
  if (rule.native) {
    NativeGroup& group = native_groups_[make_native_group(rule.group.address())];
    group.rules = static_cast<std::uint32_t>(static_cast<int>(group.rules) + more);
  }
  if (replacing_rules_) return;
  for (auto it = native_ids_.lower_bound(rule.group.address());
       it != native_ids_.end() && rule.group.contains(it->first); ++it) {
    unclassified_.insert(it->second);
  }
}

NativeRules Table::native_rules(const Address& group) const {
  NativeRules rules;
  for (auto lengths = template_lengths_.begin(); lengths != template_lengths_.end();) {
    const unsigned length = lengths->first.first;
    const Prefix prefix(group, length);
    for (auto it = templates_.lower_bound({prefix, Prefix::any(key_.family)});
         it != templates_.end() && it->first.first == prefix; ++it) {
      for (std::uint32_t id = it->second; id != kNone; id = rules_[id].next) {
        const Rule& rule = rules_[id];
        auto& paths = !prefix.is_host()       ? rules.wider
                      : !rule.source.is_any() ? rules.narrower
                      : rule.native           ? rules.native
                                              : rules.learned;
        paths.push_back(rule.path);
      }
    }
    while (lengths != template_lengths_.end() && lengths->first.first == length) ++lengths;
  }
  for (auto* paths : {&rules.native, &rules.learned, &rules.narrower, &rules.wider}) {
    *paths = distinct(std::move(*paths));
  }
  return rules;
}

void Table::classify_native_groups() {
  for (const std::uint32_t id : std::exchange(unclassified_, {})) {
    NativeGroup& group = native_groups_[id];
    if (!group.in_use) continue;
    std::uint32_t form = kNone;
    if (group.rules != 0) form = acquire_native_form(native_rules(group.group));
    const std::uint32_t old = std::exchange(group.form, form);
    if (old != kNone) {
      if (old != form) native_forms_[old].groups.erase(id);
      release_native_form(old);
    }
    if (old == form) continue;
    if (form != kNone) native_forms_[form].groups.insert(id);
    mark_native_dirty(id);
  }
}

std::uint32_t Table::acquire_native_form(const NativeRules& rules) {
  const std::uint32_t id = native_rules_.acquire(rules);
  if (native_forms_.size() < native_rules_.bound()) native_forms_.resize(native_rules_.bound());
  if (native_rules_.references(id) == 1) {
    for (const auto* paths : {&rules.native, &rules.learned, &rules.narrower, &rules.wider}) {
      for (const std::uint32_t path : *paths) rules_.paths.add_reference(path);
    }
    resolve_needed_ = true;
  }
  return id;
}

void Table::release_native_form(std::uint32_t id) {
  if (native_rules_.references(id) > 1) {
    native_rules_.release(id);
    return;
  }
  const NativeRules rules = native_rules_[id];
  native_rules_.release(id);
  for (const auto* paths : {&rules.native, &rules.learned, &rules.narrower, &rules.wider}) {
    for (const std::uint32_t path : *paths) rules_.paths.release(path);
  }
  for (const std::uint32_t shape : native_forms_[id].entries) shapes_.release(shape);
  native_forms_[id] = NativeForm{};
}

// --- What follows from them ----------------------------------------------------------------------

void Table::resolve_native_forms() {
  for (std::uint32_t id = 0; id < native_forms_.size(); ++id) {
    if (native_rules_.is_live(id)) resolve_native_form(id);
  }
}

void Table::resolve_native_form(std::uint32_t id) {
  // Entries of departed interfaces stay, to revive with their slot, unless they would be in the way
  // of the others.
  NativeForm now = native_form(native_rules_[id], true);
  if (!now.why_not.empty()) now = native_form(native_rules_[id], false);
  NativeForm& form = native_forms_[id];
  const bool same = now.entries == form.entries && now.why_not == form.why_not &&
                    now.listed == form.listed && now.learning == form.learning;
  std::swap(now.entries, form.entries);
  for (const std::uint32_t shape : now.entries) shapes_.release(shape);
  // Entries from a slot that changes hands are put anew: see plan_native_reductions.
  const bool is_taken = std::ranges::any_of(form.entries, [&](std::uint32_t shape) {
    const Slot& parent = slots_[shapes_[shape].parent];
    return parent.bound.value != 0 && !parent.in_place();
  });
  if (same && !is_taken) return;
  form.listed = now.listed;
  form.learning = now.learning;
  form.why_not = std::move(now.why_not);
  for (const std::uint32_t group : form.groups) mark_native_dirty(group);
}

/// Takes a reference to the shapes of the entries.
NativeForm Table::native_form(const NativeRules& rules, bool with_departed) {
  NativeForm form;
  if (!traits_.native_any_source) {
    form.why_not = "this kernel has no entries for any source";
    return form;
  }
  std::vector<MfcShape> entries;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[slot_number(i)];
    if (slot.wanted.value == 0 && !(with_departed && slot.has_holder())) continue;
    form.why_not = add_native_entry(rules, slot_number(i), entries, form);
    if (!form.why_not.empty()) return form;
  }
  const SlotSet unheard = form.listed & form.learning;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!unheard[i]) continue;
    form.why_not = fmt::format(
        "{} is one of its interfaces, and the kernel would not ask about what other rules of the "
        "group learn there",
        slots_[slot_number(i)].holder.name);
    return form;
  }
  const auto order = order_of_puts(entries);
  if (!order) {
    form.why_not = "its inbound and outbound interfaces form a circle";
    return form;
  }
  for (const std::size_t i : *order) form.entries.push_back(shapes_.acquire(entries[i]));
  return form;
}

/// The entry for what arrives on `slot`, if it is to be native. Returns what forbids it.
std::string Table::add_native_entry(const NativeRules& rules, VifIndex slot,
                                    std::vector<MfcShape>& entries, NativeForm& form) const {
  const Link& holder = slots_[slot].holder;
  const auto forward = [&](const PathSet& paths) {
    return std::ranges::any_of(
        paths, [&](std::uint32_t path) { return !rules_.paths[path].oifs.empty(); });
  };
  PathSet own = rules.native;
  own.insert(own.end(), rules.learned.begin(), rules.learned.end());
  own = best_paths(distinct(std::move(own)), holder);
  const auto has = [&](const PathSet& paths) {
    return std::ranges::any_of(
        own, [&](std::uint32_t path) { return std::ranges::binary_search(paths, path); });
  };
  const PathSet narrower = accepting_paths(rules.narrower, holder);
  if (!has(rules.native)) {
    const bool learns =
        forward(narrower) || forward(own.empty() ? accepting_paths(rules.wider, holder) : own);
    form.learning.set(slot.value, learns);
    return {};
  }
  if (has(rules.learned)) {
    return fmt::format("another rule for what arrives on {} asks to be learned", holder.name);
  }
  if (!narrower.empty()) {
    return fmt::format("another rule is for some of the sources on {} only", holder.name);
  }
  const MfcShape shape = shape_for(own, slot);
  if (shape.ttls[slot.value] != 0) {
    return fmt::format("the kernel sends nothing back out of {}, where it arrives", holder.name);
  }
  entries.push_back(any_source_entry(shape));
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    // Nothing arrives on a slot whose interface is away.
    if (entries.back().ttls[i] != 0 && slots_[slot_number(i)].has_holder()) form.listed.set(i);
  }
  return {};
}

// --- What flows have to do with it ---------------------------------------------------------------

bool Table::is_native(const Address& group) const {
  const std::uint32_t id = native_group(group);
  if (id == kNone || native_groups_[id].form == kNone) return false;
  const NativeForm& form = native_forms_[native_groups_[id].form];
  return form.why_not.empty() && !form.entries.empty();
}

/// Whether the kernel forwards what arrives there without an entry for its source.
bool Table::serves_natively(const Address& address, VifIndex arrival) const {
  if (!is_native(address)) return false;
  const NativeGroup& group = native_groups_[native_group(address)];
  const auto is_from_there = [&](std::uint32_t shape) { return shapes_[shape].parent == arrival; };
  return !group.rewrite && std::ranges::any_of(native_forms_[group.form].entries, is_from_there) &&
         std::ranges::any_of(group.installed, [&](const NativeGroup::Entry& entry) {
           return is_from_there(entry.shape) && !entry.unsure;
         });
}

/// Whether a flow without exact rules needs no entry of its own: the native entries forward it from
/// there, or no rule forwards it from there and it is blocked for all sources.
bool Table::leave_to_native(const Address& address, VifIndex arrival) {
  if (!is_native(address)) return false;
  const std::uint32_t id = native_group(address);
  NativeGroup& group = native_groups_[id];
  const NativeForm& form = native_forms_[group.form];
  if (form.learning[arrival.value]) return false;
  const bool is_inbound = std::ranges::any_of(
      form.entries, [&](std::uint32_t shape) { return shapes_[shape].parent == arrival; });
  // It is learned until the entry is in place.
  if (is_inbound) return serves_natively(address, arrival);
  if (!form.listed[arrival.value] && !group.blocked[arrival.value]) {
    group.blocked.set(arrival.value);
    mark_native_dirty(id);
  }
  return true;
}

/// What the native entry from there does, as an entry for a single source.
MfcShape Table::native_outputs(const Address& address, VifIndex arrival) const {
  MfcShape outputs{.parent = arrival, .ttls = {}};
  if (arrival == kNoSlot || !serves_natively(address, arrival)) return outputs;
  for (const NativeGroup::Entry& entry : native_groups_[native_group(address)].installed) {
    if (shapes_[entry.shape].parent == arrival) outputs = shapes_[entry.shape];
  }
  outputs.ttls[arrival.value] = 0;
  return outputs;
}

/// Exact rules that allow several interfaces wait for the kernel to ask, which it does not where
/// native entries forward: they begin with one of them and follow what the kernel reports.
void Table::mark_unheard_flows() {
  if (!std::exchange(native_changed_, false)) return;
  for (std::uint32_t id = 0; id < fanouts_.size(); ++id) {
    if (!path_sets_.is_live(id) || fanouts_[id].candidates.size() < 2) continue;
    for (std::uint32_t flow = fanouts_[id].first_flow; flow != kNone; flow = flows_[flow].next) {
      if (flows_[flow].observed == kNone && is_native(flows_[flow].key.group)) mark_dirty(flow);
    }
  }
}

std::string Table::why_not_native(const Rule& rule) const {
  const std::uint32_t id = native_group(rule.group.address());
  if (!rule.native || id == kNone || native_groups_[id].form == kNone) return {};
  return native_forms_[native_groups_[id].form].why_not;
}

void Table::flush_native_blocks() {
  for (std::uint32_t id = 0; id < native_groups_.size(); ++id) {
    if (native_groups_[id].blocked.none()) continue;
    native_groups_[id].blocked.reset();
    mark_native_dirty(id);
  }
}

/// Says once that a group is learned although its rules are native, and that it is native again.
void Table::note_native(NativeGroup& group) {
  std::string now;
  if (group.form != kNone) now = native_forms_[group.form].why_not;
  if (now == group.noted) return;
  if (!now.empty()) {
    notices_.push_back({NoticeLevel::warning, fmt::format("group {}: learned instead of native: {}",
                                                          group.group.to_string(), now)});
  } else if (group.form != kNone) {
    notices_.push_back(
        {NoticeLevel::info, fmt::format("group {}: native now", group.group.to_string())});
  }
  group.noted = std::move(now);
}

}  // namespace mcast
