// SPDX-License-Identifier: BSD-2-Clause
// An interface comes back or appears: how long until the kernel forwards, and by how many calls.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/live_router.hpp"
#include "tests/bench/routes.hpp"
#include "tests/bench/scale.hpp"
#include "tests/support/process.hpp"

namespace mcast::bench {
namespace {

constexpr std::size_t kFewRoutes = 10;
/// The issue's own figure, in seconds; on a machine too busy for it the bare calls judge.
constexpr double kSoon = 1e-3;
constexpr double kGrossly = 20;

struct Lab {
  Stage stage;
  testing::TempDir dir;
  LiveRouter router{stage.router};

  /// Half of the routes are IPv4, half IPv6.
  explicit Lab(std::size_t routes) {
    dir.write("routes.conf", route_lines(Family::ipv4, routes / 2, "eth1 lan+") +
                                 route_lines(Family::ipv6, routes / 2, "eth1 lan+"));
    router.load(dir / "routes.conf");
    router.follow();
  }
};

struct Event {
  std::vector<double> ours;
  std::vector<double> bare;
  std::uint64_t calls = 0;  ///< the most that one event took
};

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

void note(Event& event, LiveRouter& router) {
  const LiveRouter::Reaction reaction = router.follow();
  event.calls = std::max(event.calls, reaction.calls);
  event.ours.push_back(reaction.seconds);
  event.bare.push_back(router.repeat(reaction.steps));
  router.follow();  // binding a slot again is announced too
}

Event returns(Lab& lab, const std::string& name, unsigned times) {
  Event event;
  for (unsigned i = 0; i < times; ++i) {
    lab.stage.pull(name);
    lab.router.follow();
    lab.stage.plug(name);
    note(event, lab.router);
  }
  return event;
}

/// Each arrival is another interface, so there are only as many as slots.
Event arrives(Lab& lab, unsigned times) {
  Event event;
  for (unsigned i = 0; i < std::min(times, 24U); ++i) {
    lab.stage.plug(fmt::format("lan{}", i));
    note(event, lab.router);
  }
  return event;
}

void report_time(Report& report, const std::string& what, const Event& event) {
  const double ours = median(event.ours);
  const double bare = median(event.bare);
  const bool met = ours < kSoon || ours < kGrossly * bare;
  report.add(
      {.what = fmt::format("{}, {} routes", what, kFewRoutes),
       .ours = fmt::format("{} (best {})", in_words(ours), in_words(std::ranges::min(event.ours))),
       .beside = fmt::format("{} for the {} calls alone", in_words(bare), event.calls),
       .result = fmt::format("{}, {:.1f} x", in_words(ours), ours / bare),
       .budget = fmt::format("< {}, or {} x", in_words(kSoon), kGrossly),
       .verdict = met ? Verdict::met : Verdict::missed});
}

void report_calls(Report& report, const std::string& what, const Event& few, const Event& many,
                  std::size_t routes) {
  report.add({.what = fmt::format("{}, {} routes", what, routes),
              .ours = fmt::format("{} calls in {}", many.calls, in_words(median(many.ours))),
              .beside = fmt::format("{} calls at {} routes", few.calls, kFewRoutes),
              .result = fmt::format("{} more calls", many.calls - few.calls),
              .budget = "0 more",
              .verdict = many.calls == few.calls ? Verdict::met : Verdict::missed});
}

}  // namespace

void measure_events(Report& report, const Scale& scale) {
  Report::progress("interfaces that return, 10 routes");
  Lab few(kFewRoutes);
  const Event out_few = returns(few, "eth1", scale.events);
  const Event in_few = returns(few, "eth0", scale.events);
  const Event wildcard = arrives(few, scale.events);
  report_time(report, "outbound interface returns", out_few);
  report_time(report, "inbound interface returns", in_few);
  report_time(report, "new wildcard match arrives", wildcard);

  Report::progress(fmt::format("interfaces that return, {} routes", scale.routes));
  Lab many(scale.routes);
  const unsigned times = std::max(3U, scale.events / 5);
  report_calls(report, "outbound interface returns", out_few, returns(many, "eth1", times),
               scale.routes);
  report_calls(report, "inbound interface returns", in_few, returns(many, "eth0", times),
               scale.routes);
}

}  // namespace mcast::bench
