// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/address.hpp"
#include "core/ids.hpp"
#include "core/ref_pool.hpp"

namespace mcast {

inline constexpr VifIndex kNoSlot{0xffff};

/// Everything known about one (S,G) of a table: which rules ask for it (intent) and what the kernel
/// acknowledged (ledger). There are as many as routes, so its size is part of the memory budget.
struct Flow {
  enum class Kind : std::uint8_t {
    fixed,    ///< exact rules ask for it
    learned,  ///< an upcall matched a template; it may have exact rules that allow other interfaces
    stop,     ///< an upcall matched nothing
  };
  enum Flags : std::uint8_t {
    kDirty = 1,     ///< waits in the queue for comparison
    kRetry = 2,     ///< the last step failed
    kRewrite = 4,   ///< drop and put, even if the shape is right
    kDetached = 8,  ///< while rules are replaced: no rule asked for it yet
    kFree = 16,     ///< the record is unused
    kUnsure = 32,   ///< put while an output may have been gone already: put again
    kAsked = 64,    ///< the kernel keeps packets of it, which only a new entry lets go of
    kSeen = 128,    ///< the kernel reported a packet on `arrival`, which else is only the parent
  };

  FlowKey key;
  std::uint32_t fanout = kNone;
  std::uint32_t observed = kNone;    ///< the shape that the kernel holds
  std::uint32_t first_rule = kNone;  ///< of the chain of exact rules
  std::uint32_t previous = kNone;    ///< in the list of its fanout
  std::uint32_t next = kNone;
  VifIndex arrival = kNoSlot;  ///< where its traffic arrives, as far as known
  Kind kind = Kind::fixed;
  std::uint8_t flags = 0;

  [[nodiscard]] bool has(Flags flag) const { return (flags & flag) != 0; }
  void set(Flags flag) { flags = static_cast<std::uint8_t>(flags | flag); }
  void clear(Flags flag) { flags = static_cast<std::uint8_t>(flags & ~flag); }
};

/// Flows by number and by key. Open addressing over the numbers: the standard containers cost a
/// node per flow, which the memory budget (200 bytes per route in all) has no room for.
class FlowStore {
 public:
  [[nodiscard]] std::uint32_t find(const FlowKey& key) const;
  /// The flow's number, made if need be.
  std::uint32_t find_or_create(const FlowKey& key);
  void erase(std::uint32_t id);
  void reserve(std::size_t count);
  void clear();

  [[nodiscard]] Flow& operator[](std::uint32_t id) { return flows_[id]; }
  [[nodiscard]] const Flow& operator[](std::uint32_t id) const { return flows_[id]; }
  /// Numbers in use are below this; some below may be free (Flow::kFree).
  [[nodiscard]] std::uint32_t bound() const { return static_cast<std::uint32_t>(flows_.size()); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  [[nodiscard]] std::size_t home(const FlowKey& key) const;
  void insert_number(std::uint32_t id);
  void rehash(std::size_t buckets);

  std::vector<Flow> flows_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> buckets_;  ///< size is a power of two
  std::size_t size_ = 0;
  /// Files and plans go through flows in the order in which they were made, so that the next one
  /// asked for is most often the next one here. Only a guess; kNone + 1 is 0.
  mutable std::uint32_t last_found_ = kNone;
};

}  // namespace mcast
