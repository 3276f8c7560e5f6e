// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/announcer.hpp"
#include "cli/audit.hpp"
#include "cli/control.hpp"
#include "cli/deadline.hpp"
#include "cli/hook.hpp"
#include "cli/idle_flows.hpp"
#include "cli/mcastd_options.hpp"
#include "cli/rule_watch.hpp"
#include "cli/upcalls.hpp"
#include "core/engine.hpp"
#include "core/result.hpp"
#include "ipc/server.hpp"
#include "platform/converge.hpp"
#include "platform/ports.hpp"
#include "platform/posix/file_reader.hpp"
#include "platform/posix/process.hpp"

namespace mcast::cli {

/// Ties the parts together: descriptors, timers, signals and clients on one loop. Whatever happens
/// is told to the engine, then one `turn` makes the kernel follow.
class Daemon final : private platform::LinkSink, private platform::UpcallSink, private ControlHost {
 public:
  explicit Daemon(DaemonOptions options);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() override;

  /// Waits for the start-up delay. False: a signal came first, and the daemon is to end.
  bool delay_start();
  /// Takes the tables, reads the configuration and carries it out, opens the control socket. When
  /// this returns commands are answered as soon as `run` is called.
  Result<void> start();
  /// Until told to end.
  void run();

 private:
  static constexpr std::size_t kStepsPerTurn = 32'768;

  // platform::LinkSink
  void link_changed(const Link& link) override;
  void link_removed(IfIndex index) override;
  void links_relearned(std::span<const Link> links) override;
  // platform::UpcallSink
  void upcall(const Upcall& upcall) override;
  // ControlHost
  Engine& engine() override { return *engine_; }
  platform::MrouteKernel& kernel() override { return *platform_.kernel; }
  [[nodiscard]] TableId default_table(Family family) const override;
  void changed() override { turn(); }
  ipc::Outcome reload() override;
  void stop() override;

  [[nodiscard]] Result<void> check_multicast_rules();
  Result<void> open_tables();
  Result<void> load_at_start();
  void loaded();
  void shut_down();
  void drop_multicast_rules();
  void answer();
  /// `most_steps`: then clients and upcalls get a chance before the rest is done.
  void turn(std::size_t most_steps = kStepsPerTurn);
  void schedule_turn();
  void write_notices();
  void tell_learned();
  void wait_for_links();
  void wait_for_links(asio::posix::stream_descriptor& ready);
  void read_links();
  void take_link_events();
  void wait_for_signals();

  const DaemonOptions options_;
  asio::io_context loop_;
  platform::PosixFileReader files_;
  platform::Platform platform_;
  platform::Ports ports_;
  std::unique_ptr<Engine> engine_;
  Control control_;
  std::optional<platform::PidFile> pid_file_;
  std::unique_ptr<ipc::Server> server_;  ///< closed before the pid file goes
  Hook hook_;
  IdleFlows idle_flows_;
  std::optional<Audit> audit_;
  std::optional<RuleWatch> rule_watch_;
  Upcalls upcalls_;
  std::optional<Announcer> announcer_;

  asio::signal_set signals_;
  Deadline deadline_;
  asio::steady_timer link_retry_;
  // The descriptors belong to the port; these only wait for them and let go before it is destroyed.
  std::list<asio::posix::stream_descriptor> links_ready_;
  bool turn_scheduled_ = false;
  bool links_changed_ = false;  ///< by the last link events taken
};

}  // namespace mcast::cli
