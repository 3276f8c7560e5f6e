// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "ipc/codec.hpp"
#include "ipc/control.hpp"

namespace mcast::ipc {

struct ClientOptions {
  std::string path;
  /// How long the daemon may be silent before a call fails with ErrorCode::connection.
  std::chrono::milliseconds timeout{30'000};
  /// Called once per call when an answer takes longer than `patience`.
  std::function<void()> on_wait;
  std::chrono::milliseconds patience{1'000};
};

/// Calls a daemon and waits for the answer. After a failure with ErrorCode::connection the client
/// is of no further use.
class Client {
 public:
  /// connection: there is no socket, or nobody answers on it. no_permission: it is not for us.
  static Result<Client> connect(ClientOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// The connection, for a process that confines itself to it.
  [[nodiscard]] int descriptor() const;

  Outcome apply(const std::vector<Command>& commands);
  Outcome reload();
  Outcome flush(const Selection& only = {});
  /// Returns when the daemon has closed the connection, that is, has ended.
  Outcome kill();

  template <class Row>
  using Sink = std::function<void(const std::vector<Row>&)>;
  /// Hands over the list piece by piece. Nothing is handed over if `only` does not exist.
  std::expected<void, Failure> show_interfaces(const Sink<InterfaceRow>& sink,
                                               const Selection& only = {});
  std::expected<void, Failure> show_tables(const Sink<TableRow>& sink, const Selection& only = {});
  std::expected<void, Failure> show_groups(GroupList list, const Sink<GroupRow>& sink,
                                           const Selection& only = {});
  std::expected<void, Failure> show_routes(RouteList list, bool counters,
                                           const Sink<RouteRow>& sink, const Selection& only = {});
  std::expected<void, Failure> show_pending(const Sink<PendingRow>& sink,
                                            const Selection& only = {});

 private:
  class Connection;
  explicit Client(std::unique_ptr<Connection> connection);
  Outcome command(Request request);
  template <class Row>
  std::expected<void, Failure> list(Request request, const Sink<Row>& sink);
  std::unique_ptr<Connection> connection_;
};

}  // namespace mcast::ipc
