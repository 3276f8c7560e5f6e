// SPDX-License-Identifier: BSD-2-Clause
#include "cli/control.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cli/domains.hpp"
#include "core/config.hpp"

namespace mcast::cli {

namespace {

/// Whether a row is of the table that was asked for, if any was.
bool is_chosen(const std::optional<TableId>& choice, const std::optional<TableId>& table) {
  return !choice || table == choice;
}
std::optional<TableId> table_of(const KernelRoute& route) {
  return route.table.id;
}
std::optional<TableId> table_of(const auto& rule) {
  return rule.table;
}

std::optional<std::uint32_t> number(const std::optional<TableId>& table) {
  return table ? std::optional(table->value) : std::nullopt;
}

/// Presents the engine's pages as rows that are converted one by one.
template <class Row, class EngineRow>
class EngineRows final : public ipc::Rows<Row> {
 public:
  using NextPage = std::function<Page<EngineRow>(std::uint64_t from, std::size_t limit)>;
  using Convert = std::function<Row(const EngineRow&)>;
  EngineRows(std::optional<TableId> choice, NextPage next_page, Convert convert)
      : choice_(choice), next_page_(std::move(next_page)), convert_(std::move(convert)) {}

  std::optional<std::vector<Row>> next(std::size_t limit) override {
    if (!position_) return std::nullopt;
    std::vector<Row> rows;
    Page<EngineRow> page = next_page_(*position_, limit);
    for (const EngineRow& row : page.rows) {
      if (is_chosen(choice_, table_of(row))) rows.push_back(convert_(row));
    }
    position_ = page.next;
    return rows;
  }

 private:
  std::optional<TableId> choice_;
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
                    .reason = rule.reason,
                    .table = number(rule.table)};
  for (const auto& oif : rule.path.oifs) row.oifs.push_back(oif.to_string());
  return row;
}

/// As it was, or might have been, written.
ipc::Selection words_of(const Domain& domain, const Engine& engine) {
  switch (domain.kind) {
    case Domain::Kind::automatic:
      break;
    case Domain::Kind::vrf:
      return ipc::DomainWords{ipc::DomainWords::Kind::vrf, domain.vrf};
    case Domain::Kind::table: {
      const auto& declared = engine.declared_tables();
      const auto found = std::ranges::find(declared, domain.table, &TableRule::id);
      const bool named = found != declared.end() && !found->name.empty();
      return ipc::DomainWords{ipc::DomainWords::Kind::table,
                              named ? found->name : fmt::format("{}", domain.table.value)};
    }
  }
  return std::nullopt;
}

ipc::PendingRow pending_row(const PendingStatus& rule, const Engine& engine) {
  return {.kind = rule.kind == "mroute" ? ipc::PendingKind::mroute : ipc::PendingKind::mgroup,
          .iif = rule.iif,
          .source = rule.source ? std::optional(rule.source->to_string()) : std::nullopt,
          .group = rule.group ? rule.group->to_string() : std::string(),
          .oifs = rule.oifs,
          .reason = rule.reason,
          .table = number(rule.table),
          .domain = words_of(rule.domain, engine)};
}

}  // namespace

// --- Changes -------------------------------------------------------------------------------------

Result<void> Control::apply(const ipc::Command& command, ipc::Remarks& remarks) {
  Engine& engine = host_.engine();
  const auto& tables = engine.declared_tables();
  switch (command.verb) {
    case ipc::Verb::add: {
      const RouteWords route = TRY(parse_route_words(command.words, tables));
      for (auto& warning : warnings_about(route)) {
        if (remarks.size() < kMaxDiagnostics) remarks.push_back(std::move(warning));
      }
      return engine.add_route(route);
    }
    case ipc::Verb::remove:
      return engine.remove_route(TRY(parse_route_words(command.words, tables)));
    case ipc::Verb::join:
      return engine.join(TRY(parse_join_words(command.words, tables)));
    case ipc::Verb::leave:
      break;
  }
  return engine.leave(TRY(parse_join_words(command.words, tables)));
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

ipc::Outcome Control::flush(const ipc::Selection& only) {
  host_.engine().flush_learned(TRY(choose(only)));
  host_.changed();
  return ipc::Remarks{};
}

ipc::Outcome Control::kill() {
  host_.stop();
  return ipc::Remarks{};
}

// --- Lists ---------------------------------------------------------------------------------------

std::expected<Control::Choice, ipc::Failure> Control::choose(const ipc::Selection& only) {
  if (!only) return std::nullopt;
  Engine& engine = host_.engine();
  KnownDomains known;
  for (const TableStatus& table : all_tables()) known.tables.push_back(table.table.id);
  for (const TableRule& table : engine.declared_tables()) {
    known.declared.push_back({table.name, table.id});
  }
  for (const VrfStatus& vrf : engine.vrfs()) known.vrfs.push_back({vrf.name, vrf.table});
  auto table = find_table(*only, known);
  if (!table) {
    return std::unexpected(
        ipc::Failure{.error = std::move(table.error()), .details = {}, .command = {}});
  }
  return *table;
}

std::vector<TableStatus> Control::all_tables() {
  std::vector<TableStatus> tables = host_.engine().tables();
  std::set<TableKey> known;
  for (const TableStatus& table : tables) known.insert(table.table);
  const auto add = [&](TableKey key, const std::string& name) {
    if (!known.insert(key).second) return;
    TableStatus& table = tables.emplace_back();
    table.table = key;
    table.name = name;
    table.why_not = "no rule belongs to it";
  };
  const auto vrfs = host_.engine().vrfs();
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    add({family, host_.default_table(family)}, {});
    for (const VrfStatus& vrf : vrfs) add({family, vrf.table}, vrf.name);
  }
  return tables;
}

ipc::Listing<ipc::InterfaceRow> Control::show_interfaces(const ipc::Selection& only) {
  Choice choice = TRY(choose(only));
  // Interfaces are listed by the table of their IPv4 traffic; both default tables go together.
  if (choice && is_default({Family::ipv6, *choice})) choice = host_.default_table(Family::ipv4);
  std::vector<ipc::InterfaceRow> rows;
  for (const InterfaceStatus& link : host_.engine().interfaces()) {
    if (!is_chosen(choice, link.table)) continue;
    ipc::InterfaceRow row{.index = link.index,
                          .name = link.name,
                          .vif = std::nullopt,
                          .mif = std::nullopt,
                          .state = link.up ? "up" : "down",
                          .table = link.table.value};
    if (link.vif) row.vif = link.vif->value;
    if (link.mif) row.mif = link.mif->value;
    if (!link.note.empty()) row.state += ", " + link.note;
    rows.push_back(std::move(row));
  }
  return std::make_unique<ipc::FixedRows<ipc::InterfaceRow>>(std::move(rows));
}

ipc::Listing<ipc::TableRow> Control::show_tables(const ipc::Selection& only) {
  const Choice choice = TRY(choose(only));
  std::vector<ipc::TableRow> rows;
  for (const TableStatus& table : all_tables()) {
    if (!is_chosen(choice, table.table.id)) continue;
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
                    .why_not = table.why_not,
                    .name = table.name,
                    .is_default = is_default(table.table)});
  }
  return std::make_unique<ipc::FixedRows<ipc::TableRow>>(std::move(rows));
}

ipc::Listing<ipc::GroupRow> Control::show_groups(ipc::GroupList list, const ipc::Selection& only) {
  const Choice choice = TRY(choose(only));
  std::vector<ipc::GroupRow> rows;
  const auto add = [&](const auto& source, const auto& group, const std::string& iif,
                       const std::optional<TableId>& table) {
    if (!is_chosen(choice, table)) return;
    rows.push_back({.source = source ? std::optional(source->to_string()) : std::nullopt,
                    .group = group.to_string(),
                    .iif = iif,
                    .table = number(table)});
  };
  if (list == ipc::GroupList::configured) {
    for (const JoinStatus& join : host_.engine().join_rules()) {
      add(join.rule.source, join.rule.group, join.rule.iif.to_string(), join.table);
    }
  } else {
    for (const JoinGroupStatus& join : host_.engine().kernel_joins()) {
      add(join.source, join.group, join.iif, join.table);
    }
  }
  return std::make_unique<ipc::FixedRows<ipc::GroupRow>>(std::move(rows));
}

ipc::Listing<ipc::RouteRow> Control::show_routes(ipc::RouteList list, bool counters,
                                                 const ipc::Selection& only) {
  const Choice choice = TRY(choose(only));
  if (list == ipc::RouteList::kernel) {
    return std::make_unique<EngineRows<ipc::RouteRow, KernelRoute>>(
        choice,
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
                            .reason = {},
                            .table = route.table.id.value};
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
      choice,
      [this, kind](std::uint64_t from, std::size_t limit) {
        return host_.engine().route_rules(kind, from, limit);
      },
      configured_row);
}

ipc::Listing<ipc::PendingRow> Control::show_pending(const ipc::Selection& only) {
  return std::make_unique<EngineRows<ipc::PendingRow, PendingStatus>>(
      TRY(choose(only)),
      [this](std::uint64_t from, std::size_t limit) { return host_.engine().pending(from, limit); },
      [this](const PendingStatus& rule) { return pending_row(rule, host_.engine()); });
}

void Control::note(std::string_view text) {
  spdlog::info("{}", text);
}

}  // namespace mcast::cli
