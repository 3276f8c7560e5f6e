// SPDX-License-Identifier: BSD-2-Clause
//
// What users of SMCRoute 2.6.0 run into: each case is "defect N: what holds here".
//    1  an interface leaves and returns, and its routes and joins are lost
//    2  routes of an interface that is gone are listed as if they worked
//    3  show kills the daemon after a flap and an unmatched stream
//    4  a wildcard ignores interfaces that arrive later
//    5  a range that waited for its interface is installed as one address
//    6  a renamed interface keeps its old name, rules for the new one do not apply
//    7  the syntax check depends on the host and does not look into included files
//       (lifecycle_test.cpp)
//    8  a reload with a mistake deletes live routes and reports success
//    9  a silent client blocks the daemon
//   10  a batch line loses interfaces
//   11  a source that moves to another interface is not followed
//   12  load and reload take quadratic time
//   13  flows that match nothing fill the kernel
//   14  JSON has no counters
//   15  without root, but with the capabilities, it does not start (privilege_test.cpp)
//   16  it goes on running without the routing socket that another daemon holds
//   17  unknown commands, routes and interfaces are no error
//   18  a route beyond the kernel's slots is installed in part
//   19  re-created interfaces use up the slots
//   20  a reload leaves a removed outbound interface forwarding
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tests/e2e/lab.hpp"
#include "tests/support/packet_forge.hpp"
#include "tests/support/raw_mrouter.hpp"

namespace mcast::testing {
namespace {

using Json = nlohmann::json;

Json show(const Daemon& daemon, const std::string& what) {
  const auto result = daemon.ctl({"-j", "show", what});
  INFO(result);
  REQUIRE(result.exit_code == 0);
  return Json::parse(result.out);
}

/// The kernel's entry for a group, null if there is none.
Json kernel_route(const Daemon& daemon, const std::string& group) {
  const Json answer = show(daemon, "routes");
  for (const Json& route : answer["routes"]["kernel"])
    if (route["group"] == group) return route;
  return nullptr;
}

Clock::duration processor_time(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) < 0)
    throw_errno("processor time");
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

TEST_CASE("defect 1: routes and joins return with their interface, without a reload") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1 eth2") +
                                    fmt::format("mgroup from eth0 group {}\n", family.group));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    const bool v4 = family.name == "IPv4";
    const auto joined = [&] {
      return contains(lab.router().read_proc_net(v4 ? "igmp" : "igmp6"),
                      v4 ? "010101EF" : "ff1e0000000000000000000000000101");
    };
    REQUIRE(joined());
    lab.net.pull("eth0");
    CHECK_FALSE(joined());
    lab.net.plug("eth0", lab.sender);
    CHECK(flow.passes());
    CHECK(daemon.eventually(joined));
    lab.net.pull("eth1");
    lab.net.plug("eth1", lab.first);
    CHECK(flow.passes());
  }
}

TEST_CASE("defect 2: a route whose interface is gone is not shown as if it worked") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1") +
                                  mroute("eth0", "10.1.0.2", "239.1.1.2", "eth1 eth2"));
  CHECK(contains(daemon.ctl({"-p", "show", "pending"}).out, "No pending routes or groups"));
  lab.net.pull("eth1");
  CHECK(daemon.eventually([&] {
    return contains(daemon.ctl({"-p", "show", "pending"}).out, "group 239.1.1.1 to eth1");
  }));
  CHECK(kernel_route(daemon, "239.1.1.2")["oifs"] == Json{"eth2"});
  lab.net.pull("eth0");
  CHECK(daemon.eventually([&] { return kernel_route(daemon, "239.1.1.2").is_null(); }));
  lab.net.plug("eth0", lab.sender);
  lab.net.plug("eth1", lab.first);
  CHECK(daemon.eventually([&] {
    return contains(daemon.ctl({"show", "pending"}).out, "No pending routes or groups");
  }));
  CHECK(kernel_route(daemon, "239.1.1.1")["oifs"] == Json{"eth1"});
}

TEST_CASE("defect 4: a wildcard matches interfaces that arrive later, on both sides") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Topology net;
    Host& sender = net.add_host();
    Host& first = net.add_host();
    Host& second = net.add_host();
    net.plug("tun0", first);
    Daemon daemon(net.router(), mroute("eth+", family.source, family.group, "tun+"));
    net.plug("eth7", sender);
    Flow to_first(sender, first, family.group);
    CHECK(to_first.passes());
    net.plug("tun1", second);
    Flow to_second(sender, second, family.group);
    CHECK(to_second.passes());
  }
}

TEST_CASE("defect 5: a range that waits for its interface is the same range when it arrives") {
  struct Ranges {
    FamilyCase family;
    std::string groups;
    std::string sources;
    std::string last;     ///< of the groups
    std::string outside;  ///< a group just beyond
  };
  for (const Ranges& given :
       {Ranges{kFamilies[0], "239.9.1.0/24", "10.1.0.0/16", "239.9.1.255", "239.9.2.0"},
        Ranges{kFamilies[1], "ff1e::9:0/112", "fd00:1::/32", "ff1e::9:ffff", "ff1e::a:0"}}) {
    CAPTURE(given.family.name);
    Topology net;
    Host& sender = net.add_host();
    Host& receiver = net.add_host();
    Daemon daemon(net.router(),
                  mroute("eth7", given.sources, given.groups, "eth8") +
                      mroute("eth7", given.family.source, given.family.control_group, "eth8") +
                      fmt::format("mgroup from eth7 group {}/{}\n", given.family.group,
                                  given.family.name == "IPv4" ? 30 : 126));
    CHECK(contains(daemon.ctl({"-p", "show", "pending"}).out, given.groups));
    net.plug("eth8", receiver);
    net.plug("eth7", sender);
    Flow last(sender, receiver, given.last);
    Flow outside(sender, receiver, given.outside);
    Flow control(sender, receiver, given.family.control_group);
    CHECK(last.passes());
    CHECK(outside.blocked(control));
    const Json rules = show(daemon, "routes")["routes"]["asm"];
    REQUIRE(rules.size() == 1);
    CHECK(rules[0]["group"] == given.groups);
    CHECK(rules[0]["source"] == given.sources);
    CHECK(show(daemon, "groups")["groups"]["kernel"].size() == 4);
  }
}

TEST_CASE("defect 6: after a rename the old name is gone and rules for the new one apply") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1 wan9") +
                                    mroute("eth0", family.source, family.other_group, "wan9"));
    Flow flow(lab.sender, lab.first, family.group);
    Flow only_new(lab.sender, lab.first, family.other_group);
    REQUIRE(flow.passes());
    lab.router().rename_link("eth1", "wan9");
    CHECK(only_new.passes());
    CHECK(flow.passes());
    const Json interfaces = show(daemon, "interfaces")["interfaces"];
    bool old_listed = false;
    bool new_listed = false;
    for (const Json& row : interfaces) {
      old_listed = old_listed || row["name"] == "eth1";
      new_listed = new_listed || row["name"] == "wan9";
    }
    CHECK_FALSE(old_listed);
    CHECK(new_listed);
    CHECK(kernel_route(daemon, family.group)["oifs"] == Json{"wan9"});
  }
}

TEST_CASE("defect 8: a reload with a mistake or without a file changes nothing and says so") {
  Lab lab;
  const std::string good = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1");
  Daemon daemon(lab.router(), good);
  Bystander live(lab.sender, lab.first, "239.1.1.1");

  daemon.write_config(mroute("eth0", "10.1.0.2", "239.1.1.2", "eth1") +
                      "mruote from eth0 source 10.1.0.2 group 239.1.1.1 to eth1\n");
  const auto typo = daemon.ctl({"reload"});
  INFO(typo);
  CHECK(typo.exit_code == 78);
  CHECK(contains(typo.err, daemon.config_file().string() + ":2:1: "));
  CHECK(contains(typo.err, "mroute"));
  CHECK(kernel_route(daemon, "239.1.1.2").is_null());

  std::filesystem::remove(daemon.config_file());
  const auto missing = daemon.ctl({"reload"});
  INFO(missing);
  CHECK(missing.exit_code != 0);
  CHECK(contains(missing.err, daemon.config_file().string()));
  CHECK(kernel_route(daemon, "239.1.1.1")["oifs"] == Json{"eth1"});
  CHECK(live.undisturbed());
}

TEST_CASE("defect 9: a client that connects and stays silent delays nobody") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), "");
    const Fd silent = daemon.connect();
    const Fd halfway = daemon.connect();
    REQUIRE(::write(halfway.get(), "{\"method\":", 10) == 10);
    CHECK(daemon.ctl({"add", "eth0", family.source, family.group, "eth1"}).exit_code == 0);
    Flow flow(lab.sender, lab.first, family.group);
    CHECK(flow.passes());
    lab.net.pull("eth1");
    lab.net.plug("eth1", lab.first);
    CHECK(flow.passes());
    CHECK(daemon.ctl({"show", "routes"}).exit_code == 0);
  }
}

TEST_CASE("defect 10: a batch line keeps all of its twelve outbound interfaces") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Topology net;
    Host& sender = net.add_host();
    net.plug("eth0", sender);
    std::string names;
    std::vector<Host*> receivers;
    for (int i = 0; i < 12; ++i) {
      const std::string name = fmt::format("out{}", i);
      receivers.push_back(&net.add_host());
      net.plug(name, *receivers.back());
      names += " " + name;
    }
    Daemon daemon(net.router(), "");
    const auto batch =
        daemon.ctl({"-b"}, fmt::format("add eth0 {} {}{}\n", family.source, family.group, names));
    INFO(batch);
    CHECK(batch.exit_code == 0);
    auto flow = sender.sender(family.group);
    for (Host* host : receivers) {
      auto receiver = host->receiver(family.group);
      CHECK(expect_flow(flow, receiver));
    }
  }
}

TEST_CASE("defect 12: load and reload take time in proportion to the number of routes") {
  Lab lab;
  const auto config = [](int routes) {
    std::string text;
    for (int i = 0; i < routes; ++i)
      text +=
          mroute("eth0", "10.1.0.2",
                 fmt::format("239.{}.{}.{}", 1 + (i >> 16), (i >> 8) & 255, i & 255), "eth1 eth2");
    return text;
  };
  // Processor time: what else the machine has to do does not count.
  struct Times {
    Clock::duration load = Clock::duration::max();
    Clock::duration reload = Clock::duration::max();
  };
  const auto measure = [&](const std::string& text, Times& best) {
    Daemon daemon(lab.router(), text, {.log_level = "notice"});
    const auto loaded = processor_time(daemon.pid());
    best.load = std::min(best.load, loaded);
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    best.reload = std::min(best.reload, processor_time(daemon.pid()) - loaded);
    Flow last(lab.sender, lab.first, "239.1.39.15");
    CHECK(last.passes());
  };
  const std::string small = config(10'000);
  const std::string large = config(40'000);
  Times few;
  Times many;
  // The best of several rounds taken in turn: cold caches only ever add time.
  for (int round = 0; round < 3; ++round) {
    measure(small, few);
    measure(large, many);
  }
  // Four times the routes: 4 if linear, 16 if quadratic, and caches have their say.
  CHECK(many.load < 7 * few.load);
  CHECK(many.reload < 7 * few.reload);
}

TEST_CASE("defect 14: JSON carries counters, and they count") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1"));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    const Json before = kernel_route(daemon, family.group);
    for (int i = 0; i < 10; ++i) flow.sender.send();
    REQUIRE(flow.receiver.await(flow.sender, flow.sender.sent() - 1, kPatience));
    const Json after = kernel_route(daemon, family.group);
    CHECK(after["packets"].get<std::uint64_t>() == before["packets"].get<std::uint64_t>() + 10);
    // 64 bytes of payload, 8 of UDP, 20 of IPv4 or 40 of IPv6.
    const std::uint64_t size = family.name == "IPv4" ? 92 : 112;
    CHECK(after["bytes"].get<std::uint64_t>() == before["bytes"].get<std::uint64_t>() + 10 * size);
    CHECK(after["wrong_interface"].get<std::uint64_t>() == 0);
  }
}

TEST_CASE("defect 16: a routing socket held by another daemon ends the start with code 69") {
  struct Holder {
    int family;
    const char* name;
  };
  for (const Holder& holder : {Holder{AF_INET, "IPv4"}, Holder{AF_INET6, "IPv6"}}) {
    CAPTURE(holder.family);
    Lab lab;
    const RawMrouter other(lab.router(), holder.family);
    const TempDir dir;
    dir.write("a.conf", "");
    const auto result =
        run_program(lab.router(), {built_program("mcastd"), "-n", "-f", dir / "a.conf", "-u",
                                   dir / "a.sock", "-P", dir / "a.pid"});
    INFO(result);
    CHECK(result.exit_code == 69);
    CHECK(contains(result.err, holder.name));
    CHECK(contains(result.err, "table"));
    CHECK_FALSE(std::filesystem::exists(dir / "a.pid"));
  }
}

TEST_CASE("defect 17: unknown commands, routes and interfaces are refused with a reason") {
  Lab lab;
  Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"));
  struct Refused {
    std::vector<std::string> words;
    std::string names;
  };
  const Refused cases[] = {
      {{"frobnicate"}, "frobnicate"},
      {{"remove", "eth0", "10.1.0.2", "239.7.7.7"}, "239.7.7.7"},
      {{"remove", "eth0", "10.1.0.2", "239.1.1.1", "eth2"}, "eth2"},
      {{"add", "nosuch0", "10.1.0.2", "239.1.1.5", "eth1"}, "nosuch0"},
      {{"add", "eth0", "10.1.0.2", "239.1.1.5", "nosuch0"}, "nosuch0"},
      {{"join", "nosuch0", "239.1.1.5"}, "nosuch0"},
      {{"leave", "eth0", "239.8.8.8"}, "239.8.8.8"},
      {{"show", "nonsense"}, "nonsense"},
  };
  for (const Refused& refused : cases) {
    const auto result = daemon.ctl(refused.words);
    INFO(fmt::format("{}", fmt::join(refused.words, " ")));
    INFO(result);
    CHECK(result.exit_code != 0);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with("mcastctl: "));
    CHECK(contains(result.err, refused.names));
    CHECK(result.err.find('\n') == result.err.size() - 1);
  }
  CHECK(kernel_route(daemon, "239.1.1.1")["oifs"] == Json{"eth1"});
}

TEST_CASE("defect 18: a route beyond the kernel's slots is refused whole, naming the holders") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    std::string names;
    for (int i = 0; i < 40; ++i) {
      const std::string name = fmt::format("mv{}", i);
      lab.router().add_macvlan(name, "eth2");
      names += " " + name;
    }
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1"));
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    std::vector<std::string> words{"add", "eth0", family.source, family.other_group};
    for (int i = 0; i < 40; ++i) words.push_back(fmt::format("mv{}", i));
    const auto result = daemon.ctl(words);
    INFO(result);
    CHECK(result.exit_code != 0);
    CHECK(contains(result.err, "32"));
    CHECK(contains(result.err, family.other_group));
    CHECK(kernel_route(daemon, family.other_group).is_null());
    CHECK(flow.passes());
  }
}

TEST_CASE("defect 19: interfaces that are made again under new names use up no slots") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "tun+") +
                                    mroute("eth0", family.source, family.control_group, "eth2"));
    Flow flow(lab.sender, lab.first, family.group);
    Flow control(lab.sender, lab.second, family.control_group);
    REQUIRE(control.passes());
    for (int i = 0; i < 70; ++i) {
      const std::string name = fmt::format("tun{}", i);
      lab.net.plug(name, lab.first);
      if (i % 10 == 9) CHECK(flow.passes());
      lab.net.pull(name);
    }
    lab.net.plug("tun999", lab.first);
    CHECK(flow.passes());
    CHECK(control.passes());
  }
}

TEST_CASE("defect 20: a reload that removes an outbound interface stops forwarding to it") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Daemon daemon(lab.router(), mroute("eth0", family.source, family.group, "eth1 eth2") +
                                    mroute("eth0", family.source, family.control_group, "eth1"));
    Flow removed(lab.sender, lab.first, family.group);
    Flow control(lab.sender, lab.first, family.control_group);
    REQUIRE(removed.passes());
    REQUIRE(control.passes());
    Bystander kept(lab.sender, lab.second, family.group);
    daemon.write_config(mroute("eth0", family.source, family.group, "eth2") +
                        mroute("eth0", family.source, family.control_group, "eth1"));
    REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
    CHECK(removed.blocked(control));
    CHECK(kept.undisturbed());
  }
}

// --- Flows that are learned ----------------------------------------------------------------------

TEST_CASE("defect 3: show works after an interface flap while an unmatched stream runs") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const Daemon daemon(lab.router(), "mroute from eth0 group " + family.group + " to eth1\n");
    Flow flow(lab.sender, lab.first, family.group);
    REQUIRE(flow.passes());
    MulticastSender unmatched = lab.sender.sender(family.other_group);
    BackgroundFlow stream(unmatched, std::chrono::milliseconds(1));
    for (const std::string flapping : {"eth1", "eth0"}) {
      CAPTURE(flapping);
      lab.net.pull(flapping);
      CHECK(daemon.ctl({"-d", "show", "routes"}).exit_code == 0);
      lab.net.plug(flapping, flapping == "eth0" ? lab.sender : lab.first);
      for (const std::string list : {"routes", "groups", "interfaces", "pending"})
        CHECK(daemon.ctl({"-d", "show", list}).exit_code == 0);
      CHECK(flow.passes());
      CHECK(daemon.eventually([&] { return !kernel_route(daemon, family.other_group).is_null(); }));
    }
    CHECK(daemon.running());
  }
}

TEST_CASE("defect 11: a source that moves to another inbound interface is followed, as one entry") {
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    Host& elsewhere = lab.net.add_host();
    lab.net.plug("eth3", elsewhere);
    elsewhere.net().add_address(Host::kLan, family.source + "/32");
    std::string rules;
    for (const std::string in : {"eth0", "eth3"})
      rules += fmt::format("mroute from {} group {} to eth1\n", in, family.group);
    const Daemon daemon(lab.router(), rules);
    Flow before(lab.sender, lab.first, family.group);
    REQUIRE(before.passes());
    Flow after(elsewhere, lab.first, family.group, family.source);
    CHECK(after.passes());
    const Json routes = show(daemon, "routes")["routes"]["kernel"];
    REQUIRE(routes.size() == 1);
    CHECK(routes[0]["source"] == family.source);
    CHECK(routes[0]["iif"] == "eth3");
    // What the kernel itself lists: a line of headings and one entry.
    const auto cache =
        lab.router().read_proc_net(family.name == "IPv4" ? "ip_mr_cache" : "ip6_mr_cache");
    CHECK(std::ranges::count(cache, '\n') == 2);
  }
}

TEST_CASE("defect 13: flows that match nothing take a bounded share of the kernel") {
  constexpr std::size_t kMost = 4096;  // as mcastd(8) says
  for (const auto& family : kFamilies) {
    CAPTURE(family.name);
    Lab lab;
    const bool v4 = family.name == "IPv4";
    const Daemon daemon(lab.router(), "mroute from eth0 group " + family.group + " to eth1\n",
                        {.log_level = "notice"});
    Bystander good(lab.sender, lab.first, family.group);
    PacketForge forge(lab.sender.net(), Host::kLan);
    std::vector<PacketForge::Addresses> junk;
    for (const std::string& group : count_up(v4 ? "239.77.0.0" : "ff1e:77::", kMost + 2000))
      junk.push_back({family.source, group});
    forge.send(forge.make(junk));
    Flow last(lab.sender, lab.first, family.group);
    CHECK(last.passes());
    const auto entries = [&] {
      const auto cache = lab.router().read_proc_net(v4 ? "ip_mr_cache" : "ip6_mr_cache");
      return static_cast<std::size_t>(std::ranges::count(cache, '\n')) - 1;
    };
    CHECK(daemon.eventually([&] { return entries() == kMost + 1; }));
    CHECK(good.undisturbed());
  }
}

}  // namespace
}  // namespace mcast::testing
