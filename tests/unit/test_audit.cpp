// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <asio/io_context.hpp>
#include <chrono>

#include "cli/audit.hpp"
#include "tests/unit/router_on_fake.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

const FlowKey kConfigured = flow("10.0.0.9", "239.9.9.9");
constexpr std::chrono::milliseconds kInterval{20};

}  // namespace

TEST_CASE("an audit restores an entry and a slot that another program removed") {
  Router router;
  asio::io_context loop;
  REQUIRE(router.installed(kConfigured));
  REQUIRE(router.kernel.apply(DropMfc{router.table_v4(), kConfigured, VifIndex{0}}));
  REQUIRE(router.kernel.apply(UnbindVif{router.table_v4(), VifIndex{0}}));
  const platform::Ports ports{.kernel = &router.kernel, .multicast_rules = &router.kernel};
  cli::Audit audit(loop, router.engine, ports, kInterval, [&] {
    router.settle();
    if (router.installed(kConfigured)) loop.stop();
  });
  loop.run();
  CHECK(router.installed(kConfigured));
  CHECK(*router.kernel.slot_is_bound(router.table_v4(), VifIndex{0}));
}

TEST_CASE("an audit of a kernel that is as recorded changes nothing") {
  Router router;
  asio::io_context loop;
  const auto before = router.kernel.change_count();
  int looks = 0;
  const platform::Ports ports{.kernel = &router.kernel, .multicast_rules = &router.kernel};
  cli::Audit audit(loop, router.engine, ports, kInterval, [&] {
    router.settle();
    if (++looks == 3) loop.stop();
  });
  loop.run();
  CHECK(router.kernel.change_count() == before);
}
