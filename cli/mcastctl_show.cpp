// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/mcastctl_tables.hpp"

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

/// Rules that do not work are pending instead.
bool wanted(const RouteRow& row) {
  return row.state == ipc::RouteState::active;
}
bool wanted(const auto&) {
  return true;
}

class Shower {
 public:
  Shower(ipc::Client& client, const Question& question, const Output& output)
      : client_(client), only_(question.only), style_(question.style), output_(output) {}

  Outcome interfaces() {
    if (auto known = learn(); !known) return known;
    std::vector<InterfaceRow> rows;
    if (!only_) {
      rows = std::move(links_);
    } else if (auto read = interfaces_of(only_, rows); !read) {
      return read;
    }
    RowsOfTables<InterfaceRow> list(tables_, decide_, [&](std::size_t, const auto& piece) {
      std::string text = interface_heading(style_, name_width_);
      for (const InterfaceRow& row : piece) text += to_text(style_, row, name_width_, label(row));
      output_(text);
    });
    list.add(0, std::move(rows));
    list.finish();
    if (!style_.detail) return {};
    return client_.show_tables(
        [&](const std::vector<TableRow>& tables) {
          for (const auto& table : tables) output_(to_text(table));
        },
        only_);
  }

  Outcome groups() {
    const auto heading = [&](const GroupTable& table) {
      // SMCRoute gives the second table no column names, and scripts count lines.
      return title(style_, table.title) +
             (table.list == GroupList::configured ? group_heading(style_) : "");
    };
    const auto text = [&](const GroupRow& row) { return to_text(style_, row, label(row)); };
    return lists<GroupRow>(
        std::span(kGroupTables).first(style_.detail ? 2 : 1), heading, text,
        [&](GroupList list, const auto& sink) { return client_.show_groups(list, sink, only_); });
  }

  Outcome routes() {
    const auto heading = [&](const RouteTable& table) {
      return title(style_, table.title) + route_heading(style_, name_width_);
    };
    const auto text = [&](const RouteRow& row) {
      return to_text(style_, row, name_width_, label(row));
    };
    return lists<RouteRow>(std::span(kRouteTables), heading, text,
                           [&](RouteList list, const auto& sink) {
                             return client_.show_routes(list, style_.detail, sink, only_);
                           });
  }

  Outcome pending() {
    std::string heading = pending_heading(style_);
    bool any = false;
    auto shown = client_.show_pending(
        [&](const std::vector<PendingRow>& rows) {
          if (rows.empty()) return;
          std::string text = std::exchange(heading, {});
          for (const auto& row : rows) text += to_text(style_, row);
          any = true;
          output_(text);
        },
        only_);
    if (shown && !any) output_("No pending routes or groups\n");
    return shown;
  }

 private:
  /// What the columns depend on. Their widths are those of the whole host, whatever is shown.
  Outcome learn() {
    auto read = client_.show_tables(
        [&](const std::vector<TableRow>& tables) {
          for (const auto& table : tables) tables_.add(table);
        },
        only_);
    if (!read) return read;
    read = interfaces_of({}, links_);
    for (const auto& link : links_) {
      name_width_ = std::max(name_width_, link.name.size());
      if (!only_) tables_.add(link);
    }
    return read;
  }

  Outcome interfaces_of(const ipc::Selection& only, std::vector<InterfaceRow>& rows) {
    return client_.show_interfaces(
        [&](const std::vector<InterfaceRow>& piece) {
          rows.insert(rows.end(), piece.begin(), piece.end());
        },
        only);
  }

  /// Writes lists one below the other; one without rows has no heading either.
  template <class Row, class List, std::size_t N, class Heading, class Text, class Ask>
  Outcome lists(std::span<const List, N> all, Heading heading, Text text_of, Ask ask) {
    if (auto known = learn(); !known) return known;
    const List* begun = nullptr;
    RowsOfTables<Row> rows(tables_, decide_, [&](std::size_t at, const std::vector<Row>& piece) {
      if (piece.empty()) return;
      std::string text;
      if (std::exchange(begun, &all[at]) != &all[at]) text = heading(all[at]);
      for (const Row& row : piece) text += text_of(row);
      output_(text);
    });
    for (std::size_t at = 0; at < all.size(); ++at) {
      auto asked = ask(all[at].list, [&](const std::vector<Row>& piece) {
        std::vector<Row> shown;
        std::ranges::copy_if(piece, std::back_inserter(shown),
                             [](const Row& row) { return wanted(row); });
        rows.add(at, std::move(shown));
      });
      if (!asked) return asked;
    }
    rows.finish();
    return {};
  }

  template <class Row>
  [[nodiscard]] std::string label(const Row& row) const {
    return style_.table_width == 0 ? std::string() : tables_.label(row.table);
  }

  ipc::Client& client_;
  const ipc::Selection& only_;
  TextStyle style_;
  const Output& output_;
  Tables tables_;
  std::vector<InterfaceRow> links_;  ///< of the host
  std::size_t name_width_ = 0;
  std::function<void(bool)> decide_ = [this](bool several) {
    style_.table_width = several ? tables_.width() : 0;
  };
};

class JsonShower {
 public:
  JsonShower(ipc::Client& client, const Question& question, const Output& output)
      : client_(client), only_(question.only), output_(output) {}

  Outcome interfaces() {
    return document("interfaces", [&] {
      auto outcome = array([&](const auto& sink) { return client_.show_interfaces(sink, only_); },
                           static_cast<const InterfaceRow*>(nullptr));
      if (!outcome) return outcome;
      write(",\"tables\":");
      return array([&](const auto& sink) { return client_.show_tables(sink, only_); },
                   static_cast<const TableRow*>(nullptr));
    });
  }

  Outcome groups() {
    return document("groups", [&] {
      return tables(kGroupTables, [&](const GroupTable& table) {
        return array([&](const auto& sink) { return client_.show_groups(table.list, sink, only_); },
                     static_cast<const GroupRow*>(nullptr));
      });
    });
  }

  Outcome routes() {
    return document("routes", [&] {
      return tables(kRouteTables, [&](const RouteTable& table) {
        return array(
            [&](const auto& sink) { return client_.show_routes(table.list, true, sink, only_); },
            static_cast<const RouteRow*>(nullptr));
      });
    });
  }

  Outcome pending() {
    return document("pending", [&] {
      return array([&](const auto& sink) { return client_.show_pending(sink, only_); },
                   static_cast<const PendingRow*>(nullptr));
    });
  }

 private:
  template <class Body>
  Outcome document(std::string_view key, Body body) {
    write(fmt::format("{{\"{}\":", key));
    auto outcome = body();
    if (outcome) output_(std::exchange(begun_, {}) + "}\n");
    return outcome;
  }

  template <class Tables, class Body>
  Outcome tables(const Tables& all, Body body) {
    for (const auto& table : all) {
      write(fmt::format("{}\"{}\":", &table == all.data() ? '{' : ',', table.key));
      if (auto outcome = body(table); !outcome) return outcome;
    }
    write("}");
    return {};
  }

  template <class Ask, class Row>
  Outcome array(Ask ask, const Row*) {
    bool first = true;
    write("[");
    auto outcome = ask([&](const std::vector<Row>& rows) {
      std::string text;
      for (const auto& row : rows) {
        if (!wanted(row)) continue;
        if (!std::exchange(first, false)) text += ',';
        text += to_json(row);
      }
      output_(std::exchange(begun_, {}) + text);
    });
    if (outcome) write("]");
    return outcome;
  }

  /// Follows with the next rows: what the daemon refuses to list leaves no half a document.
  void write(std::string_view text) { begun_ += text; }

  ipc::Client& client_;
  const ipc::Selection& only_;
  const Output& output_;
  std::string begun_;
};

template <class AnyShower>
Outcome show_with(AnyShower&& shower, List list) {
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

Outcome show(ipc::Client& client, const Question& question, const Output& output) {
  return question.json ? show_with(JsonShower(client, question, output), question.list)
                       : show_with(Shower(client, question, output), question.list);
}

}  // namespace mcast::cli
