// SPDX-License-Identifier: BSD-2-Clause
// Where the kernel binds a slot by a local address: interfaces that have none, or none of their
// own.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

const FlowKey kFlow = flow("10.0.0.9", "225.1.2.3");
const FlowKey kFlow6 = flow("fd00::9", "ff35::3");
const std::string kRules = "mroute from em0 source 10.0.0.9 group 225.1.2.3 to em1 em2\n"
                           "mroute from em0 source fd00::9 group ff35::3 to em1\n";

struct Addressed : EngineOnFake {
  explicit Addressed(const KernelTraits& traits = freebsd_traits()) : EngineOnFake(traits) {}
  /// With an IPv6 address only.
  Device bare(const std::string& name) {
    Link link;
    link.name = name;
    link.up = link.multicast = true;
    link.addresses = {Address::parse("fe80::1").value()};
    const Device device = kernel.add_link(std::move(link));
    settle();
    return device;
  }
  void addresses(const std::string& name, const std::vector<std::string>& list) {
    edit(name, list);
    calls = settle();
  }
  /// Nobody hears of it yet.
  void edit(const std::string& name, const std::vector<std::string>& list) {
    kernel.change_link(index(name), [&](Link& link) {
      std::erase_if(link.addresses, [](const Address& a) { return a.family() == Family::ipv4; });
      for (const auto& text : list) link.addresses.push_back(Address::parse(text).value());
    });
  }
  [[nodiscard]] IfIndex index(const std::string& name) const {
    return kernel.find_link(name)->link.index;
  }
  [[nodiscard]] std::string note(const std::string& name) const {
    const auto rows = engine.interfaces();
    return std::ranges::find(rows, name, &InterfaceStatus::name)->note;
  }
  std::vector<std::string> told() {
    std::vector<std::string> texts;
    for (const Notice& notice : engine.take_notices()) texts.push_back(notice.text);
    return texts;
  }
  [[nodiscard]] std::vector<std::pair<RuleState, std::string>> states() const {
    std::vector<std::pair<RuleState, std::string>> all;
    for (const auto& row : engine.route_rules(Engine::RuleKind::exact, 0, 10).rows) {
      all.emplace_back(row.state, row.reason);
    }
    return all;
  }
};

constexpr const char* kNoAddress =
    "has no IPv4 address, which this kernel needs to forward from or to it";

TEST_CASE("an inbound interface without an address waits, says so, and is bound with the first") {
  Addressed it;
  const Device em0 = it.bare("em0");
  const Device em1 = it.add("em1");
  it.configure(kRules);
  CHECK_FALSE(it.engine.next_deadline());
  CHECK(it.kernel.slots_bound(it.table_v4()) == 1);
  CHECK(it.out(em0, kFlow6) == Devices{em1});
  CHECK(it.note("em0") == kNoAddress);
  CHECK(it.told() == std::vector{fmt::format("interface em0 {}; it waits", kNoAddress)});
  REQUIRE(it.states().size() == 2);
  CHECK(it.states()[0].first == RuleState::waiting);
  CHECK(it.states()[0].second ==
        fmt::format("interface em0 {}, interface em2 does not exist", kNoAddress));
  CHECK(it.states()[1].first == RuleState::active);
  CHECK(it.engine.pending(0, 10).rows.size() == 1);

  it.addresses("em0", {"192.0.2.1"});
  CHECK(it.out(em0, kFlow) == Devices{em1});
  CHECK(it.note("em0").empty());
  CHECK(it.told() ==
        std::vector<std::string>{"interface em0 can be forwarded from and to by IPv4 now"});
  CHECK(it.states()[0].first == RuleState::active);
}

TEST_CASE("an outbound interface without an address is left out until it has one") {
  Addressed it;
  const Device em0 = it.add("em0");
  const Device em1 = it.add("em1");
  const Device em2 = it.bare("em2");
  it.configure(kRules);
  CHECK(it.out(em0, kFlow) == Devices{em1});
  CHECK(it.states()[0] ==
        std::pair{RuleState::active, fmt::format("interface em2 {}", kNoAddress)});
  it.addresses("em2", {"192.0.2.1"});
  CHECK(it.out(em0, kFlow) == Devices{em1, em2});
  CHECK(it.states()[0].second.empty());
}

TEST_CASE("a wildcard that only means interfaces without an address waits for one") {
  Addressed it;
  const Device em0 = it.bare("em0");
  const Device em1 = it.add("em1");
  it.configure("mroute from em0+ source 10.0.0.9 group 225.1.2.3 to em1\n");
  CHECK(it.states()[0] ==
        std::pair{RuleState::waiting, fmt::format("interface em0 {}", kNoAddress)});
  it.addresses("em0", {"192.0.2.1"});
  CHECK(it.out(em0, kFlow) == Devices{em1});
}

TEST_CASE("what no rule means, or is disabled, may be without an address") {
  Addressed it;
  it.bare("em0");
  it.bare("em9");
  it.configure("phyint em0 disable\n" + kRules);
  for (const auto& line : it.told()) CHECK(line.find("address") == std::string::npos);
  CHECK(it.note("em9").empty());
}

TEST_CASE("what becomes of addresses does not touch an interface that is bound") {
  Addressed it;
  const Device em0 = it.add("em0");
  const Device em1 = it.add("em1");
  it.configure(kRules);
  for (const auto& list : {std::vector<std::string>{}, {"192.0.2.7"}, {"192.0.2.8", "192.0.2.9"}}) {
    it.addresses("em0", list);
    CHECK(it.calls == 0);
    CHECK(it.out(em0, kFlow) == Devices{em1});
  }
  it.bare("em5");
  it.addresses("em5", {"192.0.2.8", "192.0.2.9"});
  CHECK(it.calls == 0);
  CHECK(it.note("em0").empty());
  CHECK(it.out(em0, kFlow) == Devices{em1});
}

TEST_CASE("an address that another interface has too binds neither") {
  Addressed it;
  const Device em0 = it.bare("em0");
  const Device em1 = it.add("em1");
  it.bare("tun0");
  it.addresses("em0", {"192.0.2.1"});
  it.addresses("tun0", {"192.0.2.1"});
  it.configure(kRules);
  CHECK(it.out(em0, kFlow).empty());
  const std::string why =
      "has no IPv4 address of its own, which this kernel needs to forward from or to it: tun0 has "
      "192.0.2.1 too";
  CHECK(it.note("em0") == why);
  CHECK(it.states()[0].second.find(why) != std::string::npos);
  SUBCASE("until it has another one") {
    it.addresses("em0", {"192.0.2.1", "192.0.2.2"});
  }
  SUBCASE("until the other one gives it up") {
    it.addresses("tun0", {});
  }
  SUBCASE("until the other one departs") {
    it.remove("tun0");
  }
  CHECK(it.out(em0, kFlow) == Devices{em1});
}

TEST_CASE("a departed interface keeps its slot in reserve while it waits for its address") {
  Addressed it;
  it.add("em0");
  const Device em1 = it.add("em1");
  it.configure(kRules);
  it.remove("em0");
  const Device em0 = it.bare("em0");
  CHECK(it.kernel.slots_bound(it.table_v4()) == 1);
  it.addresses("em0", {"192.0.2.1"});
  CHECK(it.out(em0, kFlow) == Devices{em1});
  CHECK(it.kernel.slot(it.table_v4(), VifIndex(0)) == em0);
}

TEST_CASE("a slot that the kernel may have given to another interface is taken back") {
  Addressed it;
  const Device em0 = it.bare("em0");
  const Device em1 = it.bare("em1");
  const Device em2 = it.add("em2");
  it.addresses("em1", {"192.0.2.1"});
  // em1's address has become em0's when the engine, which has not heard of it, binds em1.
  it.edit("em1", {"192.0.2.2"});
  it.edit("em0", {"192.0.2.1"});
  it.engine.set_config(
      parse_text("mroute from em1 source 10.0.0.9 group 225.1.2.3 to em2\n").config);
  platform::converge(it.engine, {.keeper = &it.kernel, .kernel = &it.kernel}, it.now);
  REQUIRE(it.out(em0, kFlow) == Devices{em2});
  SUBCASE("which is heard of next") {
    it.settle();
    CHECK(it.out(em1, kFlow) == Devices{em2});
  }
  SUBCASE("which is gone already") {
    it.kernel.remove_link(it.index("em1"));
    it.settle();
    it.add("em1");
  }
  CHECK(it.out(em0, kFlow).empty());
  CHECK(it.kernel.violations().empty());
}

TEST_CASE("where interfaces are bound by index, addresses are of no account") {
  Addressed it(linux_traits());
  const Device em0 = it.bare("em0");
  const Device em1 = it.bare("em1");
  it.configure(kRules);
  CHECK(it.out(em0, kFlow) == Devices{em1});
  CHECK(it.note("em0").empty());
}

}  // namespace
}  // namespace mcast::testing
