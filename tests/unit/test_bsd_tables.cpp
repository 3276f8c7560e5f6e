// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "platform/bsd/report_limiter.hpp"
#include "platform/bsd/slot_codec.hpp"
#include "platform/bsd/table_count.hpp"

using namespace mcast;
using namespace mcast::platform;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Tables that others have, and what a kernel with one or many answers.
struct Kernel {
  bool one_for_all = false;
  std::set<std::uint32_t> taken = {};

  int take(std::uint32_t fib) {
    const bool in_use = one_for_all ? !taken.empty() : taken.contains(fib);
    if (in_use) return EADDRINUSE;
    taken.insert(fib);
    return 0;
  }
};

std::uint32_t count(std::uint32_t fibs, Kernel kernel) {
  return count_tables(fibs, [&](std::uint32_t fib) { return kernel.take(fib); });
}

}  // namespace

TEST_CASE("a kernel has several tables if it gives two of them away at a time") {
  CHECK(count(4, {}) == 4);
  CHECK(count(4, {.one_for_all = true}) == 1);
  CHECK(count(1, {}) == 1);
  CHECK(count(0, {}) == 1);
  CHECK(count(60000, {}) == 60000);
}

TEST_CASE("tables that others have do not hide that there are several") {
  for (std::uint32_t other = 0; other < 4; ++other) {
    CHECK(count(4, {.taken = {other}}) == 4);
    CHECK(count(4, {.one_for_all = true, .taken = {other}}) == 1);
  }
  CHECK(count(4, {.taken = {0, 1, 2}}) == 4);
}

TEST_CASE("one table is assumed where it cannot be told") {
  CHECK(count(2, {.taken = {0, 1}}) == 1);
  for (const int error : {EPERM, EOPNOTSUPP, EINVAL}) {
    int asked = 0;
    CHECK(count_tables(4, [&](std::uint32_t) {
            ++asked;
            return error;
          }) == 1);
    CHECK(asked == 1);
  }
  // Nobody waits for sixty thousand answers.
  int asked = 0;
  CHECK(count_tables(60000, [&](std::uint32_t) {
          ++asked;
          return EADDRINUSE;
        }) == 1);
  CHECK(asked == 16);
}

TEST_CASE("slots in use are found in the kernel's list") {
  for (const std::size_t length : {std::size_t{56}, std::size_t{36}}) {
    Bytes table(32 * length);
    CHECK(used_vifs(table).value_or(~SlotSet()).none());
    table[0 * length + 4] = 10;          // the address is enough
    table[31 * length + 16 + 3] = 0xf;   // and so is the interface
    table[5 * length + 1] = 1;           // a threshold alone is left over
    table[6 * length + length - 1] = 9;  // and so are counts
    const auto used = used_vifs(table);
    REQUIRE(used);
    CHECK(used->count() == 2);
    CHECK((*used)[0]);
    CHECK((*used)[31]);
  }
  Bytes table(64 * 64);
  CHECK(used_mifs(table).value_or(~SlotSet()).none());
  table[2 * 64 + 24] = 3;
  table[63 * 64 + 31] = 0xff;  // a pointer's high part
  table[7 * 64 + 32] = 1;      // packets
  const auto used = used_mifs(table);
  REQUIRE(used);
  CHECK(used->count() == 2);
  CHECK((*used)[2]);
  CHECK((*used)[63]);
}

TEST_CASE("a list of another layout says nothing about slots") {
  for (const std::size_t size :
       {0U, 1U, 32U, 56U, 32 * 56 - 1U, 32 * 56 + 1U, 32 * 64U, 64 * 56U}) {
    CHECK_FALSE(used_vifs(Bytes(size, 1)));
  }
  for (const std::size_t size : {0U, 1U, 64U, 64 * 64 - 1U, 64 * 64 + 1U, 32 * 64U}) {
    CHECK_FALSE(used_mifs(Bytes(size, 1)));
  }
}

TEST_CASE("anything in a table means that it is used") {
  Bytes table(2048);
  CHECK_FALSE(is_used(table));
  CHECK_FALSE(is_used({}));
  table.back() = 1;
  CHECK(is_used(table));
}

TEST_CASE("a flow on a wrong interface is reported once in a while, whatever others do") {
  ReportLimiter limiter;
  const Address group = *Address::parse("ff0e::1");
  const FlowKey flow{*Address::parse("fd00::1"), group};
  const FlowKey other{*Address::parse("fd00::2"), group};
  CHECK(limiter.admits(flow, 50));
  CHECK(limiter.admits(other, 51));
  for (Milliseconds now = 60; now < 50 + ReportLimiter::kInterval; now += 100) {
    CHECK_FALSE(limiter.admits(flow, now));
    CHECK_FALSE(limiter.admits(other, now));
  }
  CHECK(limiter.admits(flow, 50 + ReportLimiter::kInterval));
  CHECK_FALSE(limiter.admits(flow, 51 + ReportLimiter::kInterval));
  CHECK(limiter.admits(other, 51 + ReportLimiter::kInterval));
}

TEST_CASE("among more flows than are kept none is kept quiet that was not told") {
  ReportLimiter limiter;
  const Prefix sources = *Prefix::parse("fd00::/64");
  const Address group = *Address::parse("ff0e::1");
  for (std::uint64_t i = 1; i <= 5000; ++i) CHECK(limiter.admits({sources.at(i), group}, 100));
}
