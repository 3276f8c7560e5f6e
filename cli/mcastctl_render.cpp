// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace mcast::cli {

namespace {

/// Members in the order in which they are written.
using Json = nlohmann::ordered_json;

constexpr std::size_t kRuleWidth = 79;
constexpr std::string_view kUnderline = "\x1b[4m";
constexpr std::string_view kReverse = "\x1b[7m";
constexpr std::string_view kNormal = "\x1b[0m";

std::string columns(const TextStyle& style, std::string_view names) {
  if (!style.headings) return {};
  if (style.drawn) return fmt::format("{}{:<{}}{}\n", kReverse, names, style.width, kNormal);
  const std::string rule(std::max(kRuleWidth, names.size()), '=');
  return fmt::format("{}\n{}\n{}\n", rule, names, rule);
}

std::string flow(const std::optional<std::string>& source, std::string_view group) {
  return fmt::format("({}, {})", source ? *source : "*", group);
}

std::string slot(const std::optional<std::uint16_t>& number) {
  return number ? fmt::format("{}", *number) : "N/A";
}

template <class T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

constexpr std::string_view kTable = "TABLE";

/// Between two others.
std::string table_column(const TextStyle& style, std::string_view text) {
  return style.table_width == 0 ? std::string() : fmt::format("{:<{}} ", text, style.table_width);
}

/// After the others, unless something `follows`.
std::string last_table_column(const TextStyle& style, std::string_view text, bool follows) {
  if (style.table_width == 0) return {};
  return fmt::format("  {:<{}}", text, follows ? style.table_width : 0);
}

std::string_view kind_name(ipc::DomainWords::Kind kind) {
  return kind == ipc::DomainWords::Kind::vrf ? "vrf" : "table";
}

std::string words(const ipc::DomainWords& domain) {
  return fmt::format("{} {}", kind_name(domain.kind), domain.name);
}

std::string_view kind_name(ipc::PendingKind kind) {
  switch (kind) {
    case ipc::PendingKind::mroute:
      return "mroute";
    case ipc::PendingKind::mgroup:
      return "mgroup";
    case ipc::PendingKind::phyint:
      break;
  }
  return "phyint";
}

}  // namespace

std::string title(const TextStyle& style, std::string_view text) {
  if (!style.headings) return {};
  if (style.drawn)
    return fmt::format("{}{:{}}{}\n{}\n", kUnderline, "", style.width, kNormal, text);
  return fmt::format("{}\n{}\n", std::string(kRuleWidth, '_'), text);
}

std::string interface_heading(const TextStyle& style, std::size_t name_width) {
  constexpr std::string_view kName = "PHYINT";
  return columns(style, fmt::format(" INDEX {:<{}}  VIF  MIF{}{}", kName,
                                    std::max(name_width, kName.size()),
                                    last_table_column(style, kTable, style.detail),
                                    style.detail ? "  STATE" : ""));
}

std::string to_text(const TextStyle& style, const ipc::InterfaceRow& row, std::size_t name_width,
                    std::string_view table) {
  constexpr std::size_t kLeast = 6;  // the heading's
  std::string line = fmt::format("{:>6} {:<{}} {:>4} {:>4}", row.index.value, row.name,
                                 std::max(name_width, kLeast), slot(row.vif), slot(row.mif));
  const bool state = style.detail && !row.state.empty();
  line += last_table_column(style, table, state);
  if (state) line += fmt::format("  {}", row.state);
  return line + '\n';
}

std::string to_text(const ipc::TableRow& row) {
  std::string name = fmt::format("{} table {}", to_string(row.family), row.table);
  if (!row.name.empty()) name += fmt::format(" ({})", row.name);
  if (!row.why_not.empty()) return fmt::format("{}: not in use: {}\n", name, row.why_not);
  return fmt::format(
      "{}: {} of {} slots, {} routes, of these {} learned and {} stop filters; {} upcalls, {} "
      "lost\n",
      name, row.slots_used, row.slots, row.entries, row.learned, row.stop_filters, row.upcalls,
      row.upcalls_lost);
}

std::string group_heading(const TextStyle& style) {
  return columns(style, fmt::format("{:<42} {:<16}{}", "GROUP (S,G)", "IIF",
                                    style.table_width == 0 ? "" : " TABLE"));
}

std::string to_text(const TextStyle& style, const ipc::GroupRow& row, std::string_view table) {
  const std::string group = flow(row.source, row.group);
  if (style.table_width == 0) return fmt::format("{:<42} {}\n", group, row.iif);
  return fmt::format("{:<42} {:<16} {}\n", group, row.iif, table);
}

std::string route_heading(const TextStyle& style, std::size_t name_width) {
  const std::size_t width = std::max(name_width, std::string_view("IIF").size());
  return columns(
      style, fmt::format("{:<42} {:<{}} {}{} OIFS", "ROUTE (S,G)", "IIF", width,
                         table_column(style, kTable),
                         style.detail ? fmt::format("{:>10} {:>10} ", "PACKETS", "BYTES") : ""));
}

std::string to_text(const TextStyle& style, const ipc::RouteRow& row, std::size_t name_width,
                    std::string_view table) {
  std::string line = fmt::format("{:<42} {:<{}} {}", flow(row.source, row.group), row.iif,
                                 name_width, table_column(style, table));
  if (style.detail) {
    const FlowCounters counters = row.counters.value_or(FlowCounters{});
    line += fmt::format("{:>10} {:>10} ", counters.packets, counters.bytes);
  }
  for (const auto& oif : row.oifs) line += fmt::format(" {}", oif);
  return line + '\n';
}

std::string pending_heading(const TextStyle& style) {
  constexpr std::string_view kText = "PENDING ROUTES AND GROUPS";
  if (!style.headings) return {};
  if (style.drawn) return columns(style, kText);
  return fmt::format("{}\n", kText);
}

std::string to_text(const TextStyle& style, const ipc::PendingRow& row) {
  std::string line = fmt::format("{}  ", kind_name(row.kind));
  if (row.domain && row.kind != ipc::PendingKind::phyint) line += words(*row.domain) + ' ';
  if (row.kind == ipc::PendingKind::phyint) {
    line += row.iif;
    if (row.domain) line += ' ' + words(*row.domain);
  } else {
    line += fmt::format("from {}", row.iif);
    if (row.source) line += fmt::format(" source {}", *row.source);
    line += fmt::format(" group {}", row.group);
  }
  if (!row.oifs.empty()) line += fmt::format(" to {}", fmt::join(row.oifs, " "));
  if (style.detail && !row.reason.empty()) line += fmt::format("  # {}", row.reason);
  return line + '\n';
}

std::string to_json(const ipc::InterfaceRow& row) {
  return dump({{"index", row.index.value},
               {"name", row.name},
               {"vif", nullable(row.vif)},
               {"mif", nullable(row.mif)},
               {"state", row.state},
               {"table", nullable(row.table)}});
}

std::string to_json(const ipc::TableRow& row) {
  return dump({{"family", row.family == Family::ipv4 ? "ipv4" : "ipv6"},
               {"table", row.table},
               {"slots", row.slots},
               {"slots_used", row.slots_used},
               {"entries", row.entries},
               {"learned", row.learned},
               {"stop_filters", row.stop_filters},
               {"upcalls", row.upcalls},
               {"upcalls_lost", row.upcalls_lost},
               {"why_not", row.why_not},
               {"name", row.name},
               {"default", row.is_default}});
}

std::string to_json(const ipc::GroupRow& row) {
  return dump({{"source", nullable(row.source)},
               {"group", row.group},
               {"iif", row.iif},
               {"table", nullable(row.table)}});
}

std::string to_json(const ipc::RouteRow& row) {
  Json object = {
      {"source", nullable(row.source)}, {"group", row.group}, {"iif", row.iif}, {"oifs", row.oifs}};
  if (row.counters) {
    object["packets"] = row.counters->packets;
    object["bytes"] = row.counters->bytes;
    object["wrong_interface"] = row.counters->wrong_interface;
  }
  object["table"] = nullable(row.table);
  return dump(object);
}

std::string to_json(const ipc::PendingRow& row) {
  const bool phyint = row.kind == ipc::PendingKind::phyint;
  const Json domain = row.domain
                          ? Json{{"kind", kind_name(row.domain->kind)}, {"name", row.domain->name}}
                          : Json(nullptr);
  return dump({{"kind", kind_name(row.kind)},
               {"iif", row.iif},
               {"source", nullable(row.source)},
               {"group", phyint ? Json(nullptr) : Json(row.group)},
               {"oifs", row.oifs},
               {"reason", row.reason},
               {"table", nullable(row.table)},
               {"domain", domain}});
}

}  // namespace mcast::cli
