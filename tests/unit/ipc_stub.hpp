// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/control.hpp"

namespace mcast::testing {

/// A daemon without a kernel: remembers what it was asked and gives what it was told to give.
class StubHandler final : public ipc::ControlHandler {
 public:
  std::vector<ipc::Command> applied;
  std::optional<ipc::Failure> failure;
  ipc::Remarks remarks;
  std::vector<std::string> calls;
  std::vector<std::string> notes;
  std::vector<ipc::InterfaceRow> interfaces;
  std::vector<ipc::TableRow> tables;
  std::vector<ipc::GroupRow> groups;
  std::vector<ipc::RouteRow> routes;
  std::vector<ipc::PendingRow> pending;
  /// Length of the list of exact routes, which are made as they are asked for.
  std::size_t many = 0;
  std::size_t rows_made = 0;
  std::size_t largest_page = 0;

  ipc::Outcome apply(const std::vector<ipc::Command>& commands) override {
    auto done = outcome("apply");
    if (done) applied.insert(applied.end(), commands.begin(), commands.end());
    return done;
  }
  ipc::Outcome reload() override { return outcome("reload"); }
  ipc::Outcome flush() override { return outcome("flush"); }
  ipc::Outcome kill() override { return outcome("kill"); }

  ipc::RowsPtr<ipc::InterfaceRow> show_interfaces() override { return fixed(interfaces); }
  ipc::RowsPtr<ipc::TableRow> show_tables() override { return fixed(tables); }
  ipc::RowsPtr<ipc::GroupRow> show_groups(ipc::GroupList list) override {
    calls.emplace_back(list == ipc::GroupList::kernel ? "kernel groups" : "groups");
    return fixed(groups);
  }
  ipc::RowsPtr<ipc::RouteRow> show_routes(ipc::RouteList list, bool counters) override {
    calls.push_back(fmt::format("routes {} {}", static_cast<int>(list), counters));
    if (list == ipc::RouteList::exact && many > 0) return std::make_unique<ManyRows>(*this);
    return fixed(routes);
  }
  ipc::RowsPtr<ipc::PendingRow> show_pending() override { return fixed(pending); }
  void note(std::string_view text) override { notes.emplace_back(text); }

  static ipc::RouteRow numbered_route(std::size_t number) {
    ipc::RouteRow row;
    row.source = "10.0.0.9";
    row.group = fmt::format("239.{}.{}.{}", number >> 16U, (number >> 8U) & 255U, number & 255U);
    row.iif = "eth0";
    row.oifs = {"eth1", "eth2"};
    return row;
  }

 private:
  class ManyRows final : public ipc::Rows<ipc::RouteRow> {
   public:
    explicit ManyRows(StubHandler& stub) : stub_(stub) {}
    std::vector<ipc::RouteRow> next(std::size_t limit) override {
      std::vector<ipc::RouteRow> page;
      while (page.size() < limit && made_ < stub_.many) page.push_back(numbered_route(made_++));
      stub_.rows_made += page.size();
      stub_.largest_page = std::max(stub_.largest_page, page.size());
      return page;
    }

   private:
    StubHandler& stub_;
    std::size_t made_ = 0;
  };

  template <class Row>
  static ipc::RowsPtr<Row> fixed(const std::vector<Row>& rows) {
    return std::make_unique<ipc::FixedRows<Row>>(rows);
  }

  ipc::Outcome outcome(std::string_view call) {
    calls.emplace_back(call);
    if (failure) return std::unexpected(*failure);
    return remarks;
  }
};

}  // namespace mcast::testing
