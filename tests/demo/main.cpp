// SPDX-License-Identifier: BSD-2-Clause
//
// The main job before your eyes: a sender, a router with a real daemon and receivers in private
// network namespaces, with cables that are pulled and returned while packets flow.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <iterator>
#include <string_view>
#include <system_error>

#include "tests/demo/display.hpp"
#include "tests/demo/scene.hpp"

namespace mcast::demo {
namespace {

using testing::ArrivalClock;
using testing::Clock;

constexpr int kExitNoPermission = 77;
constexpr int kExitInterrupted = 130;
constexpr int kExitUsage = 64;

volatile std::sig_atomic_t interrupted = 0;
struct Interrupted {};

using Taps = std::vector<Tap*>;

Taps join(std::initializer_list<Taps> parts) {
  Taps all;
  for (const Taps& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

struct Event {
  std::string title;
  std::function<void()> action;
  bool makes_interface;
  Taps restored;     ///< must flow again because of it
  Taps unconcerned;  ///< must not notice it
};

struct Outcome {
  std::string title;
  bool makes_interface = false;
  double made_ms = 0;
  std::optional<double> first_ipv4_ms;
  std::optional<double> first_ipv6_ms;
  bool flowed = true;  ///< everything that had to
  std::uint64_t lost = 0;
  std::uint64_t watched = 0;
};

double milliseconds(ArrivalClock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::string text_of(const std::optional<double>& milliseconds) {
  return milliseconds ? fmt::format("{:.1f} ms", *milliseconds) : "-";
}

class Demo {
 public:
  explicit Demo(std::chrono::milliseconds dwell) : dwell_(dwell) {}

  /// True if everything flowed and nobody lost a packet for another's sake.
  bool run();

 private:
  bool start();
  Outcome play(const Event& event);
  void watch(std::chrono::milliseconds time);
  bool await(const std::function<bool()>& condition);
  void step();
  [[nodiscard]] std::vector<Event> script();
  bool conclude(const std::vector<Outcome>& outcomes);

  std::chrono::milliseconds dwell_;
  Display display_;
  Scene scene_;
};

void Demo::step() {
  if (interrupted != 0) throw Interrupted{};
  scene_.pump();
  display_.refresh(scene_);
}

void Demo::watch(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) step();
}

bool Demo::await(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + testing::kPatience;
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    step();
  }
  return true;
}

std::vector<Event> Demo::script() {
  const auto pull = [this](const char* name) { return [this, name] { scene_.pull(name); }; };
  const auto plug = [this](const char* name) { return [this, name] { scene_.plug(name); }; };
  const auto& [a, b, newcomer] = scene_.uplink;
  return {
      {"lan1 is pulled", pull("lan1"), false, {}, b},
      {"lan1 returns", plug("lan1"), true, join({a, scene_.lateral}), b},
      {"lan3 is new, matches lan+", plug("lan3"), true, newcomer, join({a, b, scene_.lateral})},
      {"wan0 (inbound) is pulled", pull("wan0"), false, {}, scene_.lateral},
      {"wan0 (inbound) returns", plug("wan0"), true, join({a, b, newcomer}), scene_.lateral},
  };
}

Outcome Demo::play(const Event& event) {
  Outcome outcome;
  outcome.title = event.title;
  outcome.makes_interface = event.makes_interface;
  const auto positions = [](const Taps& taps) {
    std::vector<std::uint64_t> result;
    std::ranges::transform(taps, std::back_inserter(result), &Tap::position);
    return result;
  };
  display_.say(fmt::format("* {}", event.title));
  const auto before = positions(event.restored);
  const auto watched_from = positions(event.unconcerned);
  const auto start = ArrivalClock::now();
  event.action();
  outcome.made_ms = milliseconds(ArrivalClock::now() - start);

  outcome.flowed = await([&] {
    for (std::size_t i = 0; i < before.size(); ++i)
      if (!event.restored[i]->first_after(before[i])) return false;
    return true;
  });
  for (std::size_t i = 0; i < before.size(); ++i) {
    Tap& tap = *event.restored[i];
    const auto first = tap.first_after(before[i]);
    if (!first) continue;
    auto& slowest = tap.ipv6() ? outcome.first_ipv6_ms : outcome.first_ipv4_ms;
    slowest = std::max(slowest.value_or(0), milliseconds(*first - start));
  }
  if (outcome.first_ipv4_ms && outcome.first_ipv6_ms)
    display_.say(fmt::format("  everyone has packets: IPv4 after {}, IPv6 after {}",
                             text_of(outcome.first_ipv4_ms), text_of(outcome.first_ipv6_ms)));
  watch(dwell_);
  for (std::size_t i = 0; i < watched_from.size(); ++i) {
    Tap& tap = *event.unconcerned[i];
    const std::uint64_t end = tap.position();
    outcome.flowed = outcome.flowed && end > watched_from[i];
    outcome.watched += end - watched_from[i];
    outcome.lost += tap.lost(watched_from[i], end);
  }
  display_.record(scene_);
  return outcome;
}

bool Demo::start() {
  display_.say("The router's configuration:\n");
  display_.say(kConfiguration);
  display_.say("* mcastd runs, a thousand packets a second in each of four flows");
  const Taps expected = join({scene_.uplink[0], scene_.uplink[1], scene_.lateral});
  const bool all = await(
      [&] { return std::ranges::all_of(expected, [](Tap* tap) { return tap->received() > 0; }); });
  watch(dwell_);
  display_.record(scene_);
  if (!all) display_.say("mcast_demo: packets do not flow");
  return all;
}

bool Demo::conclude(const std::vector<Outcome>& outcomes) {
  display_.keep(scene_);
  display_.say(fmt::format("  {:<28} {:>11} {:>11} {:>11}   {}", "", "interface", "first IPv4",
                           "first IPv6", "lost by flows"));
  display_.say(fmt::format("  {:<28} {:>11} {:>11} {:>11}   {}", "event", "made in", "packet after",
                           "packet after", "not concerned"));
  bool good = true;
  for (const Outcome& outcome : outcomes) {
    const bool fine = outcome.flowed && outcome.lost == 0;
    good = good && fine;
    display_.say(fmt::format("  {:<28} {:>11} {:>11} {:>11}   {} of {}{}", outcome.title,
                             outcome.makes_interface ? text_of(outcome.made_ms) : "-",
                             text_of(outcome.first_ipv4_ms), text_of(outcome.first_ipv6_ms),
                             outcome.lost, outcome.watched, fine ? "" : "  FAILED"));
  }
  display_.say(
      "\n  Times count from the request to the kernel to make the interface to the last of the\n"
      "  receivers having its first packet; one packet a millisecond is sent in each flow.\n");
  display_.say(good ? "Everything flowed, and no flow lost a packet for another's sake."
                    : "mcast_demo: not everything flowed as it should; what mcastd said:\n" +
                          scene_.daemon_log());
  return good;
}

bool Demo::run() {
  if (!start()) {
    display_.say(scene_.daemon_log());
    return false;
  }
  std::vector<Outcome> outcomes;
  for (const Event& event : script()) outcomes.push_back(play(event));
  return conclude(outcomes);
}

int run(std::chrono::milliseconds dwell) {
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  try {
    return Demo(dwell).run() ? 0 : 1;
  } catch (const Interrupted&) {
    return kExitInterrupted;
  } catch (const std::system_error& error) {
    fmt::print(stderr, "mcast_demo: {}\n", error.what());
    return error.code() == std::errc::operation_not_permitted ? kExitNoPermission : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "mcast_demo: {}\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace mcast::demo

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (argc > 2 || (argc == 2 && option != "--brief")) {
    fmt::print(stderr, "usage: mcast_demo [--brief]\n");
    return mcast::demo::kExitUsage;
  }
  return mcast::demo::run(option == "--brief" ? 200ms : 2500ms);
}
