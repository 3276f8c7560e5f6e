// SPDX-License-Identifier: BSD-2-Clause
//
// Routes for any source that the kernel carries out by itself.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"
#include "tests/support/packet_forge.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

struct NativeCase : FamilyCase {
  std::string second_source;
  std::string length;
  std::string many_sources;  ///< the first of as many as one likes
};
const NativeCase kCases[] = {
    {kFamilies[0], "10.1.7.2", "/24", "10.1.16.0"},
    {kFamilies[1], "fd00:1:7::2", "/64", "fd00:1::1:0"},
};

Json show(const Daemon& daemon, const std::string& what) {
  const auto result = daemon.ctl({"-j", "show", what});
  INFO(result);
  REQUIRE(result.exit_code == 0);
  return Json::parse(result.out);
}

/// The lab under a route for any source of the family's group, and an exact one for its control
/// group.
struct NativeLab : Lab {
  explicit NativeLab(const NativeCase& used)
      : family(used),
        daemon(router(), config("native")),
        control(sender, first, used.control_group) {
    REQUIRE(daemon.eventually([&] { return is_native(); }));
    REQUIRE(control.passes());
  }

  /// `words` follow the group, `more` is further statements.
  [[nodiscard]] std::string config(const std::string& words, const std::string& more = {}) const {
    return fmt::format("mroute from eth0 group {} {} to eth1 eth2\n{}{}", family.group, words,
                       mroute("eth0", family.source, family.control_group, "eth1"), more);
  }
  void reload(const std::string& text) {
    daemon.write_config(text);
    const auto result = daemon.ctl({"reload"});
    INFO(result);
    REQUIRE(result.exit_code == 0);
  }
  [[nodiscard]] bool is_native() const {
    const Json kernel = show(daemon, "routes")["routes"]["kernel"];
    return std::ranges::any_of(kernel, [&](const Json& row) {
      return row["source"].is_null() && row["group"] == family.group && row["iif"] == "eth0" &&
             row["oifs"] == Json{"eth1", "eth2"};
    });
  }
  /// The row of the family's routing table.
  [[nodiscard]] Json table() const {
    const Json tables = show(daemon, "interfaces")["tables"];
    const std::string_view name = family.name == "IPv4" ? "ipv4" : "ipv6";
    return *std::ranges::find_if(tables, [&](const Json& row) { return row["family"] == name; });
  }

  const NativeCase& family;
  Daemon daemon;
  Flow control;
};

TEST_CASE("thousands of sources at once lose no packet, ask nothing and cost no entry") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    NativeLab lab(family);
    MulticastReceiver receiver = lab.first.receiver(family.group);
    const auto entries = lab.table()["entries"];
    PacketForge forge(lab.sender.net(), Host::kLan);
    std::vector<PacketForge::Addresses> flows;
    constexpr std::size_t kSources = 2000;
    for (const std::string& source : count_up(family.many_sources, kSources))
      flows.push_back({source, family.group});
    forge.send(forge.make(flows));
    const auto arrived = [&] { return receiver.account(forge.flow()).received; };
    while (arrived() < kSources && receiver.await(kPatience)) {
    }
    CHECK(arrived() == kSources);
    CHECK(receiver.account(forge.flow()).duplicated == 0);
    CHECK(lab.table()["upcalls"] == 0);
    CHECK(lab.table()["learned"] == 0);
    CHECK(lab.table()["entries"] == entries);
  }
}

TEST_CASE("traffic goes in the direction that was written, not back and not across") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    NativeLab lab(family);
    const std::string& behind = lab.first.address_for(family.group);
    lab.reload(lab.config("native", mroute("eth1", behind, family.control_group, "eth0 eth2")));
    Flow forth(lab.sender, lab.second, family.group);
    CHECK(forth.passes());
    Flow way_back(lab.first, lab.sender, family.control_group);
    Flow way_across(lab.first, lab.second, family.control_group);
    REQUIRE(way_back.passes());
    REQUIRE(way_across.passes());
    Flow back(lab.first, lab.sender, family.group);
    Flow across(lab.first, lab.second, family.group);
    CHECK(back.blocked(way_back));
    CHECK(across.blocked(way_across));
    CHECK(forth.passes());
    CHECK(lab.is_native());
  }
}

TEST_CASE("exceptions on top block a source or send it elsewhere") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    NativeLab lab(family);
    lab.sender.net().add_address(Host::kLan, family.second_source + family.length);
    Flow good(lab.sender, lab.first, family.group, family.source);
    Flow bad(lab.sender, lab.first, family.group, family.second_source);
    Flow bad_at_second(lab.sender, lab.second, family.group, family.second_source);
    CHECK(bad.passes());

    lab.reload(lab.config(fmt::format("except {} native", family.second_source)));
    CHECK(eventually_blocked(lab.daemon, bad, lab.control));
    CHECK(good.passes());

    lab.reload(lab.config("native", mroute("eth0", family.second_source, family.group, "eth2")));
    CHECK(bad_at_second.passes());
    CHECK(eventually_blocked(lab.daemon, bad, lab.control));
    CHECK(good.passes());

    lab.reload(lab.config("native"));
    CHECK(bad.passes());
    CHECK(lab.is_native());
    CHECK(lab.table()["learned"] == 0);
  }
}

TEST_CASE("interfaces that leave and return take part again, still without a question") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    NativeLab lab(family);
    Flow first(lab.sender, lab.first, family.group);
    Flow second(lab.sender, lab.second, family.group);
    REQUIRE(first.passes());
    lab.net.pull("eth1");
    CHECK(second.passes());
    lab.net.plug("eth1", lab.first);
    CHECK(first.passes());
    lab.net.pull("eth0");
    lab.net.plug("eth0", lab.sender);
    CHECK(first.passes());
    CHECK(second.passes());
    CHECK(lab.is_native());
    CHECK(lab.table()["learned"] == 0);
  }
}

TEST_CASE("a file makes a learned route native under running traffic, and learned again") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    NativeLab lab(family);
    Flow flow(lab.sender, lab.first, family.group);
    lab.reload(lab.config("learned"));
    CHECK(flow.passes());
    CHECK(lab.table()["learned"] == 1);
    CHECK_FALSE(lab.is_native());

    Bystander running(lab.sender, lab.first, family.group);
    lab.reload("any-source native\n" + lab.config(""));
    CHECK(lab.daemon.eventually([&] { return lab.is_native(); }));
    CHECK(lab.daemon.eventually([&] { return lab.table()["learned"] == 0; }));
    CHECK(running.undisturbed());

    lab.reload(lab.config(""));
    CHECK(flow.passes());
    CHECK(lab.table()["learned"] == 1);
  }
}

TEST_CASE("what the kernel could not keep apart is learned, and the reason is shown") {
  for (const auto& family : kCases) {
    CAPTURE(family.name);
    NativeLab lab(family);
    lab.reload(lab.config("native",
                          fmt::format("mroute from eth1 group {} native to eth0\n", family.group)));
    Flow forth(lab.sender, lab.first, family.group);
    Flow back(lab.first, lab.sender, family.group);
    CHECK(forth.passes());
    CHECK(back.passes());
    CHECK_FALSE(lab.is_native());
    CHECK(contains(show(lab.daemon, "pending").dump(), "form a circle"));
    CHECK(contains(lab.daemon.log(), "form a circle"));

    lab.reload(lab.config("native"));
    CHECK(lab.daemon.eventually([&] { return lab.is_native(); }));
    CHECK(forth.passes());
    CHECK(show(lab.daemon, "pending")["pending"].empty());
  }
}

}  // namespace
}  // namespace mcast::testing
