// SPDX-License-Identifier: BSD-2-Clause
#include "tests/demo/display.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace mcast::demo {
namespace {

constexpr std::chrono::milliseconds kFrame{100};
constexpr const char* kHideCursor = "\x1b[?25l";
constexpr const char* kShowCursor = "\x1b[?25h";

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string row(const char* name, const char* role, const Counters* counters) {
  if (counters == nullptr)
    return fmt::format("  {:<6} {:<26} {:>9} {:>9} {:>9} {:>9}\n", name, role, "-", "-", "-", "-");
  return fmt::format("  {:<6} {:<26} {:>9} {:>9} {:>9} {:>9}\n", name, role, counters->ipv4.in,
                     counters->ipv4.out, counters->ipv6.in, counters->ipv6.out);
}

std::uint64_t received(const std::vector<Tap*>& taps, bool ipv6) {
  std::uint64_t sum = 0;
  for (Tap* tap : taps)
    if (tap->ipv6() == ipv6) sum += tap->received();
  return sum;
}

}  // namespace

Display::Display() : terminal_(::isatty(STDOUT_FILENO) == 1) {
  if (terminal_) put(kHideCursor);
}

Display::~Display() {
  if (terminal_) put(kShowCursor);
}

void Display::erase() {
  if (drawn_ > 0) put(fmt::format("\x1b[{}A\x1b[J", drawn_));
  drawn_ = 0;
}

void Display::say(std::string_view line) {
  erase();
  put(fmt::format("{}\n", line));
  next_ = {};
}

void Display::refresh(Scene& scene) {
  if (!terminal_ || testing::Clock::now() < next_) return;
  next_ = testing::Clock::now() + kFrame;
  const std::string text = table(scene);
  erase();
  put(text);
  drawn_ = static_cast<int>(std::ranges::count(text, '\n'));
}

void Display::record(Scene& scene) {
  if (!terminal_) put(table(scene));
}

void Display::keep(Scene& scene) {
  erase();
  if (terminal_) put(table(scene));
}

std::string Display::table(Scene& scene) {
  struct Place {
    const char* name;
    const char* role;
  };
  constexpr Place kPlaces[] = {{"wan0", "from the sender"},
                               {"lan1", "to receiver A"},
                               {"lan2", "to and from receiver B"},
                               {"lan3", "to the newcomer"}};
  std::string text = fmt::format("\n  {:<33} {:>19} {:>19}\n", "packets through the router",
                                 "IPv4 in       out", "IPv6 in       out");
  const auto counters = scene.counters();
  for (const Place& place : kPlaces) {
    const auto found = counters.find(place.name);
    text += row(place.name, place.role, found == counters.end() ? nullptr : &found->second);
  }
  auto at_a = scene.uplink[0];
  at_a.insert(at_a.end(), scene.lateral.begin(), scene.lateral.end());
  const auto receiver = [&](const char* name, const std::vector<Tap*>& taps) {
    text +=
        fmt::format("  {:<33} {:>19} {:>19}\n", name, received(taps, false), received(taps, true));
  };
  receiver("received by A", at_a);
  receiver("received by B", scene.uplink[1]);
  receiver("received by the newcomer", scene.uplink[2]);
  return text + "\n";
}

}  // namespace mcast::demo
