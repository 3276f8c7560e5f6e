// SPDX-License-Identifier: BSD-2-Clause
#include "core/native_order.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <vector>

namespace mcast {
namespace {

VifIndex slot(unsigned number) {
  return slot_number(number);
}

MfcShape entry(unsigned parent, std::initializer_list<unsigned> outputs) {
  MfcShape shape{.parent = slot(parent), .ttls = {}};
  for (const unsigned output : outputs) shape.ttls[output] = 1;
  return any_source_entry(shape);
}

using Slots = std::vector<VifIndex>;

TEST_CASE("an entry for any source lists its parent") {
  CHECK(entry(3, {1}).ttls[3] == 1);
}

TEST_CASE("an entry comes after those that have its parent as an output") {
  const std::vector<MfcShape> chain{entry(2, {3}), entry(1, {2}), entry(0, {1, 2})};
  CHECK(order_of_puts(chain) == std::vector<std::size_t>{2, 1, 0});
  const std::vector<MfcShape> apart{entry(0, {1}), entry(2, {1})};
  CHECK(order_of_puts(apart) == std::vector<std::size_t>{0, 1});
}

TEST_CASE("where packets could go round there is no order") {
  CHECK_FALSE(order_of_puts(std::vector{entry(0, {1}), entry(1, {0})}));
  CHECK_FALSE(order_of_puts(std::vector{entry(0, {1}), entry(1, {2}), entry(2, {0})}));
}

TEST_CASE("entries in order stay where they are") {
  const std::vector<MfcShape> wanted{entry(0, {1}), entry(1, {2})};
  CHECK(out_of_order(Slots{slot(0), slot(1)}, wanted).empty());
  CHECK(out_of_order(Slots{slot(0)}, wanted).empty());
  CHECK(out_of_order(Slots{}, wanted).empty());
}

TEST_CASE("an entry moves behind a new or later one that has its parent as an output") {
  const std::vector<MfcShape> wanted{entry(0, {1}), entry(1, {2}), entry(2, {3})};
  CHECK(out_of_order(Slots{slot(1), slot(0)}, wanted) == Slots{slot(1)});
  CHECK(out_of_order(Slots{slot(1), slot(2)}, wanted) == Slots{slot(1), slot(2)});
  CHECK(out_of_order(Slots{slot(2)}, wanted) == Slots{slot(2)});
  CHECK(out_of_order(Slots{slot(2), slot(0), slot(1)}, wanted) == Slots{slot(2)});
}

}  // namespace
}  // namespace mcast
