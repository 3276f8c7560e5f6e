// SPDX-License-Identifier: BSD-2-Clause
#include "core/unsupported.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/unit/memory_files.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

std::vector<std::string> refusals(const std::string& text, const KernelTraits& traits) {
  std::vector<std::string> lines;
  const ParsedConfig parsed = parse_text(text);
  REQUIRE(parsed.valid());
  for (const Diagnostic& diagnostic : unsupported(parsed.config, traits)) {
    CHECK(diagnostic.severity == Diagnostic::Severity::error);
    lines.push_back(fmt::format("{}: {}", diagnostic.line, diagnostic.message));
  }
  return lines;
}
using Lines = std::vector<std::string>;

const std::string kPlain = "phyint em0 enable\nmgroup from em0 group 225.1.2.3\n"
                           "mroute from em0 group 225.1.2.3 to em1\n";

}  // namespace

TEST_CASE("what says nothing of tables is for every kernel") {
  for (const auto& traits : {linux_traits(), freebsd_traits(), freebsd_traits(4)}) {
    CHECK(refusals(kPlain, traits).empty());
  }
}

TEST_CASE("where rules choose tables everything is possible") {
  CHECK(refusals("table 10 name uplink iif em0\ntables auto 100-131\nphyint em1 vrf red\n"
                 "mroute vrf red from em1 group 225.1.2.3 to em2\nmgroup table 10 from em0 group "
                 "225.1.2.3\n",
                 linux_traits())
            .empty());
}

TEST_CASE("a kernel with one table takes no line for another, and says which line it is") {
  CHECK(refusals(kPlain + "mroute table 5 from em0 group 225.1.2.3 to em1\n"
                          "mroute from em0 group 225.1.2.4 to em1\n"
                          "mgroup vrf red from em0 group 225.1.2.3\n"
                          "phyint em0 table 5 enable\n",
                 freebsd_traits()) ==
        Lines{"4: table 5: this kernel has one multicast routing table; leave table 5 out",
              "6: vrf red: this system has no VRFs; leave it out",
              "7: table 5: this kernel has one multicast routing table; leave table 5 out"});
  CHECK(refusals("table 5 name uplink\n", freebsd_traits()) ==
        Lines{"1: table 5: this kernel has one multicast routing table; leave table 5 out"});
  CHECK(refusals("tables auto 100-131\n", freebsd_traits()) ==
        Lines{"1: tables auto: this kernel has one multicast routing table; leave the line out"});
}

TEST_CASE("where interfaces belong to tables, only their numbers and names are of use") {
  const KernelTraits traits = freebsd_traits(4);
  CHECK(
      refusals("table 3 name uplink\nmroute table uplink from em0 group 225.1.2.3 to em1\n", traits)
          .empty());
  CHECK(refusals("table 4\n", traits) ==
        Lines{"1: table 4: this kernel has the multicast routing tables 0 to 3, one for each FIB; "
              "there are as many as it is told to have when it boots (net.fibs)"});
  CHECK(refusals("table 3 iif em0 em1\n", traits) ==
        Lines{"1: table 3 iif em0: on this kernel the table is that of the interface's FIB; leave "
              "iif out and say \"ifconfig em0 fib 3\""});
  CHECK(refusals("mroute vrf red from em0 group 225.1.2.3 to em1 join\n", traits) ==
        Lines{"1: vrf red: this system has no VRFs; a rule follows its inbound interface into its "
              "FIB without it"});
  const Lines automatic = refusals("tables auto 1-3\n", traits);
  REQUIRE(automatic.size() == 1);
  CHECK(automatic[0].find("ifconfig INTERFACE fib NUMBER") != std::string::npos);
}

TEST_CASE("the default table is one that the kernel has") {
  const auto why_not = [](std::uint32_t table, const KernelTraits& traits) {
    const auto checked = check_default_table(TableId(table), traits);
    return checked ? std::string() : checked.error().message;
  };
  CHECK(why_not(0, freebsd_traits()).empty());
  CHECK(why_not(1, freebsd_traits()) ==
        "-t 1: this kernel has one multicast routing table; leave -t out");
  CHECK(why_not(3, freebsd_traits(4)).empty());
  CHECK(why_not(4, freebsd_traits(4)) ==
        "-t 4: no such routing table: this kernel has 0 to 3, one for each FIB");
  CHECK(why_not(99'999'999, linux_traits()).empty());
  CHECK(why_not(100'000'000, linux_traits()) ==
        "-t 100000000: no such routing table: this kernel has 1 to 999999999 for IPv4 and 1 to "
        "99999999 for IPv6, and one number serves both");
  CHECK(check_default_table(TableId(1), freebsd_traits()).error().code == ErrorCode::usage);
}

TEST_CASE("a configuration that is impossible in each line is told of in part") {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += fmt::format("mroute vrf red from em0 group 225.1.2.{} to em1\n", i);
  }
  CHECK(refusals(text, freebsd_traits()).size() == kMaxDiagnostics);
}
