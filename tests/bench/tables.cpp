// SPDX-License-Identifier: BSD-2-Clause
// Several routing tables in one daemon: more interfaces than one table has slots, and what a route
// costs where there are more tables than one.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "tests/bench/live_router.hpp"
#include "tests/bench/routes.hpp"
#include "tests/bench/scale.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/process.hpp"
#include "tests/support/traffic.hpp"

namespace mcast::bench {
namespace {

using testing::Daemon;
using testing::MulticastSender;
using testing::NetNamespace;

constexpr std::size_t kInterfaces = 200;
constexpr std::size_t kOutputs = 8;
/// Through the last of the tables at least half as many packets as through a single one.
constexpr double kSlowdown = 2;
constexpr double kCostOfTables = 1.4;

std::string interface_name(std::size_t n) {
  return fmt::format("e{}", n % kInterfaces);
}
std::string group_of(std::size_t n) {
  return fmt::format("239.0.{}.1", n);
}

/// A router with as many interfaces, whose other ends send.
struct Ring {
  NetNamespace router;
  NetNamespace outside;
  Ring() {
    for (std::size_t n = 0; n < kInterfaces; ++n) {
      const std::string peer = "to-" + interface_name(n);
      router.add_veth(interface_name(n), outside, peer);
      outside.add_address(peer, fmt::format("10.{}.0.2/24", n));
    }
  }
  /// From the n-th interface to the next ones.
  static std::string rule(std::size_t n) {
    std::string line = fmt::format("mroute from {} source 10.{}.0.2 group {} to", interface_name(n),
                                   n, group_of(n));
    for (std::size_t k = 1; k <= kOutputs; ++k) line += ' ' + interface_name(n + k);
    return line + '\n';
  }
  [[nodiscard]] MulticastSender sender(std::size_t n) const {
    return {outside, "to-" + interface_name(n), group_of(n)};
  }
  /// Packets that each interface has been given to send.
  [[nodiscard]] std::map<std::string, std::uint64_t> packets_sent() const {
    std::map<std::string, std::uint64_t> sent;
    std::istringstream lines(router.read_proc_net("dev"));
    for (std::string line; std::getline(lines, line);) {
      std::ranges::replace(line, ':', ' ');
      std::istringstream words(line);
      std::string name;
      words >> name;
      constexpr int kFieldsBefore = 9;
      std::uint64_t value = 0;
      for (int field = 0; field <= kFieldsBefore; ++field) words >> value;
      sent[name] = value;
    }
    return sent;
  }
};

/// The kernel forwards a packet while its sender is in the call that sends it. Processor time.
double seconds_per_packet(const Daemon& daemon, const Ring& ring, std::size_t n, unsigned packets) {
  MulticastSender sender = ring.sender(n);
  const std::string last = interface_name(n + kOutputs);
  const std::uint64_t before = ring.packets_sent()[last];
  const Stopwatch watch;
  for (unsigned i = 0; i < packets; ++i) sender.send();
  const Cost cost = watch.cost();
  const bool passed =
      daemon.eventually([&] { return ring.packets_sent()[last] >= before + packets; });
  if (!passed) throw std::runtime_error("packets are lost from " + interface_name(n));
  return cost.processor / packets;
}

/// How many interfaces sent all that the groups of those before them bring.
std::size_t forwarding(const Daemon& daemon, const Ring& ring) {
  // More than an interface says of its own in the meantime.
  constexpr std::uint64_t kPackets = 50;
  auto before = ring.packets_sent();
  for (std::size_t n = 0; n < kInterfaces; ++n) {
    MulticastSender sender = ring.sender(n);
    for (std::uint64_t i = 0; i < kPackets; ++i) sender.send();
  }
  std::size_t complete = 0;
  static_cast<void>(daemon.eventually([&] {
    auto now = ring.packets_sent();
    complete = 0;
    for (std::size_t n = 0; n < kInterfaces; ++n) {
      const std::string name = interface_name(n);
      if (now[name] >= before[name] + kPackets * kOutputs) ++complete;
    }
    return complete == kInterfaces;
  }));
  return complete;
}

/// The tables that interfaces have, and the number of one in the last of them.
std::pair<std::size_t, std::size_t> tables_and_last(const Daemon& daemon) {
  const auto shown = daemon.ctl({"-j", "show", "interfaces"});
  const auto answer = nlohmann::json::parse(shown.out);
  std::map<std::uint32_t, std::string> tables;
  for (const auto& row : answer["interfaces"]) {
    const std::string name = row["name"];
    if (name.starts_with('e') && name.size() > 1 && name[1] <= '9') tables[row["table"]] = name;
  }
  if (tables.empty()) throw std::runtime_error("no interface is shown: " + shown.err);
  return {tables.size(), std::stoul(tables.rbegin()->second.substr(1))};
}

void measure_spread(Report& report, const Scale& scale) {
  Report::progress(fmt::format("{} interfaces spread over tables", kInterfaces));
  const Ring ring;
  std::string rules = "tables auto 100-131\n";
  for (std::size_t n = 0; n < kInterfaces; ++n) rules += Ring::rule(n);
  std::size_t last = 0;
  const auto packet_cost = [&](const Daemon& daemon) {
    constexpr unsigned kPackets = 10'000;
    double least = kNever.processor;
    for (unsigned i = 0; i < scale.repetitions; ++i) {
      least = std::min(least, seconds_per_packet(daemon, ring, last, kPackets));
    }
    return least;
  };
  double ours = 0;
  {
    const Daemon daemon(ring.router, rules, {.log_level = "error"});
    const auto complete = forwarding(daemon, ring);
    std::size_t tables = 0;
    std::tie(tables, last) = tables_and_last(daemon);
    report.add({.what = fmt::format("{} interfaces, each to {} others, over {} tables", kInterfaces,
                                    kOutputs, tables),
                .ours = fmt::format("{} forward", complete),
                .beside = {},
                .result = fmt::format("{} of {}", complete, kInterfaces),
                .budget = "all",
                .verdict = complete == kInterfaces ? Verdict::met : Verdict::missed});
    ours = packet_cost(daemon);
  }
  // Among the same interfaces: where packets end takes its time too.
  const Daemon single(ring.router, Ring::rule(last), {.log_level = "error"});
  report.add_ratio("a packet through the last table to 8 interfaces", ours, packet_cost(single),
                   "a single table", kSlowdown);
}

/// The same routes in so many tables.
std::string in_tables(const std::string& lines, std::size_t tables) {
  std::string text;
  std::istringstream input(lines);
  std::size_t n = 0;
  for (std::string line; std::getline(input, line);) {
    text += line.insert(line.find(' '), fmt::format(" table {}", 100 + n++ % tables)) + '\n';
  }
  return text;
}

/// An interface that routes of all tables name returns.
struct Return {
  std::uint64_t calls = 0;
  double seconds = kNever.wall;

  void measure(Stage& stage, LiveRouter& router) {
    stage.pull("eth1");
    router.follow();
    stage.plug("eth1");
    const LiveRouter::Reaction reaction = router.follow();
    calls = std::max(calls, reaction.calls);
    seconds = std::min(seconds, reaction.seconds);
    router.follow();
  }
};

void measure_costs(Report& report, const Scale& scale) {
  constexpr std::size_t kTables = 8;
  constexpr int kReturns = 5;
  const std::string lines = route_lines(Family::ipv4, scale.routes, "eth1 eth2");
  const std::string texts[] = {in_tables(lines, 1), in_tables(lines, kTables)};
  Cost load[] = {kNever, kNever};
  Cost reload[] = {kNever, kNever};
  Return returns[2];
  for (unsigned i = 0; i < scale.repetitions; ++i) {
    for (const std::size_t which : {0U, 1U}) {
      Report::progress(
          fmt::format("{} routes in {} tables", scale.routes, which == 0 ? 1 : kTables));
      Stage stage;
      const testing::TempDir dir;
      dir.write("routes.conf", texts[which]);
      stage.router.run([&] {
        LiveRouter router(stage.router);
        load[which] = best(load[which], router.load(dir / "routes.conf").total());
        reload[which] = best(reload[which], router.load(dir / "routes.conf").total());
        for (int k = 0; k < kReturns; ++k) returns[which].measure(stage, router);
      });
    }
  }
  report.add_ratio(fmt::format("{} routes over {} tables, processor", scale.routes, kTables),
                   load[1].processor, load[0].processor, "in one table", kCostOfTables);
  report.add_ratio("  the same again, unchanged", reload[1].processor, reload[0].processor,
                   "in one table", kCostOfTables);
  report.add(
      {.what = fmt::format("  an outbound interface of all {} tables returns", kTables),
       .ours = fmt::format("{} calls", returns[1].calls),
       .beside = fmt::format("{} calls in one table", returns[0].calls),
       .result = fmt::format("{} a table", returns[1].calls / kTables),
       .budget = "as many a table",
       .verdict = returns[1].calls == kTables * returns[0].calls ? Verdict::met : Verdict::missed});
  report.add_ratio("  the same, time for each table", returns[1].seconds / kTables,
                   returns[0].seconds, "in one table", kCostOfTables);
}

}  // namespace

void measure_tables(Report& report, const Scale& scale) {
  measure_spread(report, scale);
  measure_costs(report, scale);
}

}  // namespace mcast::bench
