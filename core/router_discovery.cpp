// SPDX-License-Identifier: BSD-2-Clause
#include "core/router_discovery.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/backoff.hpp"

namespace mcast {
namespace {

// RFC 4286, sections 3.1 and 8. The time between advertisements varies by a fortieth of the
// interval either way, so that the routers of a network do not speak at the same time.
constexpr Milliseconds kMaxInitialInterval = 2'000;
constexpr unsigned kMaxInitialAdvertisements = 3;
constexpr Milliseconds kMaxResponseDelay = 2'000;
constexpr Milliseconds kLeastGap = 100;  // MaxMessageRate: at most ten in a second
constexpr Milliseconds kJitterDivisor = 40;

Milliseconds in_milliseconds(std::chrono::seconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

RouterDiscovery::RouterDiscovery(std::chrono::seconds interval, Random random)
    : interval_(in_milliseconds(interval)), random_(std::move(random)) {}

Milliseconds RouterDiscovery::random_below(Milliseconds bound) {
  return random_(static_cast<std::uint32_t>(bound));
}

void RouterDiscovery::apply(const RouterLinkChange& change, Milliseconds now) {
  const auto known = announced_.find(change.link);
  if (change.what == RouterLinkChange::What::announces) {
    if (known != announced_.end()) {
      known->second.name = change.name;
      if (change.interrupted) begin(known->second, now);
      return;
    }
    Announced& added = announced_[change.link];
    added.name = change.name;
    added.listen_at = now;
    begin(added, now);
    return;
  }
  if (known == announced_.end()) return;
  stop(known->first, known->second, change.what == RouterLinkChange::What::departed);
  announced_.erase(known);
}

void RouterDiscovery::begin(Announced& state, Milliseconds now) {
  const Milliseconds earliest = state.last_at ? *state.last_at + kLeastGap : now;
  state.initial_left = kMaxInitialAdvertisements;
  state.next_at = std::max(now + random_below(kMaxInitialInterval), earliest);
}

void RouterDiscovery::stop(const RouterLink& link, const Announced& state, bool departed) {
  using Kind = AnnounceStep::Kind;
  if (!departed) farewells_.push_back({.kind = Kind::terminate, .link = link});
  if (state.listening) farewells_.push_back({.kind = Kind::stop_listening, .link = link});
}

void RouterDiscovery::solicited(RouterLink link, Milliseconds now) {
  const auto found = announced_.find(link);
  // One answer is for all who ask meanwhile: many who ask must not cause many answers.
  if (found == announced_.end() || found->second.answering) return;
  Announced& state = found->second;
  const Milliseconds at = std::max(now + random_below(kMaxResponseDelay),
                                   state.last_at ? *state.last_at + kLeastGap : now);
  // While sending fails, being asked does not make it be tried more often.
  if (state.sending.failures != 0 || at >= state.next_at) return;
  state.answering = true;
  state.next_at = at;
}

void RouterDiscovery::withdraw() {
  for (const auto& [link, state] : announced_) stop(link, state, false);
  announced_.clear();
}

std::vector<AnnounceStep> RouterDiscovery::plan(Milliseconds now) {
  using Kind = AnnounceStep::Kind;
  std::vector<AnnounceStep> steps = std::exchange(farewells_, {});
  for (const auto& [link, state] : announced_) {
    if (!state.listening && now >= state.listen_at) {
      steps.push_back({.kind = Kind::listen, .link = link});
    }
    if (now < state.next_at) continue;
    steps.push_back({.kind = Kind::advertise,
                     .link = link,
                     .interval = static_cast<std::uint8_t>(interval_ / 1000)});
  }
  return steps;
}

void RouterDiscovery::acknowledge(const AnnounceStep& step, const Result<void>& outcome,
                                  Milliseconds now) {
  // What was said last needs no repetition: a switch forgets a silent router by itself.
  const auto found = announced_.find(step.link);
  if (found == announced_.end()) return;
  if (step.kind == AnnounceStep::Kind::advertise) {
    advertised(found->first, found->second, outcome, now);
  } else if (step.kind == AnnounceStep::Kind::listen) {
    listened(found->first, found->second, outcome, now);
  }
}

void RouterDiscovery::advertised(const RouterLink& link, Announced& state,
                                 const Result<void>& outcome, Milliseconds now) {
  state.answering = false;
  if (!outcome) {
    state.next_at = note(state.sending, outcome.error(),
                         fmt::format("{}: cannot announce an {} multicast router", state.name,
                                     to_string(link.family)),
                         now);
    return;
  }
  if (!std::exchange(state.sending, {}).reason.empty()) {
    notices_.push_back(
        {NoticeLevel::info, fmt::format("{}: the {} multicast router is announced again",
                                        state.name, to_string(link.family))});
  }
  state.last_at = now;
  if (state.initial_left > 0) --state.initial_left;
  if (state.initial_left > 0) {
    state.next_at = now + kLeastGap + random_below(kMaxInitialInterval - kLeastGap);
  } else {
    const Milliseconds jitter = interval_ / kJitterDivisor;
    state.next_at = now + interval_ - jitter + random_below(2 * jitter + 1);
  }
}

void RouterDiscovery::listened(const RouterLink& link, Announced& state,
                               const Result<void>& outcome, Milliseconds now) {
  state.listening = outcome.has_value();
  if (outcome) {
    state.hearing = {};
    return;
  }
  state.listen_at = note(state.hearing, outcome.error(),
                         fmt::format("{}: cannot hear who asks for {} multicast routers",
                                     state.name, to_string(link.family)),
                         now);
}

Milliseconds RouterDiscovery::note(Trouble& trouble, const Error& error, const std::string& what,
                                   Milliseconds now) {
  // Of an interface that is gone the news is on its way.
  if (trouble.reason != error.message && error.code != ErrorCode::no_such_interface) {
    trouble.reason = error.message;
    notices_.push_back(
        {NoticeLevel::error, fmt::format("{}: {}; trying again", what, error.message)});
  }
  return now + backoff(trouble.failures++);
}

std::optional<Milliseconds> RouterDiscovery::next_deadline() const {
  if (!farewells_.empty()) return 0;
  std::optional<Milliseconds> earliest;
  const auto consider = [&](Milliseconds at) { earliest = std::min(earliest.value_or(at), at); };
  for (const auto& [link, state] : announced_) {
    consider(state.next_at);
    if (!state.listening) consider(state.listen_at);
  }
  return earliest;
}

std::vector<Notice> RouterDiscovery::take_notices() {
  return std::exchange(notices_, {});
}

}  // namespace mcast
