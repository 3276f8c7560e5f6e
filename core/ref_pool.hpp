// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace mcast {

/// "No such thing" for the 32-bit numbers by which tables refer to rules, flows, shapes and
/// fanouts.
inline constexpr std::uint32_t kNone = 0xffffffffU;

/// Keeps each distinct value once, under a small number, for as long as somebody refers to it.
/// Numbers of values that are gone are used again.
template <class T>
class RefPool {
 public:
  /// The value's number, with one more reference to it.
  std::uint32_t acquire(const T& value) {
    const auto [position, is_new] = ids_.try_emplace(value, kNone);
    if (is_new) position->second = store(position);
    ++entries_[position->second].references;
    return position->second;
  }
  void add_reference(std::uint32_t id) { ++entries_[id].references; }
  /// Returns true if that was the last reference.
  bool release(std::uint32_t id) {
    Entry& entry = entries_[id];
    if (--entry.references != 0) return false;
    ids_.erase(entry.position);
    free_.push_back(id);
    return true;
  }

  /// The value's number if it is kept, kNone otherwise.
  [[nodiscard]] std::uint32_t find(const T& value) const {
    const auto position = ids_.find(value);
    return position == ids_.end() ? kNone : position->second;
  }
  [[nodiscard]] const T& operator[](std::uint32_t id) const { return entries_[id].position->first; }
  /// Every number in use is below this.
  [[nodiscard]] std::size_t bound() const { return entries_.size(); }
  [[nodiscard]] std::uint32_t references(std::uint32_t id) const { return entries_[id].references; }
  [[nodiscard]] bool is_live(std::uint32_t id) const { return references(id) != 0; }

 private:
  using Position = typename std::map<T, std::uint32_t>::iterator;
  struct Entry {
    Position position;
    std::uint32_t references = 0;
  };

  std::uint32_t store(Position position) {
    if (!free_.empty()) {
      const std::uint32_t id = free_.back();
      free_.pop_back();
      entries_[id] = Entry{position, 0};
      return id;
    }
    entries_.push_back(Entry{position, 0});
    return static_cast<std::uint32_t>(entries_.size() - 1);
  }

  std::map<T, std::uint32_t> ids_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
};

}  // namespace mcast
