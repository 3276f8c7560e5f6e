// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace mcast::cli {

namespace {

using Outcome = std::expected<void, ipc::Failure>;
using ipc::GroupList;
using ipc::GroupRow;
using ipc::InterfaceRow;
using ipc::PendingRow;
using ipc::RouteList;
using ipc::RouteRow;
using ipc::TableRow;

struct RouteTable {
  RouteList list;
  std::string_view title;
  std::string_view key;  ///< in JSON
};
constexpr std::array<RouteTable, 3> kRouteTables{{
    {RouteList::any_source, "(*,G) Template Rules", "asm"},
    {RouteList::exact, "(S,G) Rules", "ssm"},
    {RouteList::kernel, "Kernel MFC Table", "kernel"},
}};

struct GroupTable {
  GroupList list;
  std::string_view title;
  std::string_view key;
};
constexpr std::array<GroupTable, 2> kGroupTables{{
    {GroupList::configured, "Group Memberships Table", "conf"},
    {GroupList::kernel, "Kernel Group Membership Table", "kernel"},
}};

class Shower {
 public:
  Shower(ipc::Client& client, const TextStyle& style, const Output& output)
      : client_(client), style_(style), output_(output) {}

  Outcome interfaces() {
    std::vector<InterfaceRow> rows;
    if (auto read = all_interfaces(rows); !read) return read;
    const std::size_t width = longest_name(rows);
    std::string text = interface_heading(style_, width);
    for (const auto& row : rows) text += to_text(style_, row, width);
    output_(text);
    if (!style_.detail) return {};
    return client_.show_tables([&](const std::vector<TableRow>& tables) {
      for (const auto& table : tables) output_(to_text(table));
    });
  }

  Outcome groups() {
    for (const auto& table : kGroupTables) {
      const bool configured = table.list == GroupList::configured;
      if (!configured && !style_.detail) continue;
      // SMCRoute gives the second table no column names, and scripts count lines.
      std::string heading = title(style_, table.title);
      if (configured) heading += group_heading(style_);
      auto shown = client_.show_groups(table.list, [&](const std::vector<GroupRow>& rows) {
        std::string text;
        for (const auto& row : rows) text += to_text(row);
        write_under(heading, text);
      });
      if (!shown) return shown;
    }
    return {};
  }

  Outcome routes() {
    std::vector<InterfaceRow> links;
    if (auto read = all_interfaces(links); !read) return read;
    const std::size_t width = longest_name(links);
    for (const auto& table : kRouteTables) {
      std::string heading = title(style_, table.title) + route_heading(style_, width);
      auto shown = client_.show_routes(table.list, style_.detail, [&](const auto& rows) {
        std::string text;
        for (const RouteRow& row : rows) {
          if (row.state == ipc::RouteState::active) text += to_text(style_, row, width);
        }
        write_under(heading, text);
      });
      if (!shown) return shown;
    }
    return {};
  }

  Outcome pending() {
    std::string heading = pending_heading(style_);
    bool any = false;
    auto shown = client_.show_pending([&](const std::vector<PendingRow>& rows) {
      std::string text;
      for (const auto& row : rows) text += to_text(style_, row);
      any = any || !rows.empty();
      write_under(heading, text);
    });
    if (shown && !any) output_("No pending routes or groups\n");
    return shown;
  }

 private:
  Outcome all_interfaces(std::vector<InterfaceRow>& rows) {
    return client_.show_interfaces([&](const std::vector<InterfaceRow>& piece) {
      rows.insert(rows.end(), piece.begin(), piece.end());
    });
  }

  static std::size_t longest_name(const std::vector<InterfaceRow>& rows) {
    std::size_t longest = 0;
    for (const auto& row : rows) longest = std::max(longest, row.name.size());
    return longest;
  }

  /// A table without rows has no heading either.
  void write_under(std::string& heading, const std::string& text) const {
    if (text.empty()) return;
    output_(std::exchange(heading, {}) + text);
  }

  ipc::Client& client_;
  const TextStyle& style_;
  const Output& output_;
};

class JsonShower {
 public:
  JsonShower(ipc::Client& client, const Output& output) : client_(client), output_(output) {}

  Outcome interfaces() {
    return document("interfaces", [&] {
      auto outcome = array([&](const auto& sink) { return client_.show_interfaces(sink); },
                           static_cast<const InterfaceRow*>(nullptr));
      if (!outcome) return outcome;
      output_(",\"tables\":");
      return array([&](const auto& sink) { return client_.show_tables(sink); },
                   static_cast<const TableRow*>(nullptr));
    });
  }

  Outcome groups() {
    return document("groups", [&] {
      return tables(kGroupTables, [&](const GroupTable& table) {
        return array([&](const auto& sink) { return client_.show_groups(table.list, sink); },
                     static_cast<const GroupRow*>(nullptr));
      });
    });
  }

  Outcome routes() {
    return document("routes", [&] {
      return tables(kRouteTables, [&](const RouteTable& table) {
        return array([&](const auto& sink) { return client_.show_routes(table.list, true, sink); },
                     static_cast<const RouteRow*>(nullptr));
      });
    });
  }

  Outcome pending() {
    return document("pending", [&] {
      return array([&](const auto& sink) { return client_.show_pending(sink); },
                   static_cast<const PendingRow*>(nullptr));
    });
  }

 private:
  template <class Body>
  Outcome document(std::string_view key, Body body) {
    output_(fmt::format("{{\"{}\":", key));
    auto outcome = body();
    if (outcome) output_("}\n");
    return outcome;
  }

  template <class Tables, class Body>
  Outcome tables(const Tables& all, Body body) {
    for (const auto& table : all) {
      output_(fmt::format("{}\"{}\":", &table == all.data() ? '{' : ',', table.key));
      if (auto outcome = body(table); !outcome) return outcome;
    }
    output_("}");
    return {};
  }

  static bool wanted(const RouteRow& row) { return row.state == ipc::RouteState::active; }
  template <class Row>
  static bool wanted(const Row&) {
    return true;
  }

  template <class Ask, class Row>
  Outcome array(Ask ask, const Row*) {
    bool first = true;
    output_("[");
    auto outcome = ask([&](const std::vector<Row>& rows) {
      std::string text;
      for (const auto& row : rows) {
        if (!wanted(row)) continue;
        if (!std::exchange(first, false)) text += ',';
        text += to_json(row);
      }
      output_(text);
    });
    if (outcome) output_("]");
    return outcome;
  }

  ipc::Client& client_;
  const Output& output_;
};

template <class AnyShower>
Outcome show_with(AnyShower shower, List list) {
  switch (list) {
    case List::interfaces:
      return shower.interfaces();
    case List::groups:
      return shower.groups();
    case List::pending:
      return shower.pending();
    case List::routes:
      break;
  }
  return shower.routes();
}

}  // namespace

Outcome show(ipc::Client& client, List list, bool json, const TextStyle& style,
             const Output& output) {
  return json ? show_with(JsonShower(client, output), list)
              : show_with(Shower(client, style, output), list);
}

}  // namespace mcast::cli
