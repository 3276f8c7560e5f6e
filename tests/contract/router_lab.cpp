// SPDX-License-Identifier: BSD-2-Clause
#include "tests/contract/router_lab.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/unit/memory_files.hpp"

namespace mcast::testing {
namespace {

/// Only a kernel that never comes to rest takes so long.
constexpr int kMostEvents = 1000;
/// Makes the kernel ask; takes the answer; is forwarded.
constexpr int kPacketsToLearn = 3;

}  // namespace

Router::Router(Family of)
    : family(of),
      engine_(under_test->kernel().traits(),
              {.default_ipv4 = under_test->kernel().traits().ipv4.default_table,
               .default_ipv6 = under_test->kernel().traits().ipv6.default_table}) {
  REQUIRE(under_test->links().start(*this));
}

Router::~Router() {
  CHECK(under_test->violations() == std::vector<std::string>{});
  kernel().close_table(table());
}

void Router::configure(const std::string& text) {
  auto parsed = parse_text(text);
  for (const std::string& line : lines_of(parsed)) FAIL_CHECK(line);
  engine_.set_config(std::move(parsed.config));
}

std::string Router::rule(const std::string& from, const std::string& to, const std::string& source,
                         unsigned which) const {
  const std::string words = source.empty() ? "" : fmt::format(" source {}", source);
  return fmt::format("mroute from {}{} group {} to {}\n", from, words, group(which).to_string(),
                     to);
}

Address Router::group(unsigned which) const {
  return *Address::parse(family == Family::ipv4 ? fmt::format("225.1.2.{}", which + 1)
                                                : fmt::format("ff0e::1:{}", which + 1));
}

std::string Router::groups() const {
  return family == Family::ipv4 ? "225.1.2.0/24" : "ff0e::1:0/112";
}

void Router::converge() {
  // Whatever was to be tried again later is tried now.
  constexpr Milliseconds kLong = 60'000;
  now_ += kLong;
  platform::converge(engine_, {.keeper = &under_test->keeper(), .kernel = &kernel()}, now_);
}

void Router::settle() {
  REQUIRE(platform::read_links(engine_, under_test->links(), *this));
  converge();
  for (const TableStatus& status : engine_.tables()) {
    if (status.open) REQUIRE(kernel().read_upcalls(status.table, 1000, *this));
  }
  converge();
}

void Router::await(const std::function<bool()>& holds) {
  for (int event = 0; event < kMostEvents; ++event) {
    for (int packet = 0; packet < kPacketsToLearn; ++packet) {
      settle();
      if (holds()) return;
    }
    under_test->await_event();
  }
  FAIL("it does not come true");
}

void Router::await_slots(std::size_t count) {
  INFO(fmt::format("{} slots", count));
  await([&] { return slots_bound() == count && is_at_rest(); });
}

void Router::await_flow(const std::string& from, const Names& to, unsigned which) {
  INFO(fmt::format("group {} from {} to {}", which, from, fmt::join(to, " ")));
  await([&] { return send(from, which) == to; });
  CHECK(send(from, which) == to);
}

bool Router::is_at_rest() {
  settle();
  const auto before = kernel().change_count();
  settle();
  return kernel().change_count() == before;
}

std::size_t Router::slots_bound() {
  std::size_t count = 0;
  for (std::size_t i = 0; i < traits().slots; ++i) {
    const auto bound = kernel().slot_is_bound(table(), slot_number(i));
    if (bound && *bound) ++count;
  }
  return count;
}

}  // namespace mcast::testing
