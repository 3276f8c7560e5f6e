// SPDX-License-Identifier: BSD-2-Clause
#include <utility>

#include "core/config.hpp"

namespace mcast {

PathId PathPool::intern(Path path) {
  const PathId next(static_cast<std::uint32_t>(by_id_.size()));
  const auto [entry, added] = ids_.try_emplace(std::move(path), next);
  if (added) by_id_.push_back(&entry->first);
  return entry->second;
}

}  // namespace mcast
