// SPDX-License-Identifier: BSD-2-Clause
//
// The daemon's answers about VRFs, which not every kernel has.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/control.hpp"
#include "tests/unit/engine_on_fake.hpp"

using namespace mcast;
using namespace mcast::testing;
using ipc::DomainWords;

namespace {

/// Two VRFs: red has eth0 and rules, blue has eth1 and none. eth2 is in neither.
class Host final : public cli::ControlHost {
 public:
  Host() {
    const IfIndex red = vrf("red", 10);
    const IfIndex blue = vrf("blue", 20);
    enslave("eth0", red);
    enslave("eth1", blue);
    enslave("eth2", {});
    router.configure("mroute vrf red from eth0 source 10.0.0.1 group 225.1.1.1 to eth2\n"
                     "mroute from eth2 source 10.0.0.1 group 225.1.1.2 to eth0\n"
                     "mroute vrf green from eth0 group 225.1.1.3 to eth2\n");
  }

  Engine& engine() override { return router.engine; }
  platform::MrouteKernel& kernel() override { return router.kernel; }
  [[nodiscard]] TableId default_table(Family family) const override {
    return family == Family::ipv4 ? router.table_v4().id : router.table_v6().id;
  }
  void changed() override { router.settle(); }
  ipc::Outcome reload() override { return {}; }
  void stop() override {}

  EngineOnFake router;
  cli::Control control{*this};

 private:
  IfIndex vrf(const std::string& name, std::uint32_t table) {
    Link link;
    link.name = name;
    link.up = true;
    link.kind = "vrf";
    link.vrf_table = TableId(table);
    router.kernel.add_link(link);
    router.settle();
    return router.kernel.find_link(name)->link.index;
  }
  void enslave(const std::string& name, IfIndex master) {
    Link link;
    link.name = name;
    link.up = true;
    link.multicast = true;
    link.master = master;
    link.master_is_vrf = master.value != 0;
    router.kernel.add_link(link);
    router.settle();
  }
};

template <class Row>
std::vector<Row> all(ipc::Listing<Row> listing) {
  if (!listing) FAIL(listing.error().error.message);
  std::vector<Row> rows;
  while (auto page = (*listing)->next(2)) rows.insert(rows.end(), page->begin(), page->end());
  return rows;
}

std::vector<std::string> groups(const std::vector<ipc::RouteRow>& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) names.push_back(row.group);
  return names;
}

const ipc::Selection kRed = DomainWords{DomainWords::Kind::vrf, "red"};
const ipc::Selection kBlue = DomainWords{DomainWords::Kind::vrf, "blue"};
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the table of a VRF is found by the VRF's name and by its number") {
  Host host;
  const ipc::Selection ten = DomainWords{DomainWords::Kind::table, "10"};
  for (const auto list : {ipc::RouteList::exact, ipc::RouteList::kernel}) {
    CHECK(groups(all(host.control.show_routes(list, false, {}))).size() == 2);
    CHECK(groups(all(host.control.show_routes(list, false, kRed))) == Names{"225.1.1.1"});
    CHECK(groups(all(host.control.show_routes(list, false, ten))) == Names{"225.1.1.1"});
    CHECK(all(host.control.show_routes(list, false, kBlue)).empty());
  }
  const auto red = all(host.control.show_interfaces(kRed));
  REQUIRE(red.size() == 1);
  CHECK(red[0].name == "eth0");
  CHECK(red[0].table == 10);
  CHECK(all(host.control.show_interfaces(kBlue))[0].name == "eth1");
}

TEST_CASE("what names a table that does not exist is refused, by every question") {
  Host host;
  for (const auto& only :
       {DomainWords{DomainWords::Kind::vrf, "rde"}, DomainWords{DomainWords::Kind::vrf, "eth0"},
        DomainWords{DomainWords::Kind::table, "red"}, DomainWords{DomainWords::Kind::table, "9"}}) {
    CHECK_FALSE(host.control.show_interfaces(only));
    CHECK_FALSE(host.control.show_tables(only));
    CHECK_FALSE(host.control.show_groups(ipc::GroupList::kernel, only));
    CHECK_FALSE(host.control.show_routes(ipc::RouteList::kernel, false, only));
    CHECK_FALSE(host.control.show_pending(only));
    CHECK_FALSE(host.control.flush(only));
  }
}

TEST_CASE("tables have the names of their VRFs, even those that no rule belongs to") {
  Host host;
  const auto tables = all(host.control.show_tables({}));
  const auto named = [&](const std::string& name) {
    return std::ranges::count(tables, name, &ipc::TableRow::name);
  };
  CHECK(named("red") == 2);  // one for each family
  CHECK(named("blue") == 2);
  for (const auto& table : tables) {
    CHECK(table.is_default == (table.table == 253 || table.table == 254));
    if (table.name == "blue") CHECK(table.why_not == "no rule belongs to it");
    if (table.name == "red" && table.family == Family::ipv4) CHECK(table.why_not.empty());
  }
  CHECK(all(host.control.show_tables(kBlue)).size() == 2);
}

TEST_CASE("a rule for a VRF that does not exist has no table") {
  Host host;
  const auto pending = all(host.control.show_pending({}));
  REQUIRE(pending.size() == 1);
  CHECK_FALSE(pending[0].table);
  CHECK(pending[0].domain == DomainWords{DomainWords::Kind::vrf, "green"});
  CHECK(all(host.control.show_pending(kRed)).empty());
}
