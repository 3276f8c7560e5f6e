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

  [[nodiscard]] bool is_exact() const { return source.is_host() && group.is_host(); }
};

/// All route rules in configuration order, those added at run time last. Paths have the same number
/// as long as any rule has them, across reloads too, so that an unchanged rule compares equal.
class RuleStore {
 public:
  RefPool<Path> paths;

  std::uint32_t add(const Prefix& source, const Prefix& group, const Path& path, Location where) {
    return add(Rule{.source = source, .group = group, .path = paths.acquire(path), .where = where});
  }
  /// Takes over the reference that `rule.path` stands for.
  std::uint32_t add(const Rule& rule) {
    if (rule.where.line == 0 && !free_.empty()) {
      const std::uint32_t id = free_.back();
      free_.pop_back();
      rules_[id] = rule;
      return id;
    }
    rules_.push_back(rule);
    return static_cast<std::uint32_t>(rules_.size() - 1);
  }
  /// Records of run-time rules are used again; those of files are not, to keep their order.
  void remove(std::uint32_t id) {
    paths.release(rules_[id].path);
    rules_[id].path = kNone;
    if (rules_[id].where.line == 0) free_.push_back(id);
  }
  /// Puts back what `remove` took away; `id` must not have been used again since.
  void restore(std::uint32_t id, const Rule& rule) {
    std::erase(free_, id);
    rules_[id] = rule;
  }
  void reserve(std::size_t count) { rules_.reserve(count); }

  [[nodiscard]] Rule& operator[](std::uint32_t id) { return rules_[id]; }
  [[nodiscard]] const Rule& operator[](std::uint32_t id) const { return rules_[id]; }
  [[nodiscard]] const Path& path_of(std::uint32_t id) const { return paths[rules_[id].path]; }
  /// Numbers in use are below this; records whose path is kNone are unused.
  [[nodiscard]] std::uint32_t bound() const { return static_cast<std::uint32_t>(rules_.size()); }
  [[nodiscard]] bool is_live(std::uint32_t id) const { return rules_[id].path != kNone; }

  /// Hands out all rules and starts empty; the paths keep their references until `release`d.
  [[nodiscard]] std::vector<Rule> take_all() {
    free_.clear();
    return std::exchange(rules_, {});
  }

 private:
  std::vector<Rule> rules_;
  std::vector<std::uint32_t> free_;
};

}  // namespace mcast
