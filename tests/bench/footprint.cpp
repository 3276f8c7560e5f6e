// SPDX-License-Identifier: BSD-2-Clause
// What the daemon takes while it does nothing: memory, and the processor's time.
#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <stdexcept>
#include <string>

#include "tests/bench/idle.hpp"
#include "tests/bench/routes.hpp"
#include "tests/bench/scale.hpp"
#include "tests/bench/timed_daemon.hpp"

namespace mcast::bench {
namespace {

constexpr double kBytesPerRoute = 200;

void report_memory(Report& report, const Scale& scale, const std::string& what, const Memory& one,
                   const Memory& many) {
  const auto per_route = [&](std::uint64_t Memory::* kind) {
    const double kilobytes = static_cast<double>(many.*kind) - static_cast<double>(one.*kind);
    return kilobytes * 1024 / static_cast<double>(scale.routes - 1);
  };
  const double resident = per_route(&Memory::resident);
  report.add({.what = fmt::format("memory of {} routes, {}", scale.routes, what),
              .ours = fmt::format("{} kB resident (proportional {}, private dirty {})",
                                  many.resident, many.proportional, many.private_dirty),
              .beside = fmt::format("{} kB with 1 route", one.resident),
              .result = fmt::format("{:.0f} bytes a route", resident),
              .budget = fmt::format("<= {} bytes", kBytesPerRoute),
              .verdict = resident <= kBytesPerRoute ? Verdict::met : Verdict::missed});
}

}  // namespace

void measure_memory(Report& report, const Scale& scale) {
  Report::progress("memory");
  const auto text = [](std::size_t routes) {
    return route_lines(Family::ipv4, routes, "eth1 eth2");
  };
  const Stage small;
  const TimedDaemon one(small.router, "mcastd", text(1), 1);
  const Stage large;
  TimedDaemon many(large.router, "mcastd", text(scale.routes), scale.routes);
  report_memory(report, scale, "loaded", one.memory(), many.memory());
  many.reload();
  many.reload();
  report_memory(report, scale, "reloaded twice", one.memory(), many.memory());
}

void measure_idleness(Report& report, const Scale& scale) {
  Report::progress(fmt::format("idleness, {} s", scale.idle.count()));
  const Idleness idle = watch_idle_daemon(scale.idle);
  report.add({.what = fmt::format("wakeups in {} s of idleness", scale.idle.count()),
              .ours = fmt::format("{} context switches", idle.wakeups),
              .beside = fmt::format("{} packets forwarded meanwhile", idle.forwarded),
              .result = fmt::format("{} wakeups", idle.wakeups),
              .budget = "0 wakeups",
              .verdict = idle.wakeups == 0 ? Verdict::met : Verdict::missed});
}

}  // namespace mcast::bench
