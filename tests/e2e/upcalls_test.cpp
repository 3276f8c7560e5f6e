// SPDX-License-Identifier: BSD-2-Clause
//
// What the kernel asks the daemon: much at once, nonsense, too much, and twice.
#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"
#include "tests/support/packet_forge.hpp"
#include "tests/support/raw_mrouter.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

std::string any_source(const std::string& in, const std::string& group) {
  return fmt::format("mroute from {} group {} to eth1\n", in, group);
}

bool is_v4(const FamilyCase& family) {
  return family.name == "IPv4";
}

/// The row of the family's routing table.
Json table(const Daemon& daemon, const FamilyCase& family) {
  const auto result = daemon.ctl({"-j", "show", "interfaces"});
  INFO(result);
  REQUIRE(result.exit_code == 0);
  const Json answer = Json::parse(result.out);
  for (const Json& row : answer["tables"])
    if (row["family"] == (is_v4(family) ? "ipv4" : "ipv6")) return row;
  FAIL("no such table");
  return nullptr;
}

/// How many flows the kernel asked about without an answer: they have no inbound interface.
std::size_t unanswered(NetNamespace& router, const FamilyCase& family) {
  const auto cache = router.read_proc_net(is_v4(family) ? "ip_mr_cache" : "ip6_mr_cache");
  constexpr std::string_view kNone = " -1 ";
  std::size_t count = 0;
  for (auto at = cache.find(kNone); at != std::string::npos; at = cache.find(kNone, at + 1))
    ++count;
  return count;
}

std::vector<PacketForge::Packet> one_packet_each(PacketForge& forge, const std::string& first,
                                                 std::size_t count, const std::string& group) {
  std::vector<PacketForge::Addresses> flows;
  for (const std::string& source : count_up(first, count)) flows.push_back({source, group});
  return forge.make(flows);
}

TEST_CASE("2,000 flows of one packet each at once lose none") {
  const FamilyCase& family = kFamilies[0];
  Lab lab;
  const Daemon daemon(lab.router(), any_source("eth0", family.group), {.log_level = "notice"});
  Flow first(lab.sender, lab.first, family.group);
  REQUIRE(first.passes());
  PacketForge forge(lab.sender.net(), Host::kLan);
  constexpr std::size_t kFlows = 2000;
  forge.send(one_packet_each(forge, "10.1.16.0", kFlows, family.group));
  const auto arrived = [&] { return first.receiver.account(forge.flow()).received; };
  while (arrived() < kFlows && first.receiver.await(kPatience)) {
  }
  CHECK(arrived() == kFlows);
  CHECK(first.receiver.account(forge.flow()).duplicated == 0);
  CHECK(table(daemon, family)["learned"] == kFlows + 1);
  CHECK(table(daemon, family)["upcalls_lost"] == 0);
}

TEST_CASE("a source that moves costs one upcall") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Host& elsewhere = lab.net.add_host();
    lab.net.plug("eth3", elsewhere);
    elsewhere.net().add_address(Host::kLan, family.source + (is_v4(family) ? "/24" : "/64"));
    const Daemon daemon(lab.router(),
                        any_source("eth0", family.group) + any_source("eth3", family.group));
    Flow before(lab.sender, lab.first, family.group);
    REQUIRE(before.passes());
    CHECK(table(daemon, family)["upcalls"] == 1);
    Flow after(elsewhere, lab.first, family.group, family.source);
    CHECK(after.passes());
    CHECK(table(daemon, family)["upcalls"] == 2);
  }
}

TEST_CASE("a flow whose entry another program removed passes on with the very next packet") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const Daemon daemon(lab.router(),
                        any_source("eth0", family.group) +
                            mroute("eth0", family.source, family.other_group, "eth1"));
    RawMrouter stranger(lab.router(), is_v4(family) ? AF_INET : AF_INET6,
                        RawMrouter::Role::stranger);
    for (const std::string& group : {family.group, family.other_group}) {
      CAPTURE(group);
      Flow flow(lab.sender, lab.first, group);
      REQUIRE(flow.passes());
      stranger.drop_route(family.source, group);
      const auto next = flow.sender.send();
      CHECK(flow.receiver.await(flow.sender, next, kPatience));
      CHECK(flow.receiver.account(flow.sender).has(next));
    }
  }
}

// --- Nonsense ------------------------------------------------------------------------------------

TEST_CASE("packets from addresses that are nobody's, or the router's own, do no harm") {
  const std::vector<std::string> spoofed[] = {
      {"0.0.0.0", "127.0.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "10.1.0.1", "10.1.0.0",
       "10.1.0.255", "240.0.0.1"},
      {"::", "::1", "ff02::1", "ff1e::101", "::ffff:10.1.0.2", "fd00:1::1", "fe80::1"},
  };
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const Daemon daemon(lab.router(), any_source("eth0", family.group));
    Flow good(lab.sender, lab.first, family.group);
    PacketForge forge(lab.sender.net(), Host::kLan);
    for (const std::string& source : spoofed[is_v4(family) ? 0 : 1]) {
      for (const std::string& group : {family.group, family.other_group})
        forge.send(forge.make({source, group}));
    }
    CHECK(good.passes());
    CHECK(unanswered(lab.router(), family) == 0);
    const auto routes = daemon.ctl({"-p", "show", "routes"});
    CHECK(routes.exit_code == 0);
    for (const std::string source : {"(0.0.0.0,", "(127.0.0.1,", "(224.0.0.1,", "(::,", "(::1,",
                                     "(ff02::1,", "(ff1e::101,", "(239.1.1.1,"})
      CHECK_FALSE(contains(routes.out, source));
    CHECK(daemon.running());
  }
}

// --- Too much ------------------------------------------------------------------------------------

/// Leaves the daemon's table sockets room for a few upcalls only.
void shrink_upcall_buffers(const Daemon& daemon) {
  const Fd process(
      check_call(static_cast<int>(::syscall(SYS_pidfd_open, daemon.pid(), 0)), "pidfd_open"));
  const std::filesystem::path all = fmt::format("/proc/{}/fd", daemon.pid());
  int shrunk = 0;
  for (const auto& entry : std::filesystem::directory_iterator(all)) {
    const int number = std::stoi(entry.path().filename());
    const Fd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(copy.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_RAW)
      continue;
    int protocol = 0;
    size = sizeof protocol;
    ::getsockopt(copy.get(), SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    if (protocol != IPPROTO_IGMP && protocol != IPPROTO_ICMPV6) continue;
    const int least = 1;
    check_call(::setsockopt(copy.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least), "SO_RCVBUF");
    ++shrunk;
  }
  REQUIRE(shrunk >= 2);
}

TEST_CASE("upcalls that are lost are counted, told in the log, and do no lasting harm") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const Daemon daemon(lab.router(), any_source("eth0", family.group), {.log_level = "notice"});
    Flow first(lab.sender, lab.first, family.group);
    REQUIRE(first.passes());
    CHECK(table(daemon, family)["upcalls_lost"] == 0);
    shrink_upcall_buffers(daemon);
    PacketForge forge(lab.sender.net(), Host::kLan);
    constexpr std::size_t kFlows = 50;
    const std::string sources = is_v4(family) ? "10.1.16.0" : "fd00:1::16:0";
    daemon.signal(SIGSTOP);
    forge.send(one_packet_each(forge, sources, kFlows, family.group));
    daemon.signal(SIGCONT);
    const auto lost = [&] { return table(daemon, family)["upcalls_lost"].get<std::size_t>(); };
    CHECK(daemon.eventually([&] { return lost() > 0; }));
    CHECK(daemon.eventually([&] { return contains(daemon.log(), "upcalls were lost"); }));
    CHECK(contains(daemon.ctl({"-d", "show", "interfaces"}).out, fmt::format("{} lost", lost())));
    CHECK(daemon.eventually([&] {
      forge.send(one_packet_each(forge, sources, kFlows, family.group));
      return table(daemon, family)["learned"] == kFlows + 1;
    }));
    CHECK(unanswered(lab.router(), family) == 0);
    CHECK(first.passes());
  }
}

TEST_CASE("while junk floods the router, a good flow is learned and a running one not disturbed") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const Daemon daemon(lab.router(),
                        any_source("eth0", family.group) + any_source("eth0", family.other_group),
                        {.log_level = "notice"});
    Bystander running(lab.sender, lab.first, family.other_group);
    PacketForge forge(lab.sender.net(), Host::kLan);
    std::vector<PacketForge::Addresses> flows;
    for (const auto& group : count_up(is_v4(family) ? "239.77.0.0" : "ff1e:77::", 12'000))
      flows.push_back({family.source, group});
    const auto junk = forge.make(flows);
    std::jthread flood([&] { forge.send(junk); });
    Flow good(lab.sender, lab.first, family.group);
    CHECK(good.passes());
    flood.join();
    CHECK(good.passes());
    CHECK(running.undisturbed());
    CHECK(daemon.eventually([&] { return unanswered(lab.router(), family) == 0; }));
    CHECK(table(daemon, family)["stop_filters"] <= 4096);
  }
}

}  // namespace
}  // namespace mcast::testing
