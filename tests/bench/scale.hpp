// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/report.hpp"
#include "tests/support/net_namespace.hpp"

namespace mcast::bench {

/// How much is measured: the routes are as many in the short form, repetitions are fewer.
struct Scale {
  std::size_t routes = 100'000;
  unsigned repetitions = 7;
  unsigned events = 30;  ///< of one kind
  std::vector<std::size_t> smcroute_routes = {4'000, 16'000};
  std::chrono::seconds idle{10};
  std::size_t joins = 5'000;  ///< any-source, and as many source-specific, of each family
};

/// A router with eth0, eth1 and eth2, whose other ends are in a namespace that does nothing.
struct Stage {
  testing::NetNamespace router;
  testing::NetNamespace outside;
  Stage() {
    for (const char* const name : {"eth0", "eth1", "eth2"}) plug(name);
  }
  void plug(const std::string& name) { router.add_veth(name, outside, "to-" + name); }
  void pull(const std::string& name) { router.remove_link(name); }
};

void measure_events(Report& report, const Scale& scale);
void measure_flows(Report& report, const Scale& scale);
void measure_load(Report& report, const Scale& scale);
void measure_beside_smcroute(Report& report, const Scale& scale);
void measure_memory(Report& report, const Scale& scale);
void measure_joins(Report& report, const Scale& scale);
void measure_tables(Report& report, const Scale& scale);
void measure_decoding(Report& report, const Scale& scale);
void measure_idleness(Report& report, const Scale& scale);

}  // namespace mcast::bench
