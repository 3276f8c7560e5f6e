// SPDX-License-Identifier: BSD-2-Clause
// What FreeBSD's kernel tells of interfaces, decoded beside what Linux's tells.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "tests/bench/bursts.hpp"
#include "tests/bench/scale.hpp"
#include "tests/bench/stopwatch.hpp"

namespace mcast::bench {
namespace {

constexpr unsigned kMessages = 1'000;
constexpr double kBudget = 1;
/// Decoded at a time: one burst is too short to be measured.
constexpr unsigned kBursts = 100;

template <class Decode>
double seconds_for(const std::vector<std::uint8_t>& burst, const Decode& decode) {
  const Stopwatch watch;
  std::size_t told = 0;
  for (unsigned i = 0; i < kBursts; ++i) told += decode(burst);
  const double seconds = watch.cost().processor / kBursts;
  if (told != std::size_t{kMessages} * kBursts) throw std::runtime_error("messages are missing");
  return seconds;
}

}  // namespace

void measure_decoding(Report& report, const Scale& scale) {
  const auto rtnetlink = rtnetlink_burst(kMessages);
  const auto routing_socket = routing_socket_burst(kMessages);
  double ours = kNever.processor;
  double beside = kNever.processor;
  for (unsigned i = 0; i < scale.repetitions; ++i) {
    beside = std::min(beside, seconds_for(rtnetlink, decode_rtnetlink));
    ours = std::min(ours, seconds_for(routing_socket, decode_routing_socket));
  }
  report.add_ratio(fmt::format("{} messages of a routing socket", kMessages), ours, beside,
                   "rtnetlink", kBudget);
}

}  // namespace mcast::bench
