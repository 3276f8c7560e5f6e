// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/ref_pool.hpp"

namespace mcast {

/// A route rule as the engine keeps it. One per configured route: its size is part of the memory
/// budget.
struct Rule {
  Prefix source;
  Prefix group;
  bool native = false;         ///< see RouteRule
  bool exception = false;      ///< see RouteRule
  std::uint32_t path = kNone;  ///< in RuleStore::paths; kNone: the record is unused
  Location where;
  std::uint32_t next = kNone;  ///< the next rule of the same flow or template
  TableId table{};             ///< where it is, of the family of its group
  /// A rule that is in several tables has a record for each: the first is what was configured, the
  /// others are copies of it.
  std::uint32_t original = kNone;   ///< of a copy
  std::uint32_t next_copy = kNone;  ///< of the same original
  // The list of rules with the same path.
  std::uint32_t previous_of_path = kNone;
  std::uint32_t next_of_path = kNone;

  [[nodiscard]] bool is_exact() const { return source.is_host() && group.is_host(); }
};

/// All route rules in configuration order, those added at run time last. Paths have the same number
/// as long as any rule has them, across reloads too, so that an unchanged rule compares equal.
class RuleStore {
 public:
  RefPool<Path> paths;

  /// Takes over the reference that `rule.path` stands for.
  std::uint32_t add(const Rule& rule) {
    auto id = static_cast<std::uint32_t>(rules_.size());
    auto* const free = free_list(rule);
    if (free != nullptr && !free->empty()) {
      id = free->back();
      free->pop_back();
      rules_[id] = rule;
    } else {
      rules_.push_back(rule);
    }
    link(id);
    return id;
  }
  /// Records of run-time rules are used again for such, those of copies for copies; those of files
  /// are not, to keep their order.
  void remove(std::uint32_t id) {
    unlink(id);
    paths.release(rules_[id].path);
    rules_[id].path = kNone;
    if (auto* const free = free_list(rules_[id])) free->push_back(id);
  }
  /// Puts back what `remove` took away; `id` must not have been used again since.
  void restore(std::uint32_t id, const Rule& rule) {
    std::erase(free_, id);
    rules_[id] = rule;
    link(id);
  }
  void reserve(std::size_t count) { rules_.reserve(count); }

  [[nodiscard]] Rule& operator[](std::uint32_t id) { return rules_[id]; }
  [[nodiscard]] const Rule& operator[](std::uint32_t id) const { return rules_[id]; }
  [[nodiscard]] const Path& path_of(std::uint32_t id) const { return paths[rules_[id].path]; }
  /// Numbers in use are below this; records whose path is kNone are unused.
  [[nodiscard]] std::uint32_t bound() const { return static_cast<std::uint32_t>(rules_.size()); }
  [[nodiscard]] bool is_live(std::uint32_t id) const { return rules_[id].path != kNone; }
  /// The rule's place in the order of rules; the same for its copies.
  [[nodiscard]] std::uint32_t rank(std::uint32_t id) const {
    return rules_[id].original == kNone ? id : rules_[id].original;
  }
  /// The first of the rules with this path, copies included; Rule::next_of_path goes on.
  [[nodiscard]] std::uint32_t first_of_path(std::uint32_t path) const {
    return path < of_path_.size() ? of_path_[path] : kNone;
  }

  /// Hands out all rules and starts empty; the paths keep their references until `release`d.
  [[nodiscard]] std::vector<Rule> take_all() {
    free_.clear();
    free_copies_.clear();
    of_path_.clear();
    return std::exchange(rules_, {});
  }

 private:
  [[nodiscard]] std::vector<std::uint32_t>* free_list(const Rule& rule) {
    if (rule.original != kNone) return &free_copies_;
    return rule.where.line == 0 ? &free_ : nullptr;
  }
  void link(std::uint32_t id) {
    Rule& rule = rules_[id];
    if (of_path_.size() <= rule.path) of_path_.resize(rule.path + std::size_t{1}, kNone);
    rule.previous_of_path = kNone;
    rule.next_of_path = of_path_[rule.path];
    if (rule.next_of_path != kNone) rules_[rule.next_of_path].previous_of_path = id;
    of_path_[rule.path] = id;
  }
  void unlink(std::uint32_t id) {
    const Rule& rule = rules_[id];
    if (rule.next_of_path != kNone) {
      rules_[rule.next_of_path].previous_of_path = rule.previous_of_path;
    }
    if (rule.previous_of_path != kNone) {
      rules_[rule.previous_of_path].next_of_path = rule.next_of_path;
    } else {
      of_path_[rule.path] = rule.next_of_path;
    }
  }

  std::vector<Rule> rules_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> free_copies_;
  std::vector<std::uint32_t> of_path_;  ///< first rule by number of the path
};

}  // namespace mcast
