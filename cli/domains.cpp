// SPDX-License-Identifier: BSD-2-Clause
#include "cli/domains.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "core/config.hpp"
#include "core/diagnostics.hpp"

namespace mcast::cli {

namespace {

constexpr std::size_t kMostNamed = 12;

std::optional<TableId> number(std::string_view text) {
  TableId id;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id.value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

std::string listed(std::vector<std::string> names) {
  const std::size_t more = names.size() > kMostNamed ? names.size() - kMostNamed : 0;
  names.resize(names.size() - more);
  return fmt::format("{}{}", fmt::join(names, ", "),
                     more == 0 ? "" : fmt::format(" and {} more", more));
}

using Names = std::vector<KnownDomains::Named>;

/// Ends a message about a word that means nothing.
std::string remedy(std::string_view word, const Names& names, std::string_view none,
                   std::vector<std::string> all) {
  std::vector<std::string_view> candidates;
  for (const auto& entry : names) candidates.push_back(entry.name);
  if (const auto close = closest_match(word, candidates)) {
    return fmt::format("did you mean \"{}\"?", *close);
  }
  return all.empty() ? std::string(none) : "there are " + listed(std::move(all));
}

std::optional<TableId> find(const Names& names, std::string_view name) {
  if (name.empty()) return std::nullopt;
  const auto found = std::ranges::find(names, name, &KnownDomains::Named::name);
  return found == names.end() ? std::nullopt : std::optional(found->table);
}

/// Every table with what else it may be called.
std::map<TableId, std::string> all_tables(const KnownDomains& known) {
  std::map<TableId, std::string> all;
  for (const TableId table : known.tables) all.emplace(table, "");
  for (const auto& vrf : known.vrfs) all[vrf.table] = fmt::format(" (vrf {})", vrf.name);
  for (const auto& table : known.declared) {
    std::string& name = all[table.table];
    if (!table.name.empty()) name = fmt::format(" ({})", table.name);
  }
  return all;
}

std::unexpected<Error> no_such_vrf(std::string_view name, const KnownDomains& known) {
  if (find(known.declared, name)) {
    return fail(ErrorCode::not_found,
                fmt::format("vrf {}: no VRF, but a routing table has this name; say \"table {}\"",
                            in_quotes(name), name));
  }
  std::vector<std::string> all;
  for (const auto& vrf : known.vrfs) all.push_back(vrf.name);
  return fail(ErrorCode::not_found,
              fmt::format("vrf {}: no such VRF; {}", in_quotes(name),
                          remedy(name, known.vrfs, "this host has none", std::move(all))));
}

std::unexpected<Error> no_such_table(std::string_view name, const KnownDomains& known) {
  if (find(known.vrfs, name)) {
    return fail(ErrorCode::not_found,
                fmt::format("table {}: no routing table, but a VRF has this name; say \"vrf {}\"",
                            in_quotes(name), name));
  }
  std::vector<std::string> all;
  for (const auto& [table, called] : all_tables(known)) {
    all.push_back(fmt::format("{}{}", table.value, called));
  }
  return fail(ErrorCode::not_found,
              fmt::format("table {}: no such routing table is in use; {}", in_quotes(name),
                          remedy(name, known.declared, "there is none", std::move(all))));
}

}  // namespace

Result<TableId> find_table(const ipc::DomainWords& words, const KnownDomains& known) {
  const std::string_view name = words.name;
  if (words.kind == ipc::DomainWords::Kind::vrf) {
    const auto table = find(known.vrfs, name);
    return table ? Result<TableId>(*table) : no_such_vrf(name, known);
  }
  auto table = number(name);
  if (table && !all_tables(known).contains(*table)) table.reset();
  if (!table) table = find(known.declared, name);
  return table ? Result<TableId>(*table) : no_such_table(name, known);
}

}  // namespace mcast::cli
