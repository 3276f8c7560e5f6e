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
  std::size_t empty_pages = 0;  ///< before the first of them
  std::size_t rows_made = 0;
  std::size_t largest_page = 0;

  ipc::Outcome apply(const std::vector<ipc::Command>& commands) override {
    auto done = outcome("apply");
    if (done) applied.insert(applied.end(), commands.begin(), commands.end());
    return done;
  }
  ipc::Outcome reload() override { return outcome("reload"); }
  ipc::Outcome flush(const ipc::Selection& only) override { return outcome("flush" + of(only)); }
  ipc::Outcome kill() override { return outcome("kill"); }

  ipc::Listing<ipc::InterfaceRow> show_interfaces(const ipc::Selection& only) override {
    return listing("interfaces", only, interfaces);
  }
  ipc::Listing<ipc::TableRow> show_tables(const ipc::Selection& only) override {
    return listing("tables", only, tables);
  }
  ipc::Listing<ipc::GroupRow> show_groups(ipc::GroupList list,
                                          const ipc::Selection& only) override {
    return listing(list == ipc::GroupList::kernel ? "kernel groups" : "groups", only, groups);
  }
  ipc::Listing<ipc::RouteRow> show_routes(ipc::RouteList list, bool counters,
                                          const ipc::Selection& only) override {
    if (list == ipc::RouteList::exact && many > 0) return std::make_unique<ManyRows>(*this);
    return listing(fmt::format("routes {} {}", static_cast<int>(list), counters), only, routes);
  }
  ipc::Listing<ipc::PendingRow> show_pending(const ipc::Selection& only) override {
    return listing("pending", only, pending);
  }
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
    std::optional<std::vector<ipc::RouteRow>> next(std::size_t limit) override {
      if (made_ == stub_.many) return std::nullopt;
      std::vector<ipc::RouteRow> page;
      if (stub_.empty_pages > 0 && stub_.empty_pages-- > 0) return page;
      while (page.size() < limit && made_ < stub_.many) page.push_back(numbered_route(made_++));
      stub_.rows_made += page.size();
      stub_.largest_page = std::max(stub_.largest_page, page.size());
      return page;
    }

   private:
    StubHandler& stub_;
    std::size_t made_ = 0;
  };

  static std::string of(const ipc::Selection& only) {
    if (!only) return {};
    return (only->kind == ipc::DomainWords::Kind::vrf ? " of vrf " : " of table ") + only->name;
  }

  template <class Row>
  ipc::Listing<Row> listing(std::string_view name, const ipc::Selection& only,
                            const std::vector<Row>& rows) {
    calls.push_back(std::string(name) + of(only));
    if (failure) return std::unexpected(*failure);
    return std::make_unique<ipc::FixedRows<Row>>(rows);
  }

  ipc::Outcome outcome(std::string_view call) {
    calls.emplace_back(call);
    if (failure) return std::unexpected(*failure);
    return remarks;
  }
};

}  // namespace mcast::testing
