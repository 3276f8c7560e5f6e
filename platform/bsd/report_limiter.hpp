// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <vector>

#include "core/ids.hpp"
#include "core/ops.hpp"

namespace mcast::platform {

/// Lets reports of packets on a wrong interface through once in a while for each flow, as kernels
/// do that send them no more often. Holds a fixed number of flows; those that come to the same
/// place in it are let through more often.
class ReportLimiter {
 public:
  /// As ip_mroute.c has it for IPv4.
  static constexpr Milliseconds kInterval = 3'000;

  [[nodiscard]] bool admits(const FlowKey& flow, Milliseconds now);

 private:
  struct Told {
    FlowKey flow;
    Milliseconds at = 0;
  };
  std::vector<Told> told_;  ///< empty until the first report
};

}  // namespace mcast::platform
