// SPDX-License-Identifier: BSD-2-Clause
// Those budgets that are counts and so the same on every machine.
#include <doctest/doctest.h>

#include <string>

#include "tests/bench/idle.hpp"
#include "tests/bench/live_router.hpp"
#include "tests/bench/routes.hpp"
#include "tests/bench/scale.hpp"
#include "tests/support/process.hpp"

using namespace mcast;
using namespace mcast::bench;

namespace {

constexpr std::size_t kFew = 10;
constexpr std::size_t kMany = 100'000;

struct Loaded {
  Stage stage;
  testing::TempDir dir;
  LiveRouter router{stage.router};

  explicit Loaded(std::size_t routes) {
    dir.write("routes.conf", route_lines(Family::ipv4, routes / 2, "eth1 eth2") +
                                 route_lines(Family::ipv6, routes / 2, "eth1 eth2"));
    router.load(dir / "routes.conf");
    router.follow();
  }
  std::uint64_t calls_when_returning(const std::string& name) {
    stage.pull(name);
    router.follow();
    stage.plug(name);
    return router.follow().calls;
  }
};

}  // namespace

TEST_CASE("an interface named by 100,000 routes returns by as many calls as one named by ten") {
  Loaded few(kFew);
  Loaded many(kMany);
  REQUIRE(many.router.change_count() >= kMany);
  for (const std::string name : {"eth0", "eth1"}) {
    CAPTURE(name);
    const std::uint64_t calls = many.calls_when_returning(name);
    CHECK(calls > 0);
    CHECK(calls == few.calls_when_returning(name));
  }
}

TEST_CASE("reloading 100,000 routes of which none has changed makes no call") {
  Loaded many(kMany);
  const std::uint64_t before = many.router.change_count();
  REQUIRE(before >= kMany);
  many.router.load(many.dir / "routes.conf");
  CHECK(many.router.change_count() == before);
}

TEST_CASE("a daemon that has nothing to do is not woken") {
  const Idleness idle = watch_idle_daemon(std::chrono::seconds(3));
  CHECK(idle.forwarded > 0);
  CHECK(idle.wakeups == 0);
}
