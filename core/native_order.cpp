// SPDX-License-Identifier: BSD-2-Clause
#include "core/native_order.hpp"

#include <algorithm>
#include <cstddef>

namespace mcast {

namespace {

/// Whether `first` has to be put before `second`.
bool precedes(const MfcShape& first, const MfcShape& second) {
  return first.parent != second.parent && first.ttls[second.parent.value] != 0;
}

}  // namespace

MfcShape any_source_entry(MfcShape shape) {
  shape.ttls[shape.parent.value] = 1;
  return shape;
}

std::optional<std::vector<std::size_t>> order_of_puts(std::span<const MfcShape> entries) {
  std::vector<std::size_t> waits_for(entries.size());  // how many that are not in the order yet
  for (std::size_t i = 0; i < entries.size(); ++i) {
    waits_for[i] = static_cast<std::size_t>(std::ranges::count_if(
        entries, [&](const MfcShape& other) { return precedes(other, entries[i]); }));
  }
  std::vector<std::size_t> order;
  std::vector<bool> done(entries.size());
  while (order.size() < entries.size()) {
    std::size_t next = 0;
    while (next < entries.size() && (done[next] || waits_for[next] != 0)) ++next;
    if (next == entries.size()) return std::nullopt;
    done[next] = true;
    order.push_back(next);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (precedes(entries[next], entries[i])) --waits_for[i];
    }
  }
  return order;
}

std::vector<VifIndex> out_of_order(std::span<const VifIndex> installed,
                                   std::span<const MfcShape> wanted) {
  const auto position = [&](VifIndex parent) {
    return std::ranges::find(installed, parent) - installed.begin();
  };
  std::vector<VifIndex> moved;
  const auto is_put_now = [&](VifIndex parent) {
    return std::ranges::count(installed, parent) == 0 || std::ranges::count(moved, parent) != 0;
  };
  // Those that come before an entry in the order have been decided about when it is its turn.
  for (const MfcShape& entry : wanted) {
    if (is_put_now(entry.parent)) continue;
    const bool is_late = std::ranges::any_of(wanted, [&](const MfcShape& other) {
      return precedes(other, entry) &&
             (is_put_now(other.parent) || position(other.parent) > position(entry.parent));
    });
    if (is_late) moved.push_back(entry.parent);
  }
  return moved;
}

}  // namespace mcast
