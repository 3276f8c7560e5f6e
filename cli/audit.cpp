// SPDX-License-Identifier: BSD-2-Clause
#include "cli/audit.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace mcast::cli {

namespace {

/// Entries looked at in one go: about a millisecond of kernel calls.
constexpr std::size_t kPiece = 4096;
/// Between two pieces, so that an audit of a large table is hardly felt.
constexpr std::chrono::milliseconds kPause{10};

}  // namespace

Audit::Audit(asio::io_context& loop, Engine& engine, const platform::Ports& ports,
             std::chrono::milliseconds interval, std::function<void()> changed)
    : engine_(engine),
      ports_(ports),
      interval_(interval),
      changed_(std::move(changed)),
      timer_(loop) {
  wait(interval_);
}

void Audit::wait(std::chrono::milliseconds delay) {
  timer_.expires_after(delay);
  timer_.async_wait([this](const std::error_code& error) {
    if (!error) look();
  });
}

void Audit::look() {
  bool found = position_ == 0;
  if (position_ == 0) {
    engine_.doubt_slots();
    look_at_rules();
  }
  const Page<KernelRoute> page = engine_.kernel_routes(position_, kPiece);
  for (const KernelRoute& route : page.rows) {
    const auto counters = ports_.kernel->counters(route.table, route.flow);
    if (counters || counters.error().code != ErrorCode::not_found) continue;
    spdlog::warn("route {} is missing from the kernel: another program removed it; it is restored",
                 route.flow.to_string());
    engine_.flow_in_doubt(route.table, route.flow);
    found = true;
  }
  position_ = page.next.value_or(0);
  wait(page.next ? kPause : interval_);
  if (found) changed_();
}

void Audit::look_at_rules() {
  if (const auto learned = platform::learn_multicast_rules(engine_, ports_); !learned) {
    spdlog::error("{}", learned.error().message);
  }
}

}  // namespace mcast::cli
