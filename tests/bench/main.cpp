// SPDX-License-Identifier: BSD-2-Clause
// Everything that the issues put a figure on, measured in one run beside what it is compared with.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <functional>
#include <string_view>
#include <vector>

#include "tests/bench/scale.hpp"

namespace {

using namespace mcast::bench;

struct Part {
  std::string_view name;
  void (*measure)(Report&, const Scale&);
};
constexpr std::array kParts{
    Part{"events", measure_events}, Part{"flows", measure_flows},
    Part{"load", measure_load},     Part{"smcroute", measure_beside_smcroute},
    Part{"memory", measure_memory}, Part{"joins", measure_joins},
    Part{"tables", measure_tables}, Part{"decoding", measure_decoding},
    Part{"idle", measure_idleness}};

constexpr std::string_view kUsage =
    "usage: mcast_bench [--short] [PART...]\n"
    "\n"
    "Measures mcastd on the real kernel, in private network namespaces; needs root or a user who\n"
    "may create user namespaces. Exits 1 when a budget is missed.\n"
    "\n"
    "  --short  fewer repetitions, and SMCRoute with 4,000 routes only\n"
    "  PART     one or more of events, flows, load, smcroute, memory, joins, tables, decoding,\n"
    "           idle; all by default\n";

Scale short_scale() {
  Scale scale;
  scale.repetitions = 3;
  scale.events = 15;
  scale.smcroute_routes = {4'000};
  scale.idle = std::chrono::seconds(3);
  return scale;
}

int run(const std::vector<std::string_view>& arguments) {
  Scale scale;
  std::vector<Part> chosen;
  for (const std::string_view argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      fmt::print("{}", kUsage);
      return 0;
    }
    if (argument == "--short") {
      scale = short_scale();
      continue;
    }
    const auto* const part = std::ranges::find(kParts, argument, &Part::name);
    if (part == kParts.end()) {
      fmt::print(stderr, "mcast_bench: \"{}\": no such part or option; see mcast_bench --help\n",
                 argument);
      return 64;
    }
    chosen.push_back(*part);
  }
  if (chosen.empty()) chosen.assign(kParts.begin(), kParts.end());
  Report report;
  for (const Part& part : chosen) part.measure(report, scale);
  report.print_table();
  return report.all_met() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "mcast_bench: {}\n", error.what());
    return 70;
  }
}
