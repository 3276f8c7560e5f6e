// SPDX-License-Identifier: BSD-2-Clause
#pragma once

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
  ipc::Outcome flush() override;
  ipc::Outcome kill() override;
  ipc::RowsPtr<ipc::InterfaceRow> show_interfaces() override;
  ipc::RowsPtr<ipc::TableRow> show_tables() override;
  ipc::RowsPtr<ipc::GroupRow> show_groups(ipc::GroupList list) override;
  ipc::RowsPtr<ipc::RouteRow> show_routes(ipc::RouteList list, bool counters) override;
  ipc::RowsPtr<ipc::PendingRow> show_pending() override;
  void note(std::string_view text) override;

 private:
  [[nodiscard]] Result<void> apply(const ipc::Command& command, ipc::Remarks& remarks);

  ControlHost& host_;
};

}  // namespace mcast::cli
