// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <sstream>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

/// Packets that an interface was given to send; 0 if it does not exist.
std::uint64_t packets_sent(const NetNamespace& net, const std::string& interface) {
  std::istringstream lines(net.read_proc_net("dev"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name != interface + ":") continue;
    constexpr int kFieldsBefore = 9;  // eight about reception, then the bytes sent
    std::uint64_t value = 0;
    for (int field = 0; field <= kFieldsBefore; ++field) words >> value;
    return value;
  }
  return 0;
}

/// Each burst is far more than the interface has to say of its own (MLD, router solicitations). The
/// packet that arrives at the receiver afterwards shows that the burst has been dealt with.
bool copied_to(const Daemon& daemon, Flow& flow, const NetNamespace& net,
               const std::string& interface) {
  constexpr std::uint64_t kBurst = 100;
  return daemon.eventually([&] {
    const auto before = packets_sent(net, interface);
    for (std::uint64_t i = 0; i < kBurst; ++i) flow.sender.send();
    return flow.passes() && packets_sent(net, interface) >= before + kBurst;
  });
}

/// The kernel makes them without the flag that routing multicast asks for.
void add_dummy(NetNamespace& net, const std::string& name) {
  net.add_dummy(name);
  net.set_multicast(name, true);
}

TEST_CASE("packets are forwarded between real and dummy interfaces, which come and go") {
  for (const FamilyCase& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    add_dummy(lab.router(), "dummy0");
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1 dummy+"));
    Flow flow(lab.sender, lab.first, family.group);
    CHECK(copied_to(daemon, flow, lab.router(), "dummy0"));
    lab.router().remove_link("dummy0");
    CHECK(flow.passes());
    add_dummy(lab.router(), "dummy1");
    CHECK(copied_to(daemon, flow, lab.router(), "dummy1"));
  }
}

TEST_CASE("-t serves the table of a VRF: its members forward, others do not") {
  Lab lab;
  constexpr std::uint32_t kTable = 10;
  lab.router().add_vrf("red", kTable);
  for (const char* member : {"eth0", "eth1"}) lab.router().enslave(member, "red");
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"),
                {.arguments = {"-t", "10"}});
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  lab.router().release("eth0");
  CHECK_FALSE(flow.passes(Duration{200}));
  lab.router().enslave("eth0", "red");
  CHECK(flow.passes());
}

}  // namespace
}  // namespace mcast::testing
