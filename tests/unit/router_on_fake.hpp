// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {

/// One interface and one configured flow; packets of any other make the kernel ask.
class Router : public EngineOnFake {
 public:
  Router() : device(add("eth0")) {
    configure("mroute from eth0 source 10.0.0.9 group 239.9.9.9 to eth0\n");
  }

  using EngineOnFake::send;
  void send(const FlowKey& key) { send(device, key); }
  [[nodiscard]] bool knows(const FlowKey& key) const {
    const auto learned = engine.learned_flows(0, 1000).rows;
    return std::ranges::count(learned, key, &LearnedFlow::flow) != 0;
  }
  [[nodiscard]] bool installed(const FlowKey& key) const {
    return kernel.entries(table_v4()).contains(key);
  }

  Device device;
};

}  // namespace mcast::testing
