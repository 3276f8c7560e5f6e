// SPDX-License-Identifier: BSD-2-Clause
// Multicast Router Discovery on real packets, beside a snooping bridge and tshark.
#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <sstream>

#include "tests/e2e/lab.hpp"
#include "tests/support/packet_capture.hpp"

namespace mcast::testing {
namespace {

using Frame = PacketCapture::Frame;

struct MessageTypes {
  const char* name;
  int advertisement;
  int solicitation;
  int termination;
  int leave;  ///< of IGMP and MLD: also sent to all routers
};
constexpr MessageTypes kIpv4{"IPv4", 0x30, 0x31, 0x32, 0x17};
constexpr MessageTypes kIpv6{"IPv6", 151, 152, 153, 132};
constexpr MessageTypes kBoth[] = {kIpv4, kIpv6};

/// The type of a message of IGMP, or of ICMPv6 behind a header with a router alert; -1 of others.
int type_of(const Frame& frame) {
  constexpr std::size_t kEthernet = 14;
  constexpr std::size_t kIpv6Header = 40;
  constexpr std::size_t kHopByHop = 8;
  if (frame.size() < kEthernet + 24) return -1;
  if (frame[12] == 8 && frame[13] == 0 && frame[kEthernet + 9] == IPPROTO_IGMP) {
    const std::size_t at = kEthernet + (frame[kEthernet] & 0xfU) * std::size_t{4};
    return at < frame.size() ? frame[at] : -1;
  }
  const std::size_t at = kEthernet + kIpv6Header + kHopByHop;
  const bool matches = frame[12] == 0x86 && frame[13] == 0xdd && frame.size() > at &&
                       frame[kEthernet + 6] == 0 &&
                       frame[kEthernet + kIpv6Header] == IPPROTO_ICMPV6;
  return matches ? frame[at] : -1;
}

auto of_type(int type) {
  return [type](const Frame& frame) { return type_of(frame) == type; };
}

std::size_t count(PacketCapture& capture, int type) {
  return static_cast<std::size_t>(std::ranges::count_if(capture.frames(), of_type(type)));
}

/// What a daemon under test runs with. An interval of three minutes is beyond the patience of any
/// test: what comes a second time was caused by something.
Daemon::Options with_interval(int seconds) {
  return {.arguments = {"-m", std::to_string(seconds)}};
}
constexpr int kLongest = 180;
constexpr std::size_t kBurst = 3;

/// A socket on the host's segment whose packets go one hop.
Fd raw_socket(int family, int protocol) {
  const int index = static_cast<int>(::if_nametoindex(Host::kLan));
  const int hops = 1;
  Fd socket(check_call(::socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol), "raw socket"));
  if (family == AF_INET) {
    const ip_mreqn out{{}, {}, index};
    check_call(::setsockopt(socket.get(), IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out), "out");
    check_call(::setsockopt(socket.get(), IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops), "TTL");
  } else {
    check_call(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index),
               "out");
    check_call(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops),
               "hops");
  }
  return socket;
}

/// Sends `times` messages of this type, with nothing in them, to all routers of the segment.
void tell_routers(const Host& host, const MessageTypes& family, int type, int times = 1) {
  const bool v4 = family.advertisement == kIpv4.advertisement;
  host.net().run([&] {
    const Fd socket = v4 ? raw_socket(AF_INET, IPPROTO_IGMP) : raw_socket(AF_INET6, IPPROTO_ICMPV6);
    sockaddr_storage to{};
    to.ss_family = v4 ? AF_INET : AF_INET6;
    auto* in = reinterpret_cast<sockaddr_in*>(&to);
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&to);
    v4 ? ::inet_pton(AF_INET, "224.0.0.2", &in->sin_addr)
       : ::inet_pton(AF_INET6, "ff02::2", &in6->sin6_addr);
    // The kernel writes the checksum of ICMPv6.
    const auto high = static_cast<std::uint8_t>(v4 ? ~type : 0);
    const auto low = static_cast<std::uint8_t>(v4 ? 0xff : 0);
    const std::uint8_t message[] = {static_cast<std::uint8_t>(type), 0, high, low};
    for (int i = 0; i < times; ++i) {
      check_call(static_cast<int>(::sendto(socket.get(), message, sizeof message, 0,
                                           reinterpret_cast<const sockaddr*>(&to),
                                           v4 ? sizeof *in : sizeof *in6)),
                 "send to all routers");
    }
  });
}

void solicit(const Host& host, const MessageTypes& family) {
  tell_routers(host, family, family.solicitation);
}

std::vector<std::vector<std::string>> rows_of(const std::string& table) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, '|');) rows.back().push_back(cell);
  }
  return rows;
}

/// RFC 1071 over "AABB...", checksum included: 0 if that is right.
unsigned checksum_of(const std::string& hexadecimal) {
  unsigned sum = 0;
  for (std::size_t at = 0; at + 4 <= hexadecimal.size(); at += 4) {
    sum += static_cast<unsigned>(std::stoul(hexadecimal.substr(at, 4), nullptr, 16));
  }
  return ~((sum & 0xffffU) + (sum >> 16U)) & 0xffffU;
}

/// One row for each message, as tshark decodes it.
std::vector<std::vector<std::string>> decoded(PacketCapture& capture, const TempDir& dir,
                                              const std::string& filter,
                                              const std::vector<std::string>& fields) {
  const auto file = dir / "capture.pcap";
  capture.write_pcap(file);
  const NetNamespace quiet;
  std::vector<std::string> command{
      "tshark",      "-r", file.string(),           "-Y", filter, "-T", "fields", "-E",
      "separator=|", "-o", "ip.check_checksum:TRUE"};
  for (const auto& field : fields) {
    command.emplace_back("-e");
    command.push_back(field);
  }
  const auto result = run_program(quiet, command);
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  return rows_of(result.out);
}

TEST_CASE("tshark decodes what is sent, with the checksums, hops and options it has to have") {
  Lab lab;
  PacketCapture capture(lab.first.net(), Host::kLan);
  {
    Daemon daemon(lab.router(), "phyint eth1 mrdisc\n", with_interval(4));
    for (const auto& family : kBoth) CHECK(capture.await(1, of_type(family.advertisement)));
    daemon.signal(SIGTERM);
    REQUIRE(daemon.wait());
  }
  for (const auto& family : kBoth) CHECK(capture.await(1, of_type(family.termination)));

  const TempDir dir;
  auto rows = decoded(
      capture, dir, "igmp.type == 0x30 || igmp.type == 0x32",
      {"ip.src", "ip.dst", "ip.ttl", "ip.opt.ra", "ip.checksum.status", "igmp.type", "igmp.data"});
  REQUIRE(rows.size() >= 2);
  for (const auto& row : rows) {
    REQUIRE(row.size() == 7);
    CHECK(row[0] == "10.2.0.1");
    CHECK(row[1] == "224.0.0.106");
    CHECK(row[2] == "1");
    CHECK(row[3] == "0");
    CHECK(row[4] == "1");
    CHECK(checksum_of(row[5].substr(2) + row[6]) == 0);
    const bool last = &row == &rows.back();
    CHECK(row[5] == (last ? "0x32" : "0x30"));
    // Interval and checksum; query interval and robustness variable of an advertisement.
    CHECK(row[6].substr(0, 2) == (last ? "00" : "04"));
    CHECK(row[6].substr(6) == (last ? "" : "00000000"));
  }

  rows = decoded(capture, dir, "icmpv6.type == 151 || icmpv6.type == 153",
                 {"ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.opt.router_alert", "icmpv6.type",
                  "icmpv6.code", "icmpv6.checksum.status", "ipv6.plen"});
  REQUIRE(rows.size() >= 2);
  for (const auto& row : rows) {
    REQUIRE(row.size() == 8);
    CHECK(row[0].starts_with("fe80::"));
    CHECK(row[1] == "ff02::6a");
    CHECK(row[2] == "1");
    CHECK(row[3] == "0");
    const bool last = &row == &rows.back();
    CHECK(row[4] == (last ? "153" : "151"));
    CHECK(row[5] == (last ? "0" : "4"));
    CHECK(row[6] == "1");
    CHECK(row[7] == (last ? "12" : "16"));
  }
}

/// Makes the host's segment a switch that sends a group only where it was asked for, and to
/// routers that it knows of.
void make_snooping(const Host& host) {
  // It begins to filter a response interval (here 1 s) after it has begun to ask.
  const auto result = run_program(host.net(), {"ip", "link", "set", Host::kLan, "type", "bridge",
                                               "mcast_query_response_interval", "100",
                                               "mcast_snooping", "1", "mcast_querier", "1"});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
}

TEST_CASE("a snooping bridge opens its port for an announced router, and for no other") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    make_snooping(lab.sender);
    // The control group is asked for, so that the bridge sends it to the router in any case.
    const std::string base = mroute("eth0", family.source, family.group, "eth1") +
                             mroute("eth0", family.source, family.control_group, "eth1") +
                             fmt::format("mgroup from eth0 group {}\n", family.control_group);
    Daemon daemon(lab.router(), base, with_interval(4));
    Flow flow(lab.sender, lab.first, family.group);
    Flow control(lab.sender, lab.first, family.control_group);
    REQUIRE(control.passes());
    REQUIRE(eventually_blocked(daemon, flow, control));

    daemon.write_config(base + "phyint eth0 mrdisc\n");
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(flow.passes());
    const auto ports = run_program(lab.sender.net(), {"bridge", "-d", "mdb", "show"});
    CAPTURE(ports.out);
    CHECK(contains(ports.out, "router ports on lan: port1"));
  }
}

TEST_CASE("a new router announces itself three times, and who asks is answered") {
  Lab lab;
  PacketCapture capture(lab.first.net(), Host::kLan);
  Daemon daemon(lab.router(), "phyint eth1 mrdisc\n", with_interval(kLongest));
  for (const auto& family : kBoth) {
    CAPTURE(family.name);
    REQUIRE(capture.await(kBurst, of_type(family.advertisement)));
    solicit(lab.first, family);
    CHECK(capture.await(kBurst + 1, of_type(family.advertisement)));
  }
}

TEST_CASE("nothing is announced where it was not asked for") {
  Lab lab;
  PacketCapture announced(lab.first.net(), Host::kLan);
  PacketCapture silent(lab.second.net(), Host::kLan);
  {
    const Daemon daemon(lab.router(), "phyint eth1 mrdisc\nphyint eth2\n", with_interval(4));
    for (const auto& family : kBoth) CHECK(announced.await(kBurst, of_type(family.advertisement)));
  }
  for (const auto& family : kBoth) {
    CHECK(announced.await(1, of_type(family.termination)));
    CHECK(count(silent, family.advertisement) == 0);
    CHECK(count(silent, family.termination) == 0);
  }
}

TEST_CASE("an interface that is deleted and made again is announced anew, and hears again") {
  Lab lab;
  PacketCapture capture(lab.first.net(), Host::kLan);
  Daemon daemon(lab.router(), "phyint eth+ mrdisc\n", with_interval(kLongest));
  for (std::size_t round = 1; round <= 2; ++round) {
    for (const auto& family : kBoth) {
      CAPTURE(family.name);
      REQUIRE(capture.await(round * kBurst, of_type(family.advertisement)));
    }
    lab.net.pull("eth1");
    lab.net.plug("eth1", lab.first);
  }
  for (const auto& family : kBoth) {
    CAPTURE(family.name);
    REQUIRE(capture.await(3 * kBurst, of_type(family.advertisement)));
    solicit(lab.first, family);
    CHECK(capture.await(3 * kBurst + 1, of_type(family.advertisement)));
    CHECK(count(capture, family.termination) == 0);
  }
}

TEST_CASE("an interface that comes up again, or gets an address, is announced anew") {
  Lab lab;
  PacketCapture capture(lab.first.net(), Host::kLan);
  Daemon daemon(lab.router(), "phyint eth1 mrdisc\n", with_interval(kLongest));
  for (const auto& family : kBoth) REQUIRE(capture.await(kBurst, of_type(family.advertisement)));
  // Stopped, so that it finds all of it in one look.
  const auto while_stopped = [&](auto&& change) {
    REQUIRE(::kill(daemon.pid(), SIGSTOP) == 0);
    change();
    REQUIRE(::kill(daemon.pid(), SIGCONT) == 0);
  };
  while_stopped([&] {
    lab.router().set_down("eth1");
    lab.router().set_up("eth1");
  });
  for (const auto& family : kBoth) {
    CAPTURE(family.name);
    CHECK(capture.await(2 * kBurst, of_type(family.advertisement)));
  }
  while_stopped([&] {
    lab.router().remove_address("eth1", "10.2.0.1/24");
    lab.router().add_address("eth1", "10.2.0.7/24");
  });
  CHECK(capture.await(3 * kBurst, of_type(kIpv4.advertisement)));
}

TEST_CASE("a reload without mrdisc says farewell, and one with it begins anew") {
  Lab lab;
  PacketCapture capture(lab.first.net(), Host::kLan);
  Daemon daemon(lab.router(), "phyint eth1 mrdisc\n", with_interval(kLongest));
  for (const auto& family : kBoth) REQUIRE(capture.await(kBurst, of_type(family.advertisement)));
  daemon.write_config("phyint eth1\n");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  for (const auto& family : kBoth) CHECK(capture.await(1, of_type(family.termination)));
  daemon.write_config("phyint eth1 mrdisc\n");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  for (const auto& family : kBoth) {
    CHECK(capture.await(2 * kBurst, of_type(family.advertisement)));
    CHECK(count(capture, family.termination) == 1);
  }
}

std::uint64_t wakeups(const Daemon& daemon) {
  std::ifstream status(fmt::format("/proc/{}/status", daemon.pid()));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("voluntary_ctxt_switches:")) return std::stoull(line.substr(24));
  }
  throw std::runtime_error("no context switches in /proc");
}

TEST_CASE("what else is sent to all routers does not wake the daemon") {
  Lab lab;
  PacketCapture capture(lab.first.net(), Host::kLan);
  Daemon daemon(lab.router(), "phyint eth1 mrdisc\n", with_interval(kLongest));
  for (const auto& family : kBoth) REQUIRE(capture.await(kBurst, of_type(family.advertisement)));
  const std::uint64_t before = wakeups(daemon);
  constexpr int kMessages = 500;
  for (const auto& family : kBoth) {
    tell_routers(lab.first, family, family.leave, kMessages);
    // Its answer proves that the router has had all the others.
    solicit(lab.first, family);
    CHECK(capture.await(kBurst + 1, of_type(family.advertisement)));
  }
  CHECK(wakeups(daemon) - before < 50);
}

}  // namespace
}  // namespace mcast::testing
