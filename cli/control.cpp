// SPDX-License-Identifier: BSD-2-Clause
#include "cli/control.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/config.hpp"

namespace mcast::cli {

namespace {

/// Presents the engine's pages as rows that are converted one by one.
template <class Row, class EngineRow>
class EngineRows final : public ipc::Rows<Row> {
 public:
  using NextPage = std::function<Page<EngineRow>(std::uint64_t from, std::size_t limit)>;
  using Convert = std::function<Row(const EngineRow&)>;
  EngineRows(NextPage next_page, Convert convert)
      : next_page_(std::move(next_page)), convert_(std::move(convert)) {}

  std::vector<Row> next(std::size_t limit) override {
    std::vector<Row> rows;
    while (rows.empty() && position_) {
      Page<EngineRow> page = next_page_(*position_, limit);
      for (const EngineRow& row : page.rows) rows.push_back(convert_(row));
      position_ = page.next;
    }
    return rows;
  }

 private:
  NextPage next_page_;
  Convert convert_;
  std::optional<std::uint64_t> position_ = 0;
};

std::optional<std::string> text_of(const Prefix& source) {
  if (source.is_any()) return std::nullopt;
  return source.to_string();
}

ipc::RouteState route_state(RuleState state) {
  switch (state) {
    case RuleState::active:
      return ipc::RouteState::active;
    case RuleState::waiting:
      return ipc::RouteState::waiting;
    case RuleState::refused:
      break;
  }
  return ipc::RouteState::refused;
}

ipc::RouteRow configured_row(const RouteStatus& rule) {
  ipc::RouteRow row{.source = text_of(rule.source),
                    .group = rule.group.to_string(),
                    .iif = rule.path.iif.to_string(),
                    .oifs = {},
                    .counters = std::nullopt,
                    .state = route_state(rule.state),
                    .reason = rule.reason};
  for (const auto& oif : rule.path.oifs) row.oifs.push_back(oif.to_string());
  return row;
}

ipc::PendingRow pending_row(const PendingStatus& rule) {
  return {.kind = rule.kind == "mroute" ? ipc::PendingKind::mroute : ipc::PendingKind::mgroup,
          .iif = rule.iif,
          .source = rule.source ? std::optional(rule.source->to_string()) : std::nullopt,
          .group = rule.group ? rule.group->to_string() : std::string(),
          .oifs = rule.oifs,
          .reason = rule.reason};
}

}  // namespace

// --- Changes -------------------------------------------------------------------------------------

Result<void> Control::apply(const ipc::Command& command, ipc::Remarks& remarks) {
  Engine& engine = host_.engine();
  switch (command.verb) {
    case ipc::Verb::add: {
      const RouteWords route = TRY(parse_route_words(command.words));
      for (auto& warning : warnings_about(route)) {
        if (remarks.size() < kMaxDiagnostics) remarks.push_back(std::move(warning));
      }
      return engine.add_route(route);
    }
    case ipc::Verb::remove:
      return engine.remove_route(TRY(parse_route_words(command.words)));
    case ipc::Verb::join:
      return engine.join(TRY(parse_join_words(command.words)));
    case ipc::Verb::leave:
      break;
  }
  return engine.leave(TRY(parse_join_words(command.words)));
}

ipc::Outcome Control::apply(const std::vector<ipc::Command>& commands) {
  Engine& engine = host_.engine();
  ipc::Remarks remarks;
  engine.begin();
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (const auto result = apply(commands[i], remarks); !result) {
      engine.rollback();
      return std::unexpected(ipc::Failure{.error = result.error(), .details = {}, .command = i});
    }
  }
  if (auto refused = engine.refused_in_transaction()) {
    engine.rollback();
    return std::unexpected(ipc::Failure{
        .error = {ErrorCode::no_slots, std::move(*refused)}, .details = {}, .command = {}});
  }
  engine.commit();
  host_.changed();
  for (std::string& remark : remarks) {
    spdlog::warn("{}", remark);
    remark.insert(0, "warning: ");
  }
  return remarks;
}

ipc::Outcome Control::flush() {
  host_.engine().flush_learned();
  host_.changed();
  return ipc::Remarks{};
}

ipc::Outcome Control::kill() {
  host_.stop();
  return ipc::Remarks{};
}

// --- Lists ---------------------------------------------------------------------------------------

ipc::RowsPtr<ipc::InterfaceRow> Control::show_interfaces() {
  std::vector<ipc::InterfaceRow> rows;
  for (const InterfaceStatus& link : host_.engine().interfaces()) {
    ipc::InterfaceRow row{.index = link.index,
                          .name = link.name,
                          .vif = std::nullopt,
                          .mif = std::nullopt,
                          .state = link.up ? "up" : "down"};
    if (link.vif) row.vif = link.vif->value;
    if (link.mif) row.mif = link.mif->value;
    if (!link.note.empty()) row.state += ", " + link.note;
    rows.push_back(std::move(row));
  }
  return std::make_unique<ipc::FixedRows<ipc::InterfaceRow>>(std::move(rows));
}

ipc::RowsPtr<ipc::TableRow> Control::show_tables() {
  std::vector<ipc::TableRow> rows;
  for (const TableStatus& table : host_.engine().tables()) {
    const auto upcalls =
        host_.kernel().upcall_counts(table.table).value_or(platform::UpcallCounts{});
    rows.push_back({.family = table.table.family,
                    .table = table.table.id.value,
                    .slots = table.slots,
                    .slots_used = table.slots_used,
                    .entries = table.entries,
                    .learned = table.learned,
                    .stop_filters = table.stop_filters,
                    .upcalls = upcalls.read,
                    .upcalls_lost = upcalls.lost,
                    .why_not = table.why_not});
  }
  return std::make_unique<ipc::FixedRows<ipc::TableRow>>(std::move(rows));
}

ipc::RowsPtr<ipc::GroupRow> Control::show_groups(ipc::GroupList list) {
  std::vector<ipc::GroupRow> rows;
  if (list == ipc::GroupList::configured) {
    for (const JoinStatus& join : host_.engine().join_rules()) {
      rows.push_back(
          {.source = join.rule.source ? std::optional(join.rule.source->to_string()) : std::nullopt,
           .group = join.rule.group.to_string(),
           .iif = join.rule.iif.to_string()});
    }
  } else {
    for (const JoinGroupStatus& join : host_.engine().kernel_joins()) {
      rows.push_back(
          {.source = join.source ? std::optional(join.source->to_string()) : std::nullopt,
           .group = join.group.to_string(),
           .iif = join.iif});
    }
  }
  return std::make_unique<ipc::FixedRows<ipc::GroupRow>>(std::move(rows));
}

ipc::RowsPtr<ipc::RouteRow> Control::show_routes(ipc::RouteList list, bool counters) {
  if (list == ipc::RouteList::kernel) {
    return std::make_unique<EngineRows<ipc::RouteRow, KernelRoute>>(
        [this](std::uint64_t from, std::size_t limit) {
          return host_.engine().kernel_routes(from, limit);
        },
        [this, counters](const KernelRoute& route) {
          ipc::RouteRow row{.source = route.native ? std::nullopt
                                                   : std::optional(route.flow.source.to_string()),
                            .group = route.flow.group.to_string(),
                            .iif = route.iif,
                            .oifs = route.oifs,
                            .counters = std::nullopt,
                            .state = ipc::RouteState::active,
                            .reason = {}};
          if (counters && route.counted) {
            if (const auto read = host_.kernel().counters(route.table, route.flow)) {
              row.counters = *read;
            }
          }
          return row;
        });
  }
  const auto kind =
      list == ipc::RouteList::exact ? Engine::RuleKind::exact : Engine::RuleKind::templates;
  return std::make_unique<EngineRows<ipc::RouteRow, RouteStatus>>(
      [this, kind](std::uint64_t from, std::size_t limit) {
        return host_.engine().route_rules(kind, from, limit);
      },
      configured_row);
}

ipc::RowsPtr<ipc::PendingRow> Control::show_pending() {
  return std::make_unique<EngineRows<ipc::PendingRow, PendingStatus>>(
      [this](std::uint64_t from, std::size_t limit) { return host_.engine().pending(from, limit); },
      pending_row);
}

void Control::note(std::string_view text) {
  spdlog::info("{}", text);
}

}  // namespace mcast::cli
