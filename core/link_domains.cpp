// SPDX-License-Identifier: BSD-2-Clause
// Which routing table the traffic of each interface goes to.
#include <algorithm>
#include <utility>

#include "core/link_table.hpp"

namespace mcast {

void LinkTable::set_tables(TableChoice choice, TableId ipv4, TableId ipv6) {
  choice_ = choice;
  default_ipv4_ = ipv4;
  default_ipv6_ = ipv6;
}

void LinkTable::declare_tables(std::vector<TableRule> tables) {
  declared_ = std::move(tables);
  claims_.clear();
}

TableId LinkTable::claiming_table(const Link& link) const {
  if (declared_.empty()) return kNoTable;
  const bool may_remember = link.altnames.empty() && !link.loopback;
  if (may_remember) {
    const auto known = claims_.find(link.name);
    if (known != claims_.end()) return known->second;
  }
  TableId table = kNoTable;
  std::size_t best = 0;
  for (const TableRule& rule : declared_) {
    for (const InterfacePattern& pattern : rule.iifs) {
      if (specificity(pattern) + 1 <= best || !matches(pattern, link)) continue;
      best = specificity(pattern) + 1;
      table = rule.id;
    }
  }
  if (may_remember) claims_.emplace(link.name, table);
  return table;
}

TableId LinkTable::traffic_table(const Link& link, Family family) const {
  if (choice_ == TableChoice::interface) return link.fib;
  if (choice_ == TableChoice::single) return default_table(family);
  if (const TableId claimed = claiming_table(link); claimed != kNoTable) return claimed;
  if (const Link* vrf = vrf_of(link)) return vrf->vrf_table;
  if (const auto allotted = allotted_.find(link.name); allotted != allotted_.end()) {
    return allotted->second;
  }
  return default_table(family);
}

namespace {

Link absent_link(std::string_view name) {
  Link link;
  link.name = name;
  return link;
}

bool is_vrf(const Link& link) {
  return link.kind == "vrf" && link.vrf_table.value != 0;
}

}  // namespace

TableId LinkTable::traffic_table_of_absent(std::string_view name, Family family) const {
  if (choice_ != TableChoice::rules) return default_table(family);
  return traffic_table(absent_link(name), family);
}

TableId LinkTable::claiming_table_of_absent(std::string_view name) const {
  return claiming_table(absent_link(name));
}

const Link* LinkTable::find_vrf(std::string_view name) const {
  const Link* link = find(name);
  return link != nullptr && is_vrf(*link) ? link : nullptr;
}

const Link* LinkTable::find_vrf(TableId table) const {
  for (const auto& [index, link] : links_) {
    if (is_vrf(link) && link.vrf_table == table) return &link;
  }
  return nullptr;
}

const Link* LinkTable::vrf_of(const Link& link) const {
  if (!link.master_is_vrf) return nullptr;
  const Link* master = find(link.master);
  return master != nullptr && is_vrf(*master) ? master : nullptr;
}

bool LinkTable::has_vrfs() const {
  return std::ranges::any_of(links_, [](const auto& entry) { return is_vrf(entry.second); });
}

bool LinkTable::has_one_table() const {
  switch (choice_) {
    case TableChoice::single:
      return true;
    case TableChoice::interface:
      return std::ranges::all_of(links_, [&](const auto& entry) {
        return entry.second.fib == default_ipv4_ && entry.second.fib == default_ipv6_;
      });
    case TableChoice::rules:
      break;
  }
  return declared_.empty() && allotted_.empty() && !has_vrfs();
}

bool LinkTable::is_chosen(TableId table) const {
  const auto takes = [&](const TableRule& rule) { return rule.id == table && !rule.iifs.empty(); };
  const auto allots = [&](const auto& entry) { return entry.second == table; };
  return std::ranges::any_of(declared_, takes) || std::ranges::any_of(allotted_, allots) ||
         find_vrf(table) != nullptr;
}

bool LinkTable::accepts(const Path& path, const Link& arrival, TableKey table) const {
  if (!matches(path.iif, arrival) || !may_be_in(arrival, table)) return false;
  switch (path.domain.kind) {
    case Domain::Kind::vrf: {
      const Link* vrf = vrf_of(arrival);
      return vrf != nullptr && vrf->has_name(path.domain.vrf);
    }
    case Domain::Kind::table:
      return !path.iif.is_wildcard() || !is_chosen(table.id) ||
             traffic_table(arrival, table.family) == table.id;
    case Domain::Kind::automatic:
      break;
  }
  return traffic_table(arrival, table.family) == table.id;
}

bool LinkTable::means(const Domain& domain, const InterfacePattern& pattern,
                      const Link& link) const {
  if (!matches(pattern, link)) return false;
  if (domain.kind == Domain::Kind::automatic) return true;
  if (domain.kind == Domain::Kind::vrf) {
    const Link* vrf = vrf_of(link);
    return vrf != nullptr && vrf->has_name(domain.vrf);
  }
  return traffic_table(link, Family::ipv4) == domain.table ||
         traffic_table(link, Family::ipv6) == domain.table;
}

}  // namespace mcast
