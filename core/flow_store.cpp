// SPDX-License-Identifier: BSD-2-Clause
#include "core/flow_store.hpp"

#include <bit>
#include <functional>
#include <utility>

namespace mcast {

namespace {

/// At most three of four buckets are taken.
std::size_t buckets_for(std::size_t count) {
  return std::bit_ceil(std::size_t{16} + count + count / 3);
}

}  // namespace

std::size_t FlowStore::home(const FlowKey& key) const {
  return std::hash<FlowKey>{}(key) & (buckets_.size() - 1);
}

std::uint32_t FlowStore::find(const FlowKey& key) const {
  if (buckets_.empty()) return kNone;
  const std::uint32_t neighbour = last_found_ + 1;
  if (neighbour < bound() && flows_[neighbour].key == key && !flows_[neighbour].has(Flow::kFree)) {
    return last_found_ = neighbour;
  }
  for (std::size_t b = home(key);; b = (b + 1) & (buckets_.size() - 1)) {
    const std::uint32_t id = buckets_[b];
    if (id == kNone) return kNone;
    if (flows_[id].key == key) return last_found_ = id;
  }
}

std::uint32_t FlowStore::find_or_create(const FlowKey& key) {
  if (const std::uint32_t known = find(key); known != kNone) return known;
  if (buckets_for(size_ + 1) > buckets_.size()) rehash(buckets_for(size_ + 1));
  std::uint32_t id = 0;
  if (free_.empty()) {
    id = bound();
    flows_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
    flows_[id] = Flow{};
  }
  flows_[id].key = key;
  insert_number(id);
  ++size_;
  return id;
}

void FlowStore::insert_number(std::uint32_t id) {
  std::size_t b = home(flows_[id].key);
  while (buckets_[b] != kNone) b = (b + 1) & (buckets_.size() - 1);
  buckets_[b] = id;
}

void FlowStore::rehash(std::size_t buckets) {
  buckets_.assign(buckets, kNone);
  for (std::uint32_t id = 0; id < bound(); ++id) {
    if (!flows_[id].has(Flow::kFree)) insert_number(id);
  }
}

void FlowStore::erase(std::uint32_t id) {
  const std::size_t mask = buckets_.size() - 1;
  std::size_t hole = home(flows_[id].key);
  while (buckets_[hole] != id) hole = (hole + 1) & mask;
  // Close the gap: whatever could have been placed in the hole moves there (linear probing without
  // tombstones).
  for (std::size_t b = (hole + 1) & mask; buckets_[b] != kNone; b = (b + 1) & mask) {
    const std::size_t wanted = home(flows_[buckets_[b]].key);
    if (((b - wanted) & mask) >= ((b - hole) & mask)) {
      buckets_[hole] = buckets_[b];
      hole = b;
    }
  }
  buckets_[hole] = kNone;
  flows_[id] = Flow{};
  flows_[id].set(Flow::kFree);
  free_.push_back(id);
  --size_;
}

void FlowStore::reserve(std::size_t count) {
  if (count <= flows_.capacity()) return;
  flows_.reserve(count);
  if (buckets_for(count) > buckets_.size()) rehash(buckets_for(count));
}

void FlowStore::clear() {
  *this = FlowStore{};
}

}  // namespace mcast
