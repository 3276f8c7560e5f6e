// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ipc/control.hpp"

/// When a list has a TABLE column, and what stands in it.
namespace mcast::cli {

/// The routing tables that the daemon and the host's interfaces have.
class Tables {
 public:
  void add(const ipc::TableRow& table);
  void add(const ipc::InterfaceRow& interface) { seen_.insert(identity(interface)); }
  /// Whether there are several. The default tables of the families count as one.
  [[nodiscard]] bool are_several() const { return seen_.size() > 1; }
  /// The name, or else the number.
  [[nodiscard]] std::string label(const std::optional<std::uint32_t>& table) const;
  /// Of a column for any of the labels.
  [[nodiscard]] std::size_t width() const;

  /// Equal for rows of the same table.
  struct Identity {
    bool is_default = false;
    std::uint32_t number = 0;  ///< of what is no default
    auto operator<=>(const Identity&) const = default;
  };
  [[nodiscard]] Identity identity(const ipc::InterfaceRow& row) const {
    return identity(Family::ipv4, row.table);
  }
  template <class Row>
  [[nodiscard]] Identity identity(const Row& row) const {
    const bool ipv6 = row.group.find(':') != std::string::npos;
    return identity(ipv6 ? Family::ipv6 : Family::ipv4, row.table);
  }

 private:
  [[nodiscard]] Identity identity(Family family, const std::optional<std::uint32_t>& table) const;

  std::set<std::pair<Family, std::uint32_t>> defaults_;
  std::map<std::uint32_t, std::string> names_;
  std::set<Identity> seen_;
};

/// Rows of several lists, passed on once it is clear whether they are of more than one table: at
/// once where there is but one, and as soon as two have been seen. Until then they are kept.
template <class Row>
class RowsOfTables {
 public:
  using Sink = std::function<void(std::size_t list, const std::vector<Row>& rows)>;
  /// `decide` is called once, before the first call of `sink`.
  RowsOfTables(const Tables& tables, std::function<void(bool several)> decide, Sink sink)
      : tables_(tables), decide_(std::move(decide)), sink_(std::move(sink)) {
    if (!tables_.are_several()) decided(false);
  }

  void add(std::size_t list, std::vector<Row> rows) {
    if (!decided_) see(rows);
    if (decided_) {
      sink_(list, rows);
    } else {
      kept_.emplace_back(list, std::move(rows));
    }
  }
  /// No more rows follow.
  void finish() {
    if (!decided_) decided(false);
  }

 private:
  void see(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      if (!row.table) continue;
      const auto table = tables_.identity(row);
      if (first_.value_or(table) != table) return decided(true);
      first_ = table;
    }
  }
  void decided(bool several) {
    decided_ = true;
    decide_(several);
    for (const auto& [list, rows] : std::exchange(kept_, {})) sink_(list, rows);
  }

  const Tables& tables_;
  std::function<void(bool several)> decide_;
  Sink sink_;
  bool decided_ = false;
  std::optional<Tables::Identity> first_;
  std::vector<std::pair<std::size_t, std::vector<Row>>> kept_;
};

}  // namespace mcast::cli
