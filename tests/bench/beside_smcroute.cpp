// SPDX-License-Identifier: BSD-2-Clause
// The same file under mcastd and under SMCRoute as the distribution packages it.
#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/bench/routes.hpp"
#include "tests/bench/scale.hpp"
#include "tests/bench/timed_daemon.hpp"

namespace mcast::bench {
namespace {

struct Times {
  Cost load = kNever;
  Cost reload = kNever;
};

Times measure(const std::string& program, std::size_t routes, unsigned repetitions) {
  const std::string text = "phyint eth0 enable\nphyint eth1 enable\nphyint eth2 enable\n" +
                           route_lines(Family::ipv4, routes, "eth1 eth2");
  Times times;
  for (unsigned i = 0; i < repetitions; ++i) {
    Report::progress(
        fmt::format("{} with {} routes, {} of {}", program, routes, i + 1, repetitions));
    const Stage stage;
    TimedDaemon daemon(stage.router, program, text, routes);
    times.load = best(times.load, daemon.start_cost());
    times.reload = best(times.reload, daemon.reload());
    if (!TableView(stage.router).has_all(routes)) {
      throw std::runtime_error(program + " has lost routes by an unchanged reload");
    }
  }
  return times;
}

}  // namespace

void measure_beside_smcroute(Report& report, const Scale& scale) {
  if (!std::filesystem::exists(kSmcrouted)) {
    throw std::runtime_error(kSmcrouted + ": not installed; packaging/deps test installs it");
  }
  Cost their_first_reload;
  for (const std::size_t routes : scale.smcroute_routes) {
    // Theirs takes seconds to minutes, next to which noise is nothing.
    const Times ours = measure("mcastd", routes, scale.repetitions);
    const Times theirs = measure(kSmcrouted, routes, 1);
    const auto compare = [&](const char* what, const Cost& mine, const Cost& other) {
      const std::string name = fmt::format("{} routes, {}", routes, what);
      report.add_ratio(name, mine.wall, other.wall, "SMCRoute", {});
      report.add_ratio(name + ", processor", mine.processor, other.processor, "SMCRoute", {});
    };
    compare("start to installed", ours.load, theirs.load);
    compare("unchanged reload", ours.reload, theirs.reload);
    if (their_first_reload.processor == 0) their_first_reload = theirs.reload;
  }
  const Times many = measure("mcastd", scale.routes, scale.repetitions);
  report.add_ratio(fmt::format("{} routes, unchanged reload, processor", scale.routes),
                   many.reload.processor, their_first_reload.processor,
                   fmt::format("SMCRoute, {} routes", scale.smcroute_routes.front()), 0.1);
}

}  // namespace mcast::bench
