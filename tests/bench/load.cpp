// SPDX-License-Identifier: BSD-2-Clause
// A file of exact routes: until all are installed, and again when nothing in it has changed.
#include <fmt/format.h>

#include <string>

#include "tests/bench/live_router.hpp"
#include "tests/bench/routes.hpp"
#include "tests/bench/scale.hpp"
#include "tests/bench/timed_daemon.hpp"
#include "tests/support/process.hpp"

namespace mcast::bench {
namespace {

/// Judged by processor time: on a busy machine the wall's tells little.
constexpr double kBudget = 2;

struct Best {
  Cost bare = kNever;
  LiveRouter::Load load{kNever, kNever, kNever};
  Cost total = kNever;
  Cost reload = kNever;
  std::uint64_t reload_calls = 0;
  Cost process = kNever;
};

/// One after the other, so that a busy moment of the machine meets all of them.
void measure_once(Best& best, const Scale& scale, const std::string& text) {
  {
    const Stage stage;
    best.bare = bench::best(best.bare, BareLoop(stage.router).put_routes(scale.routes));
  }
  {
    const Stage stage;
    const testing::TempDir dir;
    dir.write("routes.conf", text);
    LiveRouter router(stage.router);
    const LiveRouter::Load load = router.load(dir / "routes.conf");
    if (load.total().processor < best.load.total().processor) best.load = load;
    best.total = bench::best(best.total, load.total());
    const std::uint64_t before = router.change_count();
    best.reload = bench::best(best.reload, router.load(dir / "routes.conf").total());
    best.reload_calls += router.change_count() - before;
  }
  {
    const Stage stage;
    const TimedDaemon daemon(stage.router, "mcastd", text, scale.routes);
    best.process = bench::best(best.process, daemon.start_cost());
  }
}

}  // namespace

void measure_load(Report& report, const Scale& scale) {
  const std::string text = route_lines(Family::ipv4, scale.routes, "eth1 eth2");
  Best best;
  for (unsigned i = 0; i < scale.repetitions; ++i) {
    Report::progress(
        fmt::format("loading {} routes, {} of {}", scale.routes, i + 1, scale.repetitions));
    measure_once(best, scale, text);
  }
  const auto bare_loop = "bare MRT_ADD_MFC loop";
  const auto file_to_installed = fmt::format("{} routes, file to installed", scale.routes);
  report.add_ratio(file_to_installed, best.total.wall, best.bare.wall, bare_loop, {});
  report.add_ratio(file_to_installed + ", processor", best.total.processor, best.bare.processor,
                   bare_loop, kBudget);
  const auto stage = [&](const char* what, const Cost& cost) {
    report.add_ratio(what, cost.processor, best.bare.processor, bare_loop, {});
  };
  stage("  of it: reading the file", best.load.parse);
  stage("  of it: rules to the engine", best.load.take_over);
  stage("  of it: plan, calls, ledger", best.load.install);
  const auto process = fmt::format("{} routes, process start to installed", scale.routes);
  report.add_ratio(process, best.process.wall, best.bare.wall, bare_loop, {});
  report.add_ratio(process + ", processor", best.process.processor, best.bare.processor, bare_loop,
                   kBudget);
  report.add({.what = fmt::format("unchanged reload of {} routes", scale.routes),
              .ours = fmt::format("{} calls, {} of processor", best.reload_calls,
                                  in_words(best.reload.processor)),
              .beside = {},
              .result = fmt::format("{} calls", best.reload_calls),
              .budget = "0 calls",
              .verdict = best.reload_calls == 0 ? Verdict::met : Verdict::missed});
}

}  // namespace mcast::bench
