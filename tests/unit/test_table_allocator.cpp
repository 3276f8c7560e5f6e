// SPDX-License-Identifier: BSD-2-Clause
#include "core/table_allocator.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace mcast;

namespace {

constexpr std::size_t kSlots = 32;

AutoTables range(std::uint32_t first, std::uint32_t last) {
  return {.first = TableId(first), .last = TableId(last), .where = {}};
}

TableAllocator allocator(std::uint32_t last = 131) {
  TableAllocator allocator(kSlots);
  allocator.set_range(range(100, last));
  return allocator;
}

TableNeed need(std::string interface, std::vector<std::string> named,
               std::vector<std::string> matched = {}) {
  return {std::move(interface), std::move(named), std::move(matched)};
}

/// PREFIX0 to PREFIX(count-1).
std::vector<std::string> numbered(std::string_view prefix, std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", prefix, i));
  return names;
}

using Needs = std::vector<TableNeed>;

/// Each sends to the 8 after it.
Needs ring(std::size_t size) {
  Needs needs;
  for (std::size_t i = 0; i < size; ++i) {
    TableNeed one = need(fmt::format("e{}", i), {});
    for (std::size_t n = 1; n <= 8; ++n) one.named.push_back(fmt::format("e{}", (i + n) % size));
    needs.push_back(std::move(one));
  }
  return needs;
}

Needs random_fanouts(std::size_t size, std::mt19937& random) {
  Needs needs;
  for (std::size_t i = 0; i < size; ++i) {
    std::set<std::string> outputs;
    while (outputs.size() < 8) outputs.insert(fmt::format("e{}", random() % size));
    needs.push_back(need(fmt::format("e{}", i), {outputs.begin(), outputs.end()}));
  }
  return needs;
}

bool all_placed(const TableAllocator& allocator, const Needs& needs) {
  return std::ranges::all_of(
      needs, [&](const TableNeed& one) { return allocator.table_of(one.interface).has_value(); });
}

}  // namespace

TEST_CASE("an interface gets the first table of the range") {
  TableAllocator tables = allocator();
  CHECK(tables.table_of("a") == std::nullopt);
  tables.update(Needs{need("a", {"x", "y"})});
  CHECK(tables.table_of("a") == TableId(100));
  CHECK(tables.why_not("a").empty());
  CHECK(tables.table_of("x") == std::nullopt);
}

TEST_CASE("without a range nothing has a table") {
  TableAllocator tables(kSlots);
  tables.update(Needs{need("a", {"x"})});
  CHECK(tables.table_of("a") == std::nullopt);
  CHECK(tables.why_not("a").empty());
}

TEST_CASE("interfaces that send to the same others share a table") {
  TableAllocator tables = allocator();
  const auto lan = numbered("lan", 20);
  const auto wan = numbered("wan", 20);
  tables.update(Needs{need("a", lan), need("b", wan), need("c", lan), need("d", wan)});
  CHECK(tables.table_of("a") == TableId(100));
  CHECK(tables.table_of("c") == TableId(100));
  CHECK(tables.table_of("b") == TableId(101));
  CHECK(tables.table_of("d") == TableId(101));
  // Later ones join them.
  tables.update(Needs{need("a", lan), need("b", wan), need("c", lan), need("d", wan),
                      need("e", wan), need("f", lan)});
  CHECK(tables.table_of("e") == TableId(101));
  CHECK(tables.table_of("f") == TableId(100));
  CHECK(tables.tables().size() == 2);
}

TEST_CASE("what shares nothing fills up the fullest table") {
  TableAllocator tables = allocator();
  Needs needs{need("a", numbered("x", 24)), need("b", numbered("y", 19))};
  tables.update(needs);
  needs.push_back(need("c", {"z"}));
  tables.update(needs);
  CHECK(tables.table_of("c") == tables.table_of("a"));
  needs.push_back(need("d", numbered("u", 8)));
  tables.update(needs);
  CHECK(tables.table_of("d") == tables.table_of("b"));
}

TEST_CASE("200 interfaces in a ring need few tables, in whatever order they are written") {
  std::mt19937 random(7);
  Needs needs = ring(200);
  for (int i = 0; i < 20; ++i) {
    TableAllocator tables = allocator();
    tables.update(needs);
    CHECK(all_placed(tables, needs));
    CHECK(tables.tables().size() <= 9);
    std::ranges::shuffle(needs, random);
  }
}

TEST_CASE("200 interfaces of a ring that come one by one need few tables") {
  const Needs needs = ring(200);
  TableAllocator tables = allocator();
  for (std::size_t n = 1; n <= needs.size(); ++n) tables.update(std::span(needs).first(n));
  CHECK(all_placed(tables, needs));
  CHECK(tables.tables().size() <= 12);
}

TEST_CASE("an interface stays when others come, go and change") {
  TableAllocator tables = allocator();
  const Needs needs = ring(100);
  tables.update(needs);
  std::vector<std::optional<TableId>> before;
  for (const TableNeed& one : needs) before.push_back(tables.table_of(one.interface));
  Needs fewer;
  for (std::size_t i = 0; i < needs.size(); i += 3) fewer.push_back(needs[i]);
  fewer.push_back(need("new", numbered("other", 30)));
  tables.update(fewer);
  for (std::size_t i = 0; i < needs.size(); i += 3) {
    CHECK(tables.table_of(needs[i].interface) == before[i]);
  }
  CHECK(tables.table_of(needs[1].interface) == std::nullopt);
  tables.update(needs);
  for (std::size_t i = 0; i < needs.size(); ++i) {
    CHECK(tables.table_of(needs[i].interface) == before[i]);
  }
}

TEST_CASE("an interface moves when its need no longer fits beside the others'") {
  TableAllocator tables = allocator();
  tables.update(Needs{need("a", numbered("x", 15)), need("b", numbered("y", 14))});
  CHECK(tables.table_of("b") == TableId(100));
  // What is equal to the slots left over stays: 1 + 15 + 1 + 15.
  tables.update(Needs{need("a", numbered("x", 15)), need("b", numbered("y", 15))});
  CHECK(tables.table_of("b") == TableId(100));
  tables.update(Needs{need("a", numbered("x", 15)), need("b", numbered("y", 16))});
  CHECK(tables.table_of("a") == TableId(100));
  CHECK(tables.table_of("b") == TableId(101));
  // And does not come back for no need.
  tables.update(Needs{need("a", {}), need("b", {})});
  CHECK(tables.table_of("b") == TableId(101));
}

TEST_CASE("the place of an absent interface is given away only when room is short") {
  TableAllocator tables = allocator(101);
  const TableNeed a = need("a", numbered("x", 31));
  const TableNeed b = need("b", numbered("y", 31));
  const TableNeed c = need("c", numbered("z", 31));
  tables.update(Needs{a});
  tables.update(Needs{});
  CHECK(tables.tables().empty());
  tables.update(Needs{b});
  CHECK(tables.table_of("b") == TableId(101));
  tables.update(Needs{a, b});
  CHECK(tables.table_of("a") == TableId(100));
  tables.update(Needs{b});
  tables.update(Needs{b, c});
  CHECK(tables.table_of("c") == TableId(100));
  tables.update(Needs{a, b, c});
  CHECK(tables.table_of("a") == std::nullopt);
  CHECK(tables.why_not("a") ==
        "a: no table of \"tables auto 100-101\" has room for the 32 interfaces that it and its "
        "rules take up; lengthen the range");
  // It gets the room as soon as there is some.
  tables.update(Needs{a, c});
  CHECK(tables.table_of("a") == TableId(101));
  CHECK(tables.why_not("a").empty());
}

TEST_CASE("names that never return do not spread the others over ever more tables") {
  TableAllocator tables = allocator();
  for (int i = 0; i < 1000; ++i) {
    tables.update(Needs{need("lan", {"wan"}), need(fmt::format("veth{}", i), {"wan"})});
    REQUIRE(tables.table_of("lan") == TableId(100));
    REQUIRE(tables.table_of(fmt::format("veth{}", i)) <= TableId(101));
  }
}

TEST_CASE("what needs all slots and more has a table for itself") {
  TableAllocator tables = allocator(101);
  const TableNeed big = need("big", {"x0"}, numbered("w", 40));
  const TableNeed small = need("small", {"x0"});
  tables.update(Needs{big, small});
  CHECK(tables.table_of("small") == TableId(100));
  CHECK(tables.table_of("big") == TableId(101));
  CHECK(tables.why_not("big").empty());
  tables.update(Needs{big, small, need("c", numbered("z", 31))});
  CHECK(tables.table_of("c") == std::nullopt);
  CHECK(tables.table_of("big") == TableId(101));
  // It keeps the table when it needs less, and then shares it.
  tables.update(Needs{need("big", {"x0"}), small, need("c", numbered("z", 29))});
  CHECK(tables.table_of("big") == TableId(101));
  CHECK(tables.table_of("c") == TableId(100));
  tables.update(Needs{big, small, need("c", numbered("z", 29)), need("d", {}, numbered("v", 33))});
  CHECK(tables.why_not("d") ==
        "d: its rules mean 34 interfaces with it, which takes a table of its own, and none is free "
        "in \"tables auto 100-101\"; lengthen the range");
}

TEST_CASE("interfaces named beyond the slots of a table are told by name") {
  TableAllocator tables = allocator();
  tables.update(Needs{need("a", numbered("x", 33))});
  CHECK(tables.table_of("a") == TableId(100));
  CHECK(tables.why_not("a") ==
        "a: its traffic is routed in one table, which has 32 slots; its rules name 34 interfaces "
        "with it, so there is no room for x31, x32; name fewer");
  tables.update(Needs{need("a", numbered("x", 50))});
  CHECK(tables.why_not("a").find("x38 and 11 others; name fewer") != std::string::npos);
  tables.update(Needs{need("a", numbered("x", 31))});
  CHECK(tables.why_not("a").empty());
}

TEST_CASE("only interfaces outside of the new range move") {
  TableAllocator tables = allocator(101);
  const Needs needs{need("a", numbered("x", 31)), need("b", numbered("y", 31))};
  tables.update(needs);
  tables.set_range(range(101, 140));
  tables.update(needs);
  CHECK(tables.table_of("b") == TableId(101));
  CHECK(tables.table_of("a") == TableId(102));
  tables.set_range(range(101, 140), {TableId(101), TableId(103)});
  tables.update(needs);
  CHECK(tables.table_of("a") == TableId(102));
  CHECK(tables.table_of("b") == TableId(104));
  tables.set_range(std::nullopt);
  CHECK(tables.table_of("b") == std::nullopt);
  CHECK(tables.tables().empty());
}

TEST_CASE("interfaces that send to others at random need more tables, and those refused are told") {
  std::mt19937 random(7);
  const Needs needs = random_fanouts(200, random);
  TableAllocator enough = allocator(163);
  enough.update(needs);
  CHECK(all_placed(enough, needs));
  CHECK(enough.tables().size() <= 48);

  TableAllocator tables = allocator();
  tables.update(needs);
  CHECK(tables.tables().size() == 32);
  for (const TableNeed& one : needs) {
    CHECK(tables.table_of(one.interface).has_value() == tables.why_not(one.interface).empty());
  }
}
