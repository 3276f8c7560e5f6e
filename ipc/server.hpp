// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "ipc/control.hpp"

namespace mcast::ipc {

struct ServerLimits {
  /// Clients at once. Also held below the process's limit on open files, less a reserve.
  std::size_t clients = 4096;
  /// Of one request, in bytes.
  std::size_t request_bytes = std::size_t{16} << 20;
  /// Of what all clients together have sent and not finished, in bytes.
  std::size_t total_bytes = std::size_t{64} << 20;
  /// Rows per reply of a list.
  std::size_t rows_per_reply = 128;
  /// A client in the middle of a request or reply that makes no progress for so long is dropped.
  /// One that is merely silent may stay.
  std::chrono::milliseconds stalled{30'000};
  /// When the server is full, a newcomer takes the place of a client silent for at least so long.
  std::chrono::milliseconds idle{10'000};
};

struct ServerOptions {
  std::string path;
  /// Permission bits of the socket.
  mode_t mode = 0600;
  /// Group of the socket, unchanged if none.
  std::optional<gid_t> group;
  ServerLimits limits;
};

/// Answers Varlink calls on a UNIX socket. Lives on the caller's loop: nothing here blocks, and no
/// client can delay another for longer than one page of a list or one command takes.
class Server {
 public:
  /// Binds the socket and begins to answer. A socket left behind by a dead daemon is replaced; one
  /// that a live daemon answers on is an error (already_exists), and so is a path that is no
  /// socket.
  static Result<std::unique_ptr<Server>> listen(asio::io_context& loop, ControlHandler& handler,
                                                ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Closes every connection and removes the socket file, unless another program has put its own
  /// there since. The handler is not called any more.
  ~Server();

  [[nodiscard]] std::size_t client_count() const;

 private:
  class State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace mcast::ipc
