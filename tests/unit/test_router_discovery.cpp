// SPDX-License-Identifier: BSD-2-Clause
// When what is said by Multicast Router Discovery, in virtual time.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/router_discovery.hpp"

using namespace mcast;
using Kind = AnnounceStep::Kind;
using What = RouterLinkChange::What;

namespace {

constexpr RouterLink kLink{IfIndex(3), Family::ipv4};
constexpr RouterLink kLink6{IfIndex(3), Family::ipv6};
constexpr Milliseconds kSecond = 1'000;

/// A discovery in virtual time whose every message is sent, unless told otherwise.
class Clockwork {
 public:
  struct Done {
    AnnounceStep step;
    Milliseconds at;
  };

  explicit Clockwork(std::chrono::seconds interval = std::chrono::seconds(20))
      : discovery(interval, [this](std::uint32_t bound) { return draw(bound); }) {}

  /// Carries out what is due until `end`, and returns it.
  std::vector<Done> run_until(Milliseconds end) {
    std::vector<Done> done;
    for (;;) {
      const auto deadline = discovery.next_deadline();
      if (!deadline || std::max(*deadline, now) > end) break;
      now = std::max(*deadline, now);
      for (const AnnounceStep& step : discovery.plan(now)) {
        done.push_back({step, now});
        discovery.acknowledge(step, outcome(step), now);
      }
    }
    now = end;
    return done;
  }
  void tell(What what, RouterLink link = kLink) {
    discovery.apply({what, link, "eth0", false}, now);
  }

  /// The least, the greatest, or one of many.
  std::function<std::uint32_t(std::uint32_t)> draw = [this](std::uint32_t bound) {
    seed_ = seed_ * 1'103'515'245 + 12'345;
    return (seed_ >> 8U) % bound;
  };
  std::function<Result<void>(const AnnounceStep&)> outcome = [](const AnnounceStep&) {
    return Result<void>();
  };
  Milliseconds now = 1'000'000;
  RouterDiscovery discovery;

 private:
  std::uint32_t seed_ = 1;
};

std::vector<Milliseconds> times_of(const std::vector<Clockwork::Done>& all, Kind kind,
                                   RouterLink link = kLink) {
  std::vector<Milliseconds> times;
  for (const auto& done : all) {
    if (done.step.kind == kind && done.step.link == link) times.push_back(done.at);
  }
  return times;
}

std::vector<Milliseconds> gaps_of(const std::vector<Milliseconds>& times) {
  std::vector<Milliseconds> gaps;
  for (std::size_t i = 1; i < times.size(); ++i) gaps.push_back(times[i] - times[i - 1]);
  return gaps;
}

Result<void> refused() {
  return fail(ErrorCode::os, "eth0: sendmsg: Network is unreachable");
}

}  // namespace

TEST_CASE("a new router interface listens at once and begins with a burst of three") {
  Clockwork clock;
  const Milliseconds begin = clock.now;
  clock.tell(What::announces);
  const auto done = clock.run_until(begin + 6 * kSecond);
  CHECK(times_of(done, Kind::listen) == std::vector{begin});
  const auto sent = times_of(done, Kind::advertise);
  REQUIRE(sent.size() == 3);
  CHECK(sent.front() <= begin + 2 * kSecond);
  for (const Milliseconds gap : gaps_of(sent)) CHECK(gap <= 2 * kSecond);
  for (const auto& each : done) {
    if (each.step.kind == Kind::advertise) CHECK(each.step.interval == 20);
  }
}

TEST_CASE("after the burst the interval varies by a fortieth either way, and does vary") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.run_until(clock.now + 6 * kSecond);
  const auto gaps =
      gaps_of(times_of(clock.run_until(clock.now + 20'000 * kSecond), Kind::advertise));
  REQUIRE(gaps.size() > 900);
  const auto [least, most] = std::ranges::minmax(gaps);
  CHECK(least >= 19'500);
  CHECK(most <= 20'500);
  CHECK(least < 19'600);
  CHECK(most > 20'400);
}

TEST_CASE("every interval of -m is kept whatever the dice say") {
  for (const int seconds : {4, 180}) {
    for (const bool greatest : {false, true}) {
      CAPTURE(seconds);
      Clockwork clock{std::chrono::seconds(seconds)};
      clock.draw = [&](std::uint32_t bound) { return greatest ? bound - 1 : 0; };
      clock.tell(What::announces);
      clock.run_until(clock.now + 6 * kSecond);
      const auto done = clock.run_until(clock.now + 1'000 * kSecond);
      for (const Milliseconds gap : gaps_of(times_of(done, Kind::advertise))) {
        CHECK(gap == seconds * (greatest ? 1'025 : 975));
      }
      CHECK(done.front().step.interval == seconds);
    }
  }
}

TEST_CASE("a solicitation is answered within two seconds, and many get one answer") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.run_until(clock.now + 10 * kSecond);
  const Milliseconds asked = clock.now;
  for (int i = 0; i < 1'000; ++i) clock.discovery.solicited(kLink, clock.now);
  const auto answers = times_of(clock.run_until(asked + 2 * kSecond), Kind::advertise);
  CHECK(answers.size() == 1);
}

TEST_CASE("answers are not always as early or as late as can be") {
  Clockwork clock;
  clock.tell(What::announces);
  Milliseconds least = 2 * kSecond;
  Milliseconds most = 0;
  for (int i = 0; i < 200; ++i) {
    clock.run_until(clock.now + 3 * kSecond);
    const Milliseconds asked = clock.now;
    clock.discovery.solicited(kLink, asked);
    const auto answers = times_of(clock.run_until(asked + 2 * kSecond), Kind::advertise);
    REQUIRE_FALSE(answers.empty());
    least = std::min(least, answers.front() - asked);
    most = std::max(most, answers.front() - asked);
  }
  CHECK(least < 200);
  CHECK(most > 1'800);
}

TEST_CASE("a flood of solicitations never causes more than ten messages a second") {
  Clockwork clock;
  clock.draw = [](std::uint32_t) { return 0U; };
  clock.tell(What::announces);
  std::vector<Milliseconds> sent;
  for (const Milliseconds end = clock.now + 20 * kSecond; clock.now < end;) {
    clock.discovery.solicited(kLink, clock.now);
    const auto some = times_of(clock.run_until(clock.now + 1), Kind::advertise);
    sent.insert(sent.end(), some.begin(), some.end());
  }
  CHECK(sent.size() > 10);
  for (const Milliseconds gap : gaps_of(sent)) CHECK(gap >= 100);
}

TEST_CASE("a solicitation where this host is no router is not answered") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.run_until(clock.now + 10 * kSecond);
  clock.discovery.solicited(kLink6, clock.now);
  clock.discovery.solicited({IfIndex(4), Family::ipv4}, clock.now);
  CHECK(clock.run_until(clock.now + 3 * kSecond).empty());
}

TEST_CASE("a router interface that ceases to be one says so once, then nothing") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.run_until(clock.now + 5 * kSecond);
  clock.tell(What::stopped);
  clock.tell(What::stopped);
  const auto done = clock.run_until(clock.now + 100 * kSecond);
  REQUIRE(done.size() == 2);
  CHECK(done[0].step.kind == Kind::terminate);
  CHECK(done[1].step.kind == Kind::stop_listening);
  CHECK_FALSE(clock.discovery.next_deadline());
}

TEST_CASE("on a departed interface nothing is said, and its membership is given up") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.run_until(clock.now + 5 * kSecond);
  clock.tell(What::departed);
  const auto done = clock.run_until(clock.now + 100 * kSecond);
  REQUIRE(done.size() == 1);
  CHECK(done[0].step.kind == Kind::stop_listening);
}

TEST_CASE("an interface that was made anew listens again and begins with a burst again") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.run_until(clock.now + 100 * kSecond);
  clock.tell(What::departed);
  clock.tell(What::announces);
  const auto done = clock.run_until(clock.now + 6 * kSecond);
  REQUIRE_FALSE(done.empty());
  CHECK(done.front().step.kind == Kind::stop_listening);
  CHECK(times_of(done, Kind::listen).size() == 1);
  CHECK(times_of(done, Kind::advertise).size() == 3);
}

TEST_CASE("an interface that was interrupted begins with a burst again and says no farewell") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.run_until(clock.now + 100 * kSecond);
  clock.discovery.apply({What::announces, kLink, "eth0", true}, clock.now);
  const auto done = clock.run_until(clock.now + 6 * kSecond);
  CHECK(done.size() == 3);
  CHECK(times_of(done, Kind::advertise).size() == 3);
}

TEST_CASE("being told the same again changes nothing") {
  Clockwork told;
  Clockwork untold;
  for (Clockwork* clock : {&told, &untold}) clock->tell(What::announces);
  for (int i = 0; i < 100; ++i) {
    told.tell(What::announces);
    const auto sent = times_of(told.run_until(told.now + kSecond), Kind::advertise);
    CHECK(sent == times_of(untold.run_until(untold.now + kSecond), Kind::advertise));
  }
}

TEST_CASE("the families are announced independently") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.tell(What::announces, kLink6);
  clock.run_until(clock.now + 10 * kSecond);
  clock.tell(What::stopped, kLink6);
  const auto done = clock.run_until(clock.now + 100 * kSecond);
  CHECK(times_of(done, Kind::advertise, kLink6).empty());
  CHECK(times_of(done, Kind::advertise, kLink).size() >= 4);
  CHECK(times_of(done, Kind::terminate, kLink).empty());
}

TEST_CASE("withdrawing says farewell on every interface") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.tell(What::announces, kLink6);
  clock.discovery.withdraw();
  const auto done = clock.run_until(clock.now + 100 * kSecond);
  CHECK(times_of(done, Kind::terminate, kLink).size() == 1);
  CHECK(times_of(done, Kind::terminate, kLink6).size() == 1);
  CHECK(times_of(done, Kind::advertise).empty());
}

TEST_CASE("a message that cannot be sent is told once and tried again, less and less often") {
  Clockwork clock;
  clock.tell(What::announces);
  clock.outcome = [](const AnnounceStep& step) {
    return step.kind == Kind::advertise ? refused() : Result<void>();
  };
  const auto tries = times_of(clock.run_until(clock.now + 600 * kSecond), Kind::advertise);
  CHECK(tries.size() > 10);
  CHECK(tries.size() < 40);
  auto notices = clock.discovery.take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].level == NoticeLevel::error);
  CHECK(notices[0].text == "eth0: cannot announce an IPv4 multicast router: eth0: sendmsg: "
                           "Network is unreachable; trying again");

  clock.outcome = [](const AnnounceStep&) { return Result<void>(); };
  const auto later = times_of(clock.run_until(clock.now + 40 * kSecond), Kind::advertise);
  CHECK(later.size() >= 3);  // what is left of the burst
  notices = clock.discovery.take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].level == NoticeLevel::info);
}

TEST_CASE("being asked while sending fails does not make it be tried more often") {
  Clockwork clock;
  clock.outcome = [](const AnnounceStep&) { return refused(); };
  clock.tell(What::announces);
  std::size_t tries = 0;
  for (int i = 0; i < 600'000; i += 100) {
    clock.discovery.solicited(kLink, clock.now);
    tries += times_of(clock.run_until(clock.now + 100), Kind::advertise).size();
  }
  CHECK(tries < 40);
}

TEST_CASE("not being able to listen hinders no announcement") {
  Clockwork clock;
  clock.outcome = [](const AnnounceStep& step) {
    return step.kind == Kind::listen ? refused() : Result<void>();
  };
  clock.tell(What::announces);
  const auto done = clock.run_until(clock.now + 6 * kSecond);
  CHECK(times_of(done, Kind::advertise).size() == 3);
  CHECK(times_of(done, Kind::listen).size() > 3);
  REQUIRE(clock.discovery.take_notices().size() == 1);
  clock.outcome = [](const AnnounceStep&) { return Result<void>(); };
  CHECK(times_of(clock.run_until(clock.now + 31 * kSecond), Kind::listen).size() == 1);
}

TEST_CASE("of an interface that has just gone nothing is complained about") {
  Clockwork clock;
  clock.outcome = [](const AnnounceStep&) {
    return Result<void>(fail(ErrorCode::no_such_interface, "interface 3: sendmsg: No such device"));
  };
  clock.tell(What::announces);
  clock.run_until(clock.now + 60 * kSecond);
  CHECK(clock.discovery.take_notices().empty());
}

TEST_CASE("where nothing is to be announced there is nothing to wait for") {
  Clockwork clock;
  clock.tell(What::stopped);
  clock.tell(What::departed);
  CHECK_FALSE(clock.discovery.next_deadline());
}
