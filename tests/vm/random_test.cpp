// SPDX-License-Identifier: BSD-2-Clause
//
// Random events over three VRFs on a real kernel: what the daemon made of them is compared with
// what the rules mean, as other programs see the kernel.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>

#include "tests/e2e/lab.hpp"
#include "tests/support/multicast_rules.hpp"
#include "tests/support/process.hpp"

namespace mcast::testing {
namespace {

constexpr int kEvents = 500;
constexpr int kEventsPerLook = 20;
constexpr std::uint32_t kDefault = 253;
constexpr std::uint32_t kDeclared = 50;

/// "TABLE GROUP IIF: OIF ...", of entries whose inbound interface is there.
using Routes = std::set<std::string>;

/// The interfaces and VRFs that there are, and what follows for the rules.
class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed) {
    for (std::size_t i = 0; i < vrfs_.size(); ++i) add_vrf(i);
    for (std::size_t i = 0; i < links_.size(); ++i) add_link(i);
  }

  NetNamespace& router() { return router_; }

  [[nodiscard]] std::string rules() const {
    std::string text = fmt::format("table {} iif d+\n", kDeclared);
    for (std::size_t i = 0; i < kLinks; ++i) {
      text += fmt::format("mroute from a{} source 10.9.0.9 group 239.1.0.{} to a+\n", i, i);
      for (std::size_t v = 0; v < vrfs_.size(); ++v) {
        text += fmt::format("mroute vrf v{} from a{} source 10.9.0.9 group 239.2.{}.{} to a+ d0\n",
                            v, i, v, i);
      }
      text += fmt::format("mroute table {} from d{} source 10.9.0.9 group 239.3.0.{} to a+\n",
                          kDeclared, i, i);
    }
    return text;
  }

  void event() {
    const std::size_t i = below(kLinks);
    Link& link = links_[i];
    switch (below(6)) {
      case 0:
      case 1:
        return link.name.empty() ? add_link(i) : enslave(link, below(vrfs_.size()));
      case 2:
        if (link.name.empty() || !link.vrf) return;
        router_.release(link.name);
        link.vrf.reset();
        return;
      case 3:
        return rename(link, i);
      case 4:
        if (link.name.empty()) return add_link(i);
        router_.remove_link(link.name);
        link = {};
        return;
      default:
        return toggle_vrf(below(vrfs_.size()));
    }
  }

  [[nodiscard]] Routes intended() const {
    Routes routes;
    for (const Link& link : links_) {
      if (link.name.empty()) continue;
      const std::string number = link.name.substr(1);
      const auto shares_vrf = [&](const Link& out) {
        return out.name[0] == 'a' && out.vrf == link.vrf && &out != &link;
      };
      if (link.name[0] == 'd') {
        add(routes, kDeclared, "239.3.0." + number, link, shares_vrf);
        continue;
      }
      add(routes, link.vrf ? vrfs_[*link.vrf].table : kDefault, "239.1.0." + number, link,
          shares_vrf);
      if (!link.vrf) continue;
      add(routes, vrfs_[*link.vrf].table, fmt::format("239.2.{}.{}", *link.vrf, number), link,
          [&](const Link& out) { return shares_vrf(out) || out.name == "d0"; });
    }
    return routes;
  }

  /// Ours, and no others of ours.
  [[nodiscard]] std::set<std::string> intended_rules() const {
    std::set<std::string> rules;
    for (const Link& link : links_) {
      if (link.name.empty() || link.name[0] != 'd') continue;
      for (const char* family : {"ipv4", "ipv6"}) {
        rules.insert(
            fmt::format("{} iif {} table {} pref 800 proto 77", family, link.name, kDeclared));
        rules.insert(
            fmt::format("{} oif {} table {} pref 801 proto 77", family, link.name, kDeclared));
      }
    }
    return rules;
  }

 private:
  static constexpr std::size_t kLinks = 6;
  struct Link {
    std::string name;  ///< empty: there is none
    std::optional<std::size_t> vrf = {};
  };
  struct Vrf {
    std::uint32_t table = 0;  ///< 0: there is none
  };

  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }

  template <class Test>
  void add(Routes& routes, std::uint32_t table, const std::string& group, const Link& in,
           const Test& is_output) const {
    std::set<std::string> outputs;
    for (const Link& out : links_) {
      if (!out.name.empty() && is_output(out)) outputs.insert(out.name);
    }
    routes.insert(
        fmt::format("{} {} {}:{}", table, group, in.name,
                    outputs.empty() ? "" : " " + fmt::format("{}", fmt::join(outputs, " "))));
  }

  void add_link(std::size_t i) {
    links_[i] = {.name = fmt::format("a{}", i)};
    router_.add_dummy(links_[i].name);
    router_.set_multicast(links_[i].name, true);
    router_.set_up(links_[i].name);
  }

  void enslave(Link& link, std::size_t vrf) {
    if (vrfs_[vrf].table == 0) return;
    router_.enslave(link.name, fmt::format("v{}", vrf));
    link.vrf = vrf;
  }

  /// Between a name that follows its VRF and one whose traffic a table is declared to take.
  void rename(Link& link, std::size_t i) {
    if (link.name.empty()) return;
    const std::string name = fmt::format("{}{}", link.name[0] == 'a' ? 'd' : 'a', i);
    router_.rename_link(link.name, name);
    link.name = name;
  }

  void add_vrf(std::size_t i) {
    vrfs_[i].table = static_cast<std::uint32_t>(10 + 10 * i + below(3));
    router_.add_vrf(fmt::format("v{}", i), vrfs_[i].table);
  }

  void toggle_vrf(std::size_t i) {
    if (vrfs_[i].table == 0) return add_vrf(i);
    router_.remove_link(fmt::format("v{}", i));
    vrfs_[i] = {};
    for (Link& link : links_) {
      if (link.vrf == i) link.vrf.reset();
    }
  }

  std::mt19937 random_;
  NetNamespace router_;
  std::array<Link, kLinks> links_;
  std::array<Vrf, 3> vrfs_;
};

/// As ip(8) lists them: "(10.9.0.9,239.1.0.0) Iif: a0 Oifs: a1 a2 State: resolved Table: 10", where
/// an entry without outputs lacks "Oifs:" and one of the default table may lack the table.
Routes installed(const NetNamespace& router) {
  Routes routes;
  const auto result = run_program(router, {"ip", "mroute", "show", "table", "all"});
  REQUIRE(result.exit_code == 0);
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string flow;
    words >> flow;
    std::string iif;
    std::string table = std::to_string(kDefault);
    std::set<std::string> outputs;
    std::string key;
    for (std::string word; words >> word;) {
      if (word.ends_with(":")) {
        key = word;
      } else if (key == "Iif:") {
        iif = word;
      } else if (key == "Oifs:") {
        outputs.insert(word);
      } else if (key == "Table:") {
        table = word == "default" ? table : word;
      }
    }
    if (iif.empty() || iif == "unresolved") continue;
    const std::string group = flow.substr(flow.find(',') + 1, flow.size() - flow.find(',') - 2);
    routes.insert(
        fmt::format("{} {} {}:{}", table, group, iif,
                    outputs.empty() ? "" : " " + fmt::format("{}", fmt::join(outputs, " "))));
  }
  return routes;
}

std::set<std::string> our_rules(const NetNamespace& router) {
  std::set<std::string> ours;
  for (const std::string& rule : list_multicast_rules(router)) {
    if (contains(rule, "proto 77")) ours.insert(rule);
  }
  return ours;
}

}  // namespace

TEST_CASE("after random events over three VRFs the kernel holds what the rules mean") {
  constexpr std::uint32_t kSeed = 20261122;
  CAPTURE(kSeed);
  World world(kSeed);
  Daemon daemon(world.router(), world.rules());
  for (int event = 0; event < kEvents; ++event) {
    world.event();
    if ((event + 1) % kEventsPerLook != 0) continue;
    CAPTURE(event);
    const bool settled = daemon.eventually([&] {
      return installed(world.router()) == world.intended() &&
             our_rules(world.router()) == world.intended_rules();
    });
    CHECK(settled);
    if (settled) continue;
    MESSAGE(fmt::format("intended:\n{}\ninstalled:\n{}", fmt::join(world.intended(), "\n"),
                        fmt::join(installed(world.router()), "\n")));
    return;
  }
  // Nothing is left of all that when the rules are gone.
  daemon.write_config("");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(installed(world.router()).empty());
  CHECK(our_rules(world.router()).empty());
  const auto tables = daemon.ctl({"show", "interfaces", "-d"});
  INFO(tables);
  CHECK(contains(tables.out, "IPv4 table 253: 0 of 32 slots"));
  CHECK_FALSE(contains(tables.out, "IPv4 table 50"));
}

}  // namespace mcast::testing
