// SPDX-License-Identifier: BSD-2-Clause
#include "core/table_allocator.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mcast {
namespace {

/// Puts needs into as few new tables as it can: fills a table with whatever adds the least to it,
/// then begins the next with what would have added the least to the last.
class Packer {
 public:
  using Names = std::vector<std::string>;

  /// No need is larger than `slots`.
  Packer(std::vector<const Names*> needs, std::size_t slots)
      : needs_(std::move(needs)), slots_(slots), missing_(needs_.size()) {
    for (std::size_t i = 0; i < needs_.size(); ++i) {
      for (const std::string& name : *needs_[i]) users_[name].push_back(i);
      missing_[i] = needs_[i]->size();
      queue_.emplace(missing_[i], i);
    }
  }

  [[nodiscard]] bool done() const { return queue_.empty(); }

  /// The numbers of the needs that share the next table.
  [[nodiscard]] std::vector<std::size_t> next_table() {
    const std::size_t first = queue_.begin()->second;
    begin_empty();
    std::vector<std::size_t> members{first};
    add(first);
    while (!queue_.empty() && held_.size() + queue_.begin()->first <= slots_) {
      members.push_back(queue_.begin()->second);
      add(members.back());
    }
    return members;
  }

 private:
  void begin_empty() {
    held_.clear();
    std::set<std::pair<std::size_t, std::size_t>> queue;
    for (const auto& [missing, number] : queue_) {
      missing_[number] = needs_[number]->size();
      queue.emplace(missing_[number], number);
    }
    queue_ = std::move(queue);
  }

  void add(std::size_t number) {
    queue_.erase({missing_[number], number});
    for (const std::string& name : *needs_[number]) {
      if (!held_.insert(name).second) continue;
      for (const std::size_t user : users_.at(name)) {
        auto entry = queue_.extract({missing_[user], user});
        if (entry.empty()) continue;  // it has a table
        entry.value().first = --missing_[user];
        queue_.insert(std::move(entry));
      }
    }
  }

  std::vector<const Names*> needs_;
  std::size_t slots_;
  std::vector<std::size_t> missing_;  ///< names that the current table does not hold
  std::unordered_map<std::string_view, std::vector<std::size_t>> users_;
  std::set<std::pair<std::size_t, std::size_t>> queue_;  ///< those without a table, by `missing_`
  std::unordered_set<std::string_view> held_;
};

}  // namespace

// --- needs and tables ----------------------------------------------------------------------------

TableAllocator::Place TableAllocator::place_of(const TableNeed& need) {
  Place place;
  place.need = need;
  std::unordered_set<std::string_view> seen;
  const auto add = [&](const std::string& name) {
    if (seen.insert(name).second) place.names.push_back(name);
  };
  add(need.interface);
  for (const std::string& name : need.named) add(name);
  place.named = place.names.size();
  for (const std::string& name : need.matched) add(name);
  return place;
}

void TableAllocator::count(Table& table, const std::string& name, std::size_t Uses::* kind,
                           bool more) {
  const auto entry = table.names.try_emplace(name).first;
  Uses& uses = entry->second;
  const bool was_needed = uses.needed != 0;
  if (more) {
    ++(uses.*kind);
  } else {
    --(uses.*kind);
  }
  if (uses.needed != 0 && !was_needed) ++table.needed;
  if (uses.needed == 0 && was_needed) --table.needed;
  if (uses.needed == 0 && uses.kept == 0) table.names.erase(entry);
}

TableAllocator::Fit TableAllocator::fit(const Place& place, TableId id) const {
  const auto table = tables_.find(id);
  if (table == tables_.end()) return {};
  const auto& [names, needed] = table->second;
  Fit fit;
  std::size_t known = 0;
  for (const std::string& name : place.names) {
    const auto uses = names.find(name);
    if (uses == names.end()) continue;
    ++known;
    if (uses->second.needed != 0) ++fit.shared;
  }
  // What needs more than a table has gets it alone.
  const bool alone = place.names.size() > slots_;
  fit.full = alone ? needed != 0 : needed + place.names.size() - fit.shared > slots_;
  fit.full_of_kept = alone ? !names.empty() : names.size() + place.names.size() - known > slots_;
  return fit;
}

bool TableAllocator::is_usable(TableId id) const {
  return range_ && range_->first <= id && id <= range_->last && !taken_.contains(id);
}

std::vector<TableId> TableAllocator::unused_tables() const {
  std::vector<TableId> unused;
  if (!range_) return unused;
  for (auto id = range_->first.value; id <= range_->last.value; ++id) {
    if (is_usable(TableId(id)) && !tables_.contains(TableId(id))) unused.emplace_back(id);
  }
  return unused;
}

void TableAllocator::settle(TableId id, Places::iterator place) {
  Place& own = place->second;
  own.table = id;
  for (const std::string& name : own.names) count(tables_[id], name, &Uses::needed, true);
  make_room(id);
}

void TableAllocator::leave(Places::iterator place) {
  const Place& own = place->second;
  if (!own.table) return;
  const auto table = tables_.find(*own.table);
  for (const std::string& name : own.names) {
    count(table->second, name, own.needed ? &Uses::needed : &Uses::kept, false);
  }
  if (table->second.names.empty()) tables_.erase(table);
}

void TableAllocator::forget(Places::iterator kept) {
  leave(kept);
  kept_.erase({kept->second.seen, kept->first});
  places_.erase(kept);
}

/// Forgets the absent of a table, who left first first, until what is needed there has room.
void TableAllocator::make_room(TableId id) {
  const Table& table = tables_.at(id);
  for (auto next = kept_.begin(); next != kept_.end();) {
    if (table.names.size() <= slots_ || table.names.size() == table.needed) return;
    const auto place = places_.find((next++)->second);
    if (place->second.table == id) forget(place);
  }
}

// --- one update ----------------------------------------------------------------------------------

void TableAllocator::set_range(const std::optional<AutoTables>& range, std::set<TableId> taken) {
  const bool same = range_.has_value() == range.has_value() && taken_ == taken &&
                    (!range || (range_->first == range->first && range_->last == range->last));
  if (same) return;
  range_ = range;
  taken_ = std::move(taken);
  range_changed_ = true;
  for (auto next = places_.begin(); next != places_.end();) {
    const auto place = next++;
    if (!place->second.table || is_usable(*place->second.table)) continue;
    if (!place->second.needed) {
      forget(place);
      continue;
    }
    leave(place);
    place->second.table.reset();
  }
}

void TableAllocator::update(std::span<const TableNeed> needs) {
  ++update_;
  Pending pending = take_over(needs);
  most_needs_ = std::max(most_needs_, needs.size());
  stay(pending);
  join(pending, false);
  fill_unused(pending);
  join(pending, true);
  forget_the_oldest();
}

/// Those for which a table has to be found, in the order of the needs.
TableAllocator::Pending TableAllocator::take_over(std::span<const TableNeed> needs) {
  bool changed = std::exchange(range_changed_, false);
  Pending all;
  for (const TableNeed& need : needs) {
    const auto [place, is_new] = places_.try_emplace(need.interface);
    Place& own = place->second;
    if (own.seen == update_) continue;  // named twice
    all.push_back(place);
    if (is_new || !own.needed || own.need != need) {
      leave(place);
      if (!own.needed) kept_.erase({own.seen, place->first});
      const auto table = own.table;
      own = place_of(need);
      own.table = table;
      own.placed = update_;
      changed = true;
    }
    own.seen = update_;
  }
  const std::size_t needed = places_.size() - kept_.size();
  if (needed != all.size()) {
    keep_for_the_absent();
    changed = true;
  }
  // Those that found no table before may find one now.
  std::erase_if(all, [&](Places::iterator place) {
    return place->second.placed != update_ && (place->second.table || !changed);
  });
  return all;
}

void TableAllocator::keep_for_the_absent() {
  for (auto next = places_.begin(); next != places_.end();) {
    const auto place = next++;
    Place& own = place->second;
    if (!own.needed || own.seen == update_) continue;
    if (!own.table) {
      places_.erase(place);
      continue;
    }
    const TableId id = *own.table;
    Table& table = tables_.at(id);
    for (const std::string& name : own.names) {
      count(table, name, &Uses::kept, true);
      count(table, name, &Uses::needed, false);
    }
    own.needed = false;
    own.seen = update_;
    kept_.emplace(update_, place->first);
  }
}

/// Whoever has a table stays if there is room for its need.
void TableAllocator::stay(Pending& pending) {
  std::erase_if(pending, [&](Places::iterator place) {
    Place& own = place->second;
    if (!own.table) return false;
    const TableId id = *own.table;
    own.table.reset();
    if (fit(own, id).full) return false;
    settle(id, place);
    return true;
  });
}

/// Into tables in use: the one that has most of what is needed, or else the fullest.
void TableAllocator::join(Pending& pending, bool instead_of_kept) {
  std::erase_if(pending, [&](Places::iterator place) {
    std::optional<TableId> best;
    std::pair<std::size_t, std::size_t> most;
    for (const auto& [id, table] : tables_) {
      const Fit found = fit(place->second, id);
      if (found.full || (found.full_of_kept && !instead_of_kept)) continue;
      const std::pair now{found.shared, table.needed};
      if (best && now <= most) continue;
      best = id;
      most = now;
    }
    if (best) settle(*best, place);
    return best.has_value();
  });
}

void TableAllocator::fill_unused(Pending& pending) {
  const std::vector<TableId> unused = unused_tables();
  auto next = unused.begin();
  Pending alone;
  Pending sharing;
  std::vector<const Packer::Names*> names;
  for (const auto place : pending) {
    if (place->second.names.size() > slots_) {
      alone.push_back(place);
    } else {
      sharing.push_back(place);
      names.push_back(&place->second.names);
    }
  }
  Packer packer(std::move(names), slots_);
  while (next != unused.end() && !packer.done()) {
    for (const std::size_t member : packer.next_table()) settle(*next, sharing[member]);
    ++next;
  }
  for (auto place = alone.begin(); place != alone.end() && next != unused.end(); ++place) {
    settle(*next++, *place);
  }
  std::erase_if(pending, [](Places::iterator place) { return place->second.table.has_value(); });
}

void TableAllocator::forget_the_oldest() {
  while (kept_.size() > most_needs_ + slots_) forget(places_.find(kept_.begin()->second));
}

// --- answers -------------------------------------------------------------------------------------

namespace {

std::string some_of(std::span<const std::string> names) {
  constexpr std::size_t kMost = 8;
  if (names.size() <= kMost) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} others", fmt::join(names.first(kMost), ", "), names.size() - kMost);
}

}  // namespace

std::optional<TableId> TableAllocator::table_of(std::string_view interface) const {
  const auto place = places_.find(interface);
  if (place == places_.end() || !place->second.needed) return std::nullopt;
  return place->second.table;
}

std::string TableAllocator::why_not(std::string_view interface) const {
  const auto place = places_.find(interface);
  if (place == places_.end() || !place->second.needed || !range_) return {};
  const auto& names = place->second.names;
  const std::size_t named = place->second.named;
  if (place->second.table && named <= slots_) return {};
  if (named > slots_) {
    return fmt::format("{}: its traffic is routed in one table, which has {} slots; its rules name "
                       "{} interfaces with it, so there is no room for {}; name fewer",
                       interface, slots_, named,
                       some_of(std::span(names).first(named).subspan(slots_)));
  }
  const std::string range = fmt::format("{}-{}", range_->first.value, range_->last.value);
  if (names.size() > slots_) {
    return fmt::format("{}: its rules mean {} interfaces with it, which takes a table of its own, "
                       "and none is free in \"tables auto {}\"; lengthen the range",
                       interface, names.size(), range);
  }
  return fmt::format("{}: no table of \"tables auto {}\" has room for the {} interfaces that it "
                     "and its rules take up; lengthen the range",
                     interface, range, names.size());
}

std::vector<TableId> TableAllocator::tables() const {
  std::vector<TableId> needed;
  for (const auto& [id, table] : tables_) {
    if (table.needed != 0) needed.push_back(id);
  }
  return needed;
}

}  // namespace mcast
