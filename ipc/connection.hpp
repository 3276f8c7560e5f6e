// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ipc/server.hpp"
#include "ipc/session.hpp"

namespace mcast::ipc {

class Connection;

/// What a connection needs of the server it belongs to.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  [[nodiscard]] virtual const ServerLimits& limits() const = 0;
  [[nodiscard]] virtual ControlHandler& handler() = 0;
  /// Memory to read into, shared by all connections.
  [[nodiscard]] virtual std::span<char> scratch() = 0;
  /// Notes that so many bytes more (or fewer) are kept for a client; false if that is too much for
  /// all of them together.
  virtual bool account(std::ptrdiff_t bytes) = 0;
  virtual void gone(const std::shared_ptr<Connection>& client) = 0;
};

/// One client. It reads only when no reply is due, and makes the next piece of a list only when the
/// one before is written: a client that does not read stops itself and nobody else. While a client
/// is silent it holds no memory for reading and no timer runs.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;
  using Socket = asio::local::stream_protocol::socket;

  Connection(std::shared_ptr<ConnectionOwner> owner, Socket socket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() { wait_for_request(); }
  /// When it last did something; far in the future while a request is being read or answered.
  [[nodiscard]] Clock::time_point silent_since() const;
  /// Ends the connection with a line in the log.
  void drop(std::string_view why);
  /// Ends the connection. Nothing of the handler is touched afterwards.
  void close();

 private:
  void wait_for_request();
  void read();
  void refuse(const Failure& failure);
  void process();
  void send_next();
  void write();
  void watch_progress();
  void forget_progress();
  void end();

  std::shared_ptr<ConnectionOwner> owner_;
  Socket socket_;
  asio::steady_timer stalled_;
  std::optional<Session> session_;  ///< none once closed
  std::string input_;
  std::size_t begin_ = 0;    ///< of input_ that is not processed
  std::size_t scanned_ = 0;  ///< of input_ known to hold no NUL from begin_ on
  std::string output_;
  std::size_t written_ = 0;
  Clock::time_point last_active_ = Clock::now();
  bool busy_ = false;  ///< a reply is due
  bool end_of_input_ = false;
  bool refused_ = false;
};

}  // namespace mcast::ipc
