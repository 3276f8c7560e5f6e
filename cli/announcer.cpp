// SPDX-License-Identifier: BSD-2-Clause
#include "cli/announcer.hpp"

#include <utility>

namespace mcast::cli {
namespace {

/// Read before other events are looked at.
constexpr std::size_t kSolicitationsPerTurn = 64;

}  // namespace

Announcer::Announcer(asio::io_context& loop, Engine& engine, platform::DiscoverySocket& socket,
                     std::chrono::seconds interval, Log log)
    : engine_(engine),
      socket_(socket),
      log_(std::move(log)),
      random_(std::random_device()()),
      discovery_(interval, [this](std::uint32_t bound) { return random_below(bound); }),
      deadline_(loop, [this] { run(); }) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const int descriptor = socket_.descriptor(family);
    if (descriptor < 0) continue;
    ready_.try_emplace(family, loop, descriptor);
    wait_for_solicitations(family);
  }
}

Announcer::~Announcer() {
  for (auto& [family, ready] : ready_) ready.release();
}

std::uint32_t Announcer::random_below(std::uint32_t bound) {
  return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
}

void Announcer::follow() {
  const auto changes = engine_.take_router_links();
  if (changes.empty()) return;
  for (const RouterLinkChange& change : changes) discovery_.apply(change, now());
  run();
}

void Announcer::withdraw() {
  discovery_.withdraw();
  run();
}

void Announcer::solicited(RouterLink link) {
  discovery_.solicited(link, now());
}

void Announcer::run() {
  for (const AnnounceStep& step : discovery_.plan(now())) {
    discovery_.acknowledge(step, socket_.apply(step), now());
  }
  for (const Notice& notice : discovery_.take_notices()) log_(notice);
  deadline_.set(discovery_.next_deadline());
}

void Announcer::wait_for_solicitations(Family family) {
  ready_.at(family).async_wait(
      asio::posix::stream_descriptor::wait_read, [this, family](const std::error_code& error) {
        if (error) return;
        const auto read = socket_.read(family, kSolicitationsPerTurn, *this);
        if (!read) log_({NoticeLevel::error, read.error().message});
        deadline_.set(discovery_.next_deadline());
        wait_for_solicitations(family);
      });
}

}  // namespace mcast::cli
