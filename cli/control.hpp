// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <expected>
#include <optional>
#include <string_view>
#include <vector>

#include "core/engine.hpp"
#include "ipc/control.hpp"
#include "platform/ports.hpp"

namespace mcast::cli {

/// What commands need of the daemon.
class ControlHost {
 public:
  virtual ~ControlHost() = default;
  virtual Engine& engine() = 0;
  virtual platform::MrouteKernel& kernel() = 0;
  /// The table of rules that nothing else is said of.
  [[nodiscard]] virtual TableId default_table(Family family) const = 0;
  /// The engine was told something new: let the kernel follow before the client gets its answer.
  virtual void changed() = 0;
  virtual ipc::Outcome reload() = 0;
  virtual void stop() = 0;
};

/// Answers the commands of clients from the engine.
class Control final : public ipc::ControlHandler {
 public:
  /// `host` must outlive this.
  explicit Control(ControlHost& host) : host_(host) {}

  ipc::Outcome apply(const std::vector<ipc::Command>& commands) override;
  ipc::Outcome reload() override { return host_.reload(); }
  ipc::Outcome flush(const ipc::Selection& only) override;
  ipc::Outcome kill() override;
  ipc::Listing<ipc::InterfaceRow> show_interfaces(const ipc::Selection& only) override;
  ipc::Listing<ipc::TableRow> show_tables(const ipc::Selection& only) override;
  ipc::Listing<ipc::GroupRow> show_groups(ipc::GroupList list, const ipc::Selection& only) override;
  ipc::Listing<ipc::RouteRow> show_routes(ipc::RouteList list, bool counters,
                                          const ipc::Selection& only) override;
  ipc::Listing<ipc::PendingRow> show_pending(const ipc::Selection& only) override;
  void note(std::string_view text) override;

 private:
  /// The table that a question is about; none: all.
  using Choice = std::optional<TableId>;

  [[nodiscard]] Result<void> apply(const ipc::Command& command, ipc::Remarks& remarks);
  [[nodiscard]] std::expected<Choice, ipc::Failure> choose(const ipc::Selection& only);
  /// Those that the engine has, and for their names those that interfaces may be in all the same.
  [[nodiscard]] std::vector<TableStatus> all_tables();
  [[nodiscard]] bool is_default(TableKey table) const {
    return table.id == host_.default_table(table.family);
  }

  ControlHost& host_;
};

}  // namespace mcast::cli
