// SPDX-License-Identifier: BSD-2-Clause
//
// Random histories of what inbound interfaces need, and what TableAllocator promises.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/table_allocator.hpp"

using namespace mcast;

namespace {

using Names = std::set<std::string>;
using Needs = std::map<std::string, TableNeed>;

unsigned number(unsigned below) {
  return *rc::gen::inRange(0U, below);
}

std::vector<std::string> some(std::string_view prefix, unsigned most) {
  std::vector<std::string> names;
  for (unsigned n = number(most + 1); n > 0; --n) {
    names.push_back(fmt::format("{}{}", prefix, number(12)));
  }
  return names;
}

TableNeed need_of(const std::string& interface, unsigned most) {
  return {interface, some("o", most), some("i", most / 2)};
}

Names names_of(const TableNeed& need) {
  Names names{need.interface};
  names.insert(need.named.begin(), need.named.end());
  names.insert(need.matched.begin(), need.matched.end());
  return names;
}

/// An allocator and all that is known about it from outside.
struct World {
  explicit World(std::size_t slots_) : slots(slots_), allocator(slots_), twin(slots_) {}

  std::size_t slots;
  TableAllocator allocator;
  TableAllocator twin;  ///< is told the same
  std::set<TableId> usable;
  Needs needs;
  std::map<std::string, TableId> placed;

  void choose_range(unsigned most_tables) {
    const TableId first(100 + number(3));
    const TableId last(first.value + number(most_tables));
    std::set<TableId> taken;
    if (number(3) == 0) taken.insert(TableId(100 + number(5)));
    for (TableAllocator* one : {&allocator, &twin}) {
      one->set_range(AutoTables{.first = first, .last = last, .where = {}}, taken);
    }
    usable.clear();
    for (auto id = first; id <= last; ++id.value) {
      if (!taken.contains(id)) usable.insert(id);
    }
  }

  void update(const Needs& next) {
    std::vector<TableNeed> list;
    for (const auto& [name, need] : next) list.push_back(need);
    allocator.update(list);
    twin.update(list);
    const Needs before = std::exchange(needs, next);
    const auto placed_before = std::exchange(placed, {});
    for (const auto& [name, need] : needs) {
      if (const auto id = allocator.table_of(name)) placed.emplace(name, *id);
      RC_ASSERT(allocator.table_of(name) == twin.table_of(name));
    }
    check_room();
    for (const auto& [name, need] : needs) {
      check_reason(need);
      const auto earlier = placed_before.find(name);
      if (earlier == placed_before.end() || !usable.contains(earlier->second)) continue;
      if (placed.contains(name) && placed.at(name) == earlier->second) continue;
      // It has moved.
      RC_ASSERT(before.at(name) != need);
      RC_ASSERT_FALSE(would_fit(need, earlier->second));
    }
  }

  [[nodiscard]] Names held(TableId id, const std::string& except) const {
    Names names;
    for (const auto& [name, where] : placed) {
      if (where == id && name != except) names.merge(names_of(needs.at(name)));
    }
    return names;
  }

  /// Whether a need has room in a table besides all others there.
  [[nodiscard]] bool would_fit(const TableNeed& need, TableId id) const {
    Names names = names_of(need);
    Names others = held(id, need.interface);
    if (others.empty()) return true;
    names.merge(others);
    return names.size() <= slots;
  }

  void check_room() const {
    for (const auto& [name, id] : placed) {
      RC_ASSERT(usable.contains(id));
      RC_ASSERT(would_fit(needs.at(name), id));
    }
  }

  void check_reason(const TableNeed& need) const {
    Names named{need.interface};
    named.insert(need.named.begin(), need.named.end());
    const bool refused = !placed.contains(need.interface);
    RC_ASSERT(allocator.why_not(need.interface).empty() == (!refused && named.size() <= slots));
    if (!refused) return;
    for (const TableId id : usable) RC_ASSERT_FALSE(would_fit(need, id));
  }
};

}  // namespace

TEST_CASE("no table holds more than it has slots for, nobody moves or is refused without reason") {
  CHECK(rc::check([] {
    World world(4 + number(6));
    world.choose_range(5);
    Needs needs;
    for (unsigned turn = 5 + number(30); turn > 0; --turn) {
      if (number(10) == 0) world.choose_range(5);
      for (unsigned changes = number(4); changes > 0; --changes) {
        const std::string name = fmt::format("i{}", number(12));
        if (number(3) == 0) {
          needs.erase(name);
        } else {
          needs.insert_or_assign(name, need_of(name, 6));
        }
      }
      world.update(needs);
    }
  }));
}

TEST_CASE("an interface that returns with the same need finds its table") {
  CHECK(rc::check([] {
    constexpr unsigned kInterfaces = 12;
    TableAllocator allocator(16);
    allocator.set_range(AutoTables{.first = TableId(1), .last = TableId(kInterfaces), .where = {}});
    std::vector<TableNeed> all;
    for (unsigned i = 0; i < kInterfaces; ++i) all.push_back(need_of(fmt::format("i{}", i), 8));
    std::map<std::string, TableId> homes;
    for (unsigned turn = 30; turn > 0; --turn) {
      std::vector<TableNeed> present;
      for (const TableNeed& need : all) {
        if (number(2) == 0) present.push_back(need);
      }
      allocator.update(present);
      for (const TableNeed& need : present) {
        const auto id = allocator.table_of(need.interface);
        RC_ASSERT(id.has_value());
        const auto home = homes.try_emplace(need.interface, *id).first;
        RC_ASSERT(home->second == *id);
      }
    }
  }));
}
