// SPDX-License-Identifier: BSD-2-Clause
//
// What only Linux does with multicast rules: packets that the router itself sends, and rules with
// words that ours do not have.
#include <doctest/doctest.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "netlink/multicast_rule_socket.hpp"
#include "platform/linux/mroute_kernel.hpp"
#include "platform/linux/table_keeper.hpp"
#include "tests/support/multicast_rules.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/traffic.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

using Match = MulticastRule::Match;

struct Router {
  NetNamespace net;
  std::unique_ptr<platform::MulticastRuleSocket> rules =
      net.run([] { return netlink::open_multicast_rule_socket(platform::is_table_held); }).value();

  Result<void> add(const MulticastRule& rule) { return rules->apply(AddMulticastRule{rule}); }
  Result<void> drop(const MulticastRule& rule) { return rules->apply(DropMulticastRule{rule}); }
  std::vector<KernelMulticastRule> to_table(std::uint32_t id) {
    auto all = rules->list().value();
    std::erase_if(all, [&](const auto& rule) { return rule.rule.table.id != TableId(id); });
    return all;
  }
};

}  // namespace

TEST_CASE("a rule for what is sent chooses the table of the router's own packets") {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    INFO(to_string(family));
    Router router;
    NetNamespace host;
    NetNamespace other;
    const bool v4 = family == Family::ipv4;
    router.net.add_veth("a", other, "lan");
    router.net.add_veth("b", host, "lan");
    router.net.add_address("a", v4 ? "10.1.0.1/24" : "fd00:1::1/64");
    router.net.add_address("b", v4 ? "10.2.0.1/24" : "fd00:2::1/64");
    const std::string own = v4 ? "10.1.0.1" : "fd00:1::1";
    const std::string group = v4 ? "225.1.2.3" : "ff0e::1:3";
    const TableKey table{family, TableId(10)};
    const auto keeper = platform::make_table_keeper();
    const auto kernel = platform::make_mroute_kernel();
    router.net.run([&] {
      REQUIRE(kernel->adopt_table(keeper->open_table(table).value()));
      for (const auto* name : {"a", "b"}) {
        const VifIndex slot(name[0] == 'a' ? 0 : 1);
        REQUIRE(kernel->apply(BindVif{table, slot, IfIndex(router.net.index_of(name)), 1, {}}));
      }
      MfcShape shape;
      shape.parent = VifIndex(0);
      shape.ttls[1] = 1;
      const FlowKey flow{*Address::parse(own), *Address::parse(group)};
      REQUIRE(kernel->apply(PutMfc{table, flow, shape}));
    });
    MulticastSender sender(router.net, "a", group, {.source = own});
    MulticastReceiver receiver(host, "lan", group);
    MulticastSender control(router.net, "b", group);
    MulticastReceiver control_receiver(host, "lan", group);
    REQUIRE(router.add({table, Match::inbound, "a"}));
    CHECK(expect_flow(control, control_receiver));
    CHECK(expect_no_flow(sender, receiver, control, control_receiver));
    REQUIRE(router.add({table, Match::sent, "a"}));
    CHECK(expect_flow(sender, receiver));
  }
}

TEST_CASE("rules with words that ours do not have are not ours") {
  Router router;
  change_multicast_rule(
      router.net, {.iif = "a", .table = 10, .priority = 800, .protocol = 77, .mark = 3}, true);
  CHECK(router.to_table(10).empty());
  change_multicast_rule(router.net, {.iif = "a", .table = 11, .priority = 700, .protocol = 77},
                        true);
  REQUIRE(router.to_table(11).size() == 1);
  CHECK_FALSE(router.to_table(11)[0].ours);
  CHECK(router.to_table(11)[0].made_by == "77");
}

TEST_CASE("a rule for the loopback interface is known to take what the host sends") {
  Router router;
  change_multicast_rule(router.net, {.iif = "lo", .table = 10, .priority = 5}, true);
  REQUIRE(router.to_table(10).size() == 1);
  CHECK(router.to_table(10)[0].rule.match == Match::sent);
  CHECK(router.to_table(10)[0].rule.interface.empty());
  CHECK(router.to_table(10)[0].words == "iif lo table 10 pref 5");
}

TEST_CASE("a name that no interface can have is refused") {
  Router router;
  const auto refused =
      router.add({{Family::ipv4, TableId(10)}, Match::inbound, "0123456789abcdef"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("many rules are listed and dropped") {
  Router router;
  constexpr int kMany = 2000;
  for (int i = 0; i < kMany; ++i) {
    REQUIRE(router.add({{Family::ipv6, TableId(10)}, Match::inbound, "eth" + std::to_string(i)}));
  }
  CHECK(router.to_table(10).size() == kMany);
  for (int i = 0; i < kMany; ++i) {
    REQUIRE(router.drop({{Family::ipv6, TableId(10)}, Match::inbound, "eth" + std::to_string(i)}));
  }
  CHECK(router.to_table(10).empty());
}

TEST_CASE("a loss of events counts as a change") {
  Router router;
  NetNamespace& net = router.net;
  constexpr int kMore = 4000;  // than a socket's default buffer holds
  for (int i = 0; i < kMore; ++i) {
    const ForeignRule rule{.iif = "a", .table = 10, .priority = 5};
    change_multicast_rule(net, rule, i % 2 == 0);
  }
  CHECK(router.rules->read_changes());
  CHECK_FALSE(router.rules->read_changes());
  REQUIRE(router.add({{Family::ipv4, TableId(10)}, Match::inbound, "a"}));
  CHECK_FALSE(router.rules->read_changes());
  change_multicast_rule(net, {.iif = "b", .table = 10, .priority = 5}, true);
  CHECK(router.rules->read_changes());
}

TEST_CASE("without privilege rules are read, and changes name what is needed") {
  Router router;
  // In a process of its own, as privilege does not come back.
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> nothing{};
    bool fine = ::syscall(SYS_capset, &header, nothing.data()) == 0;
    fine = fine && router.rules->list().has_value();
    const auto refused = router.add({{Family::ipv4, TableId(10)}, Match::inbound, "a"});
    fine = fine && !refused && refused.error().code == ErrorCode::no_permission &&
           refused.error().message.ends_with("run it as root or with CAP_NET_ADMIN");
    ::_exit(fine ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
