// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_tables.hpp"

#include <fmt/format.h>

#include <string_view>

namespace mcast::cli {

void Tables::add(const ipc::TableRow& table) {
  if (table.is_default) defaults_.emplace(table.family, table.table);
  std::string& name = names_[table.table];
  if (name.empty()) name = table.name;
  seen_.insert(identity(table.family, table.table));
}

std::string Tables::label(const std::optional<std::uint32_t>& table) const {
  if (!table) return "N/A";
  const auto found = names_.find(*table);
  return found != names_.end() && !found->second.empty() ? found->second
                                                         : fmt::format("{}", *table);
}

std::size_t Tables::width() const {
  std::size_t width = std::string_view("TABLE").size();
  for (const auto& [number, name] : names_) width = std::max(width, label(number).size());
  for (const Identity& table : seen_) width = std::max(width, label(table.number).size());
  return width;
}

Tables::Identity Tables::identity(Family family, const std::optional<std::uint32_t>& table) const {
  const std::uint32_t number = table.value_or(0);
  if (defaults_.contains({family, number})) return {true, 0};
  return {false, number};
}

}  // namespace mcast::cli
