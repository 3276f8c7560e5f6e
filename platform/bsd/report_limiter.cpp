// SPDX-License-Identifier: BSD-2-Clause
#include "platform/bsd/report_limiter.hpp"

#include <cstddef>
#include <functional>

namespace mcast::platform {

bool ReportLimiter::admits(const FlowKey& flow, Milliseconds now) {
  constexpr std::size_t kPlaces = 1024;
  if (told_.empty()) told_.resize(kPlaces);
  const std::hash<Address> hash;
  Told& told = told_[(hash(flow.group) * 31 + hash(flow.source)) % kPlaces];
  if (told.flow == flow && now - told.at < kInterval) return false;
  told = {flow, now};
  return true;
}

}  // namespace mcast::platform
