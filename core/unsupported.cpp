// SPDX-License-Identifier: BSD-2-Clause
#include "core/unsupported.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <tuple>

namespace mcast {

namespace {

std::unexpected<Error> refuse(std::string why) {
  return fail(ErrorCode::no_kernel_support, std::move(why));
}

Result<void> check_table(TableId table, const KernelTraits& traits) {
  switch (traits.table_choice) {
    case TableChoice::rules:
      break;  // the parser knows the numbers
    case TableChoice::interface: {
      const std::uint32_t most = std::min(traits.ipv4.max_table, traits.ipv6.max_table);
      if (table.value <= most) break;
      return refuse(
          fmt::format("table {}: this kernel has the multicast routing tables 0 to {}, one "
                      "for each FIB; there are as many as it is told to have when it boots "
                      "(net.fibs)",
                      table.value, most));
    }
    case TableChoice::single:
      if (table == traits.ipv4.default_table) break;
      return refuse(
          fmt::format("table {}: this kernel has one multicast routing table; leave table "
                      "{} out",
                      table.value, table.value));
  }
  return {};
}

Result<void> check_supported(const TableRule& rule, const KernelTraits& traits) {
  TRY(check_table(rule.id, traits));
  if (traits.table_choice == TableChoice::rules || rule.iifs.empty()) return {};
  const std::string interface = rule.iifs.front().to_string();
  return refuse(fmt::format(
      "table {} iif {}: on this kernel the table is that of the interface's FIB; leave iif out and "
      "say \"ifconfig {} fib {}\"",
      rule.id.value, interface, interface, rule.id.value));
}

Result<void> check_supported(const AutoTables&, const KernelTraits& traits) {
  switch (traits.table_choice) {
    case TableChoice::rules:
      break;
    case TableChoice::interface:
      return refuse(
          "tables auto: on this kernel the table is that of the interface's FIB; leave the line "
          "out "
          "and say \"ifconfig INTERFACE fib NUMBER\" where an interface is to have another");
    case TableChoice::single:
      return refuse("tables auto: this kernel has one multicast routing table; leave the line out");
  }
  return {};
}

}  // namespace

Result<void> check_supported(const Domain& domain, const KernelTraits& traits) {
  switch (domain.kind) {
    case Domain::Kind::automatic:
      break;
    case Domain::Kind::table:
      return check_table(domain.table, traits);
    case Domain::Kind::vrf:
      if (traits.table_choice == TableChoice::rules) break;
      return refuse(fmt::format(
          "vrf {}: this system has no VRFs; {}", domain.vrf,
          traits.table_choice == TableChoice::interface ? "a rule follows its inbound interface "
                                                          "into its FIB without it"
                                                        : "leave it out"));
  }
  return {};
}

Result<void> check_default_table(TableId table, const KernelTraits& traits) {
  const std::uint32_t ipv4 = traits.ipv4.max_table;
  const std::uint32_t ipv6 = traits.ipv6.max_table;
  if (table.value <= std::min(ipv4, ipv6)) return {};
  std::string why;
  switch (traits.table_choice) {
    case TableChoice::rules:
      why = fmt::format(
          "no such routing table: this kernel has 1 to {} for IPv4 and 1 to {} for IPv6, and one "
          "number serves both",
          ipv4, ipv6);
      break;
    case TableChoice::interface:
      why = fmt::format("no such routing table: this kernel has 0 to {}, one for each FIB", ipv4);
      break;
    case TableChoice::single:
      why = "this kernel has one multicast routing table; leave -t out";
  }
  return fail(ErrorCode::usage, fmt::format("-t {}: {}", table.value, why));
}

std::vector<Diagnostic> unsupported(const Config& config, const KernelTraits& traits) {
  std::vector<Diagnostic> found;
  const auto look = [&](const auto& what, const Location& where) {
    if (found.size() >= kMaxDiagnostics) return;
    const Result<void> checked = check_supported(what, traits);
    if (checked) return;
    found.push_back({.severity = Diagnostic::Severity::error,
                     .file = config.files.at(where.file),
                     .line = where.line,
                     .column = 0,
                     .message = checked.error().message});
  };
  for (const TableRule& rule : config.tables) look(rule, rule.where);
  if (config.auto_tables) look(*config.auto_tables, config.auto_tables->where);
  for (const InterfaceRule& rule : config.interfaces) look(rule.domain, rule.where);
  for (const RouteRule& rule : config.routes) {
    if (!rule.exception) look(config.paths[rule.path].domain, rule.where);
  }
  for (const JoinRule& rule : config.joins) {
    if (!rule.by_route) look(rule.domain, rule.where);  // its route is told of
  }
  std::ranges::sort(found, {},
                    [](const Diagnostic& d) { return std::tie(d.file, d.line, d.message); });
  return found;
}

}  // namespace mcast
