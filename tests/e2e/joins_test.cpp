// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <sstream>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

/// The groups the kernel lists for one interface in /proc/net/igmp, as its hexadecimal words.
std::string igmp_section(const NetNamespace& net, const std::string& interface) {
  std::istringstream table(net.read_proc_net("igmp"));
  std::string line;
  std::string section;
  bool inside = false;
  while (std::getline(table, line)) {
    if (!line.starts_with('\t'))
      inside = contains(line, "\t" + interface + " ");
    else if (inside)
      section += line + "\n";
  }
  return section;
}

/// Lines of a table with one entry per line that name the interface.
std::string lines_of(const std::string& table, const std::string& interface) {
  std::istringstream lines(table);
  std::string line;
  std::string found;
  while (std::getline(lines, line))
    if (contains(line + " ", " " + interface + " ")) found += line + "\n";
  return found;
}

struct Memberships {
  const char* line;      ///< of the configuration
  const char* file;      ///< below /proc/net
  const char* expected;  ///< in that file, on the interface's lines
};
constexpr Memberships kMemberships[] = {
    {"mgroup from eth1 group 239.1.1.1\n", "igmp", "010101EF"},
    {"mgroup from eth1 group ff1e::101\n", "igmp6", "ff1e0000000000000000000000000101"},
    {"mgroup from eth1 source 10.1.0.2 group 232.1.1.1\n", "mcfilter", "0xe8010101 0x0a010002"},
    {"ssmgroup from eth1 source 10.1.0.2 group 232.1.1.2\n", "mcfilter", "0xe8010102 0x0a010002"},
    {"mgroup from eth1 source fd00:1::2 group ff3e::101\n", "mcfilter6",
     "ff3e0000000000000000000000000101 fd000001000000000000000000000002"},
};

/// The source filters of one interface. The kernel begins with the group that was joined last and
/// gives up if that one has no sources (net/ipv4/igmp.c, igmp_mcf_get_first), so one with a source
/// is joined for the time of reading.
std::string source_filters(const NetNamespace& net, const std::string& interface,
                           const std::string& file) {
  const bool v4 = file == "mcfilter";
  const MulticastReceiver probe(net, interface, v4 ? "232.255.255.254" : "ff3e::ffff:fffe",
                                {.source = v4 ? "192.0.2.1" : "2001:db8::1"});
  return lines_of(net.read_proc_net(file), interface);
}

bool joined(const NetNamespace& net, const std::string& interface, const Memberships& membership) {
  if (!net.has_link(interface)) return false;
  const std::string file = membership.file;
  const std::string table = file == "igmp"    ? igmp_section(net, interface)
                            : file == "igmp6" ? lines_of(net.read_proc_net(file), interface)
                                              : source_filters(net, interface, file);
  return contains(table, membership.expected);
}

std::string all_lines() {
  std::string config;
  for (const auto& membership : kMemberships) config += membership.line;
  return config;
}

TEST_CASE("groups are joined, any-source and source-specific, in both families") {
  Lab lab;
  Daemon daemon(lab.router(), all_lines());
  for (const auto& membership : kMemberships) {
    CAPTURE(std::string(membership.line));
    CHECK(daemon.eventually([&] { return joined(lab.router(), "eth1", membership); }));
  }
}

TEST_CASE("joins are made again when their interface is deleted and made again") {
  Lab lab;
  Daemon daemon(lab.router(), all_lines());
  for (int round = 0; round < 3; ++round) {
    lab.net.pull("eth1");
    lab.net.plug("eth1", lab.first);
    for (const auto& membership : kMemberships) {
      CAPTURE(std::string(membership.line));
      CHECK(daemon.eventually([&] { return joined(lab.router(), "eth1", membership); }));
    }
  }
}

TEST_CASE("joins move with the name they were written for") {
  Lab lab;
  Daemon daemon(lab.router(), all_lines());
  lab.router().rename_link("eth1", "old1");
  lab.router().rename_link("eth2", "eth1");
  for (const auto& membership : kMemberships) {
    CAPTURE(std::string(membership.line));
    CHECK(daemon.eventually([&] { return joined(lab.router(), "eth1", membership); }));
  }
  for (const auto& membership : kMemberships) {
    CAPTURE(std::string(membership.line));
    CHECK(daemon.eventually([&] { return !joined(lab.router(), "old1", membership); }));
  }
}

TEST_CASE("a wildcard and an absent interface join when they can") {
  Lab lab;
  Daemon daemon(lab.router(),
                "mgroup from lan+ group 239.1.1.1\nmgroup from wg0 group 239.1.1.2\n");
  lab.net.plug("lan3", lab.first);
  CHECK(
      daemon.eventually([&] { return contains(igmp_section(lab.router(), "lan3"), "010101EF"); }));
  lab.net.plug("wg0", lab.second);
  CHECK(daemon.eventually([&] { return contains(igmp_section(lab.router(), "wg0"), "020101EF"); }));
}

TEST_CASE("more groups are joined than the kernel allows one socket") {
  Lab lab;
  std::string config;
  for (int i = 0; i < 100; ++i) config += fmt::format("mgroup from eth1 group 239.2.0.{}\n", i + 1);
  config += "mgroup from eth1 group 239.3.0.0/26\n";
  Daemon daemon(lab.router(), config);
  CHECK(daemon.eventually([&] {
    const std::string groups = igmp_section(lab.router(), "eth1");
    return contains(groups, "640002EF") && contains(groups, "3F0003EF") &&
           contains(groups, "000003EF");
  }));
}

/// Any-source and source-specific joins of both families, every `step`th of 5,000 of each.
std::string thousands_of_lines(int step) {
  std::string text;
  for (int i = 0; i < 5000; i += step) {
    text += fmt::format("mgroup from eth1 group 225.7.{}.{}\n"
                        "mgroup from eth1 source 10.1.0.2 group 232.7.{}.{}\n"
                        "mgroup from eth1 group ff0e::7:{:x}\n"
                        "mgroup from eth1 source fd00:1::2 group ff3e::7:{:x}\n",
                        i / 250, i % 250, i / 250, i % 250, i, i);
  }
  return text;
}

/// How many of these the kernel lists for eth1.
std::size_t thousands_joined(const NetNamespace& net) {
  if (!net.has_link("eth1")) return 0;
  const auto count = [](const std::string& table, std::string_view word) {
    std::size_t found = 0;
    for (auto at = table.find(word); at != std::string::npos; at = table.find(word, at + 1)) {
      ++found;
    }
    return found;
  };
  const std::string v4 = igmp_section(net, "eth1");
  const std::string v6 = lines_of(net.read_proc_net("igmp6"), "eth1");
  return count(v4, "07E1 ") + count(v4, "07E8 ") + count(v6, " ff0e000000000000000000000007") +
         count(v6, " ff3e000000000000000000000007");
}

TEST_CASE("thousands of joins go by reload and return with their interface") {
  Lab lab;
  Daemon daemon(lab.router(), thousands_of_lines(1));
  CHECK(thousands_joined(lab.router()) == 20'000);

  daemon.write_config(thousands_of_lines(2));
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(thousands_joined(lab.router()) == 10'000);
  daemon.write_config(thousands_of_lines(1));
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(thousands_joined(lab.router()) == 20'000);

  lab.net.pull("eth1");
  lab.net.plug("eth1", lab.first);
  CHECK(daemon.eventually([&] { return thousands_joined(lab.router()) == 20'000; }));
  daemon.write_config("");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(thousands_joined(lab.router()) == 0);
}

TEST_CASE("a limit that is met names the setting that raises it, and the rest stays joined") {
  Lab lab;
  Daemon daemon(lab.router(), kMemberships[0].line);
  lab.router().write_sysctl("net/ipv4/igmp_max_memberships", "1");
  daemon.write_config(all_lines());
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  for (const auto& membership : kMemberships) CHECK(joined(lab.router(), "eth1", membership));

  lab.router().write_sysctl("net/ipv4/igmp_max_memberships", "0");
  daemon.write_config(all_lines() + "mgroup from eth1 group 239.1.1.7\n");
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(contains(daemon.log(), "net.ipv4.igmp_max_memberships"));
  CHECK(contains(daemon.ctl({"show", "pending"}).out, "239.1.1.7"));
  // Reading the source filters takes a join, which is not to be had now.
  CHECK(joined(lab.router(), "eth1", kMemberships[0]));
  CHECK(joined(lab.router(), "eth1", kMemberships[1]));

  lab.router().write_sysctl("net/ipv4/igmp_max_memberships", "20");
  CHECK(
      daemon.eventually([&] { return contains(igmp_section(lab.router(), "eth1"), "070101EF"); }));
  CHECK(daemon.eventually([&] { return !contains(daemon.ctl({"show", "pending"}).out, "239"); }));
}

TEST_CASE("commands join and leave") {
  Lab lab;
  Daemon daemon(lab.router(), "");
  CHECK(daemon.ctl({"join", "eth1", "239.1.1.1"}).exit_code == 0);
  CHECK(joined(lab.router(), "eth1", kMemberships[0]));
  CHECK(daemon.ctl({"join", "eth1", "fd00:1::2", "ff3e::101"}).exit_code == 0);
  CHECK(joined(lab.router(), "eth1", kMemberships[4]));
  CHECK(daemon.ctl({"leave", "eth1", "239.1.1.1"}).exit_code == 0);
  CHECK_FALSE(joined(lab.router(), "eth1", kMemberships[0]));
  CHECK(daemon.ctl({"leave", "eth1", "fd00:1::2", "ff3e::101"}).exit_code == 0);
  CHECK_FALSE(joined(lab.router(), "eth1", kMemberships[4]));
}

TEST_CASE("a reload leaves what is no longer written and keeps the rest") {
  Lab lab;
  Daemon daemon(lab.router(), all_lines());
  daemon.write_config(kMemberships[1].line);
  REQUIRE(daemon.ctl({"reload"}).exit_code == 0);
  CHECK(joined(lab.router(), "eth1", kMemberships[1]));
  CHECK_FALSE(joined(lab.router(), "eth1", kMemberships[0]));
  CHECK_FALSE(joined(lab.router(), "eth1", kMemberships[2]));
  CHECK_FALSE(joined(lab.router(), "eth1", kMemberships[4]));
}

}  // namespace
}  // namespace mcast::testing
