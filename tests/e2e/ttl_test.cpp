// SPDX-License-Identifier: BSD-2-Clause
//
// TTL thresholds of phyint lines, with real packets.
#include <doctest/doctest.h>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

/// A flow whose packets leave the sender with this TTL.
struct TtlFlow {
  MulticastSender sender;
  MulticastReceiver receiver;
  TtlFlow(const Host& from, const Host& to, const std::string& group, int ttl)
      : sender(from.sender(group, {.hops = ttl})), receiver(to.receiver(group)) {}
};

TEST_CASE("a threshold takes effect by reload and goes by reload, and other flows lose nothing") {
  Lab lab;
  const std::string rules = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1") +
                            mroute("eth0", "10.1.0.2", "239.1.1.2", "eth2") +
                            "mroute from eth0 group 239.2.0.0/16 to eth1\n";
  Daemon daemon(lab.router(), rules);
  for (const char* group : {"239.1.1.1", "239.2.1.1"}) {
    CAPTURE(group);
    Bystander bystander(lab.sender, lab.second, "239.1.1.2");
    TtlFlow low(lab.sender, lab.first, group, 15);
    TtlFlow high(lab.sender, lab.first, group, 16);
    CHECK(expect_flow(low.sender, low.receiver));

    daemon.write_config(rules + "phyint eth1 ttl-threshold 15\n");
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(expect_flow(high.sender, high.receiver));
    CHECK(expect_no_flow(low.sender, low.receiver, high.sender, high.receiver));

    daemon.write_config(rules + "phyint eth1 ttl-threshold 14\n");
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(expect_flow(low.sender, low.receiver));

    daemon.write_config(rules);
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(expect_flow(low.sender, low.receiver));
    CHECK(bystander.undisturbed());
  }
}

TEST_CASE("a threshold that IPv6 rules would need is warned of, by check, log and reload") {
  Lab lab;
  const std::string v4 = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1");
  const std::string v6 = mroute("eth0", "fd00:1::2", "ff1e::101", "eth1");
  const std::string threshold = "phyint eth1 ttl-threshold 15\n";
  const std::string warning = "applies to IPv4 only";
  Daemon daemon(lab.router(), v4 + v6 + threshold);
  CHECK(contains(daemon.log(), warning));

  daemon.write_config(v4 + threshold);
  const auto quiet = daemon.ctl({"reload"});
  CHECK(quiet.exit_code == 0);
  CHECK_FALSE(contains(quiet.out + quiet.err, warning));

  daemon.write_config(v6 + threshold);
  const auto loud = daemon.ctl({"reload"});
  CHECK(loud.exit_code == 0);
  CHECK(contains(loud.out + loud.err, warning));

  const auto check =
      run_program(lab.router(), {built_program("mcastd"), "-F", daemon.config_file().string()});
  CHECK(check.exit_code == 0);
  CHECK(contains(check.err, warning));
}

TEST_CASE("IPv6 packets pass whatever the threshold says") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "fd00:1::2", "ff1e::101", "eth1") +
                                  "phyint eth1 ttl-threshold 64\n");
  TtlFlow flow(lab.sender, lab.first, "ff1e::101", 16);
  CHECK(expect_flow(flow.sender, flow.receiver));
}

}  // namespace
}  // namespace mcast::testing
