// SPDX-License-Identifier: BSD-2-Clause
#include "ipc/client.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace mcast::ipc {

namespace {

using Protocol = asio::local::stream_protocol;
using Clock = std::chrono::steady_clock;
/// The server's queue is full: on a UNIX socket connect() does not wait for it (EAGAIN).
constexpr std::chrono::milliseconds kConnectRetry{20};

}  // namespace

class Client::Connection {
 public:
  explicit Connection(ClientOptions options) : options_(std::move(options)), socket_(loop_) {}

  Result<void> open() {
    if (options_.path.empty() || options_.path.size() >= sizeof(sockaddr_un::sun_path)) {
      return fail(ErrorCode::usage, fmt::format("control socket \"{}\": the path must have 1 to {} "
                                                "characters",
                                                options_.path, sizeof(sockaddr_un::sun_path) - 1));
    }
    const auto deadline = Clock::now() + options_.timeout;
    asio::error_code error;
    do {
      socket_.open(Protocol(), error);
      if (!error) socket_.non_blocking(true, error);
      if (!error) socket_.connect(Protocol::endpoint(options_.path), error);
      if (error != asio::error::try_again || Clock::now() > deadline) break;
      asio::error_code ignored;
      socket_.close(ignored);
      asio::steady_timer(loop_, kConnectRetry).wait();
    } while (true);
    if (error) return std::unexpected(connect_error(error));
    return {};
  }

  Result<void> send(const Call& call) {
    std::string message = encode_call(call);
    message.push_back('\0');
    waited_ = false;
    std::optional<asio::error_code> done;
    // Pieces, so that a big request only has to make progress in time.
    for (std::size_t sent = 0; sent < message.size();) {
      done.reset();
      std::size_t count = 0;
      socket_.async_write_some(asio::buffer(message.data() + sent, message.size() - sent),
                               [&](const asio::error_code& error, std::size_t n) {
                                 done = error;
                                 count = n;
                               });
      TRY(wait(done));
      // A server that refuses a request closes early; its reply says why.
      if (*done) break;
      sent += count;
    }
    return {};
  }

  Result<std::string> receive() {
    std::size_t end = 0;
    while ((end = input_.find('\0', scanned_)) == std::string::npos) {
      scanned_ = input_.size();
      TRY(read_some());
      if (closed_) {
        return fail(
            ErrorCode::connection,
            "the daemon closed the connection without an answer; it may have ended, see its "
            "log");
      }
    }
    std::string message = input_.substr(0, end);
    input_.erase(0, end + 1);
    scanned_ = 0;
    return message;
  }

  [[nodiscard]] int descriptor() { return socket_.native_handle(); }

  Result<void> wait_for_close() {
    while (!closed_) TRY(read_some());
    return {};
  }

 private:
  Result<void> read_some() {
    std::optional<asio::error_code> done;
    std::size_t count = 0;
    const std::size_t old_size = input_.size();
    input_.resize(old_size + kChunk);
    socket_.async_read_some(asio::buffer(input_.data() + old_size, kChunk),
                            [&](const asio::error_code& error, std::size_t n) {
                              done = error;
                              count = n;
                            });
    auto waited = wait(done);
    input_.resize(old_size + count);
    closed_ = done && *done;
    return waited;
  }

  /// Runs the loop until the operation is done.
  Result<void> wait(const std::optional<asio::error_code>& done) {
    const auto patience = std::min(options_.patience, options_.timeout);
    loop_.restart();
    if (!waited_ && options_.on_wait) {
      loop_.run_for(patience);
      if (!done) {
        waited_ = true;
        options_.on_wait();
        loop_.run_for(options_.timeout - patience);
      }
    } else {
      loop_.run_for(options_.timeout);
    }
    if (done) return {};
    // The handler refers to the caller's variables: it has to run before they go.
    asio::error_code ignored;
    socket_.close(ignored);
    loop_.restart();
    loop_.run();
    return fail(
        ErrorCode::connection,
        fmt::format("the daemon does not answer on {} within {} s; see its log", options_.path,
                    std::chrono::duration_cast<std::chrono::seconds>(options_.timeout).count()));
  }

  [[nodiscard]] Error connect_error(const asio::error_code& error) const {
    const int number = error.value();
    switch (number) {
      case ENOENT:
      case ENOTDIR:
        return {ErrorCode::connection,
                fmt::format("no daemon is running: there is no {}; start it, or name another "
                            "instance by -i or its socket by -u",
                            options_.path),
                number};
      case EACCES:
      case EPERM:
        return {ErrorCode::no_permission,
                fmt::format("no permission to use {}; run this as root or as a member of the "
                            "socket's group",
                            options_.path),
                number};
      case ECONNREFUSED:
        return {ErrorCode::connection,
                fmt::format("no daemon is running: nobody answers on {}; start it", options_.path),
                number};
      default:
        return {ErrorCode::connection,
                fmt::format("cannot connect to {}: {}", options_.path, error.message()), number};
    }
  }

  static constexpr std::size_t kChunk = std::size_t{64} << 10;

  ClientOptions options_;
  asio::io_context loop_;
  Protocol::socket socket_;
  std::string input_;
  std::size_t scanned_ = 0;
  bool closed_ = false;
  bool waited_ = false;
};

Client::Client(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::connect(ClientOptions options) {
  auto connection = std::make_unique<Connection>(std::move(options));
  TRY(connection->open());
  return Client(std::move(connection));
}

int Client::descriptor() const {
  return connection_->descriptor();
}

namespace {

std::unexpected<Failure> failure(Error error) {
  return std::unexpected(Failure{std::move(error), {}, {}});
}

}  // namespace

Outcome Client::command(Request request) {
  if (auto sent = connection_->send({std::move(request)}); !sent) return failure(sent.error());
  const auto answer = connection_->receive();
  if (!answer) return failure(answer.error());
  return decode_outcome(*answer);
}

template <class Row>
std::expected<void, Failure> Client::list(Request request, const Sink<Row>& sink) {
  if (auto sent = connection_->send({std::move(request), false, true}); !sent) {
    return failure(sent.error());
  }
  bool continues = true;
  while (continues) {
    const auto answer = connection_->receive();
    if (!answer) return failure(answer.error());
    const auto piece = decode_rows<Row>(*answer);
    if (!piece) return std::unexpected(piece.error());
    sink(piece->rows);
    continues = piece->continues;
  }
  return {};
}

Outcome Client::apply(const std::vector<Command>& commands) {
  return command(Apply{commands});
}
Outcome Client::reload() {
  return command(Reload{});
}
Outcome Client::flush(const Selection& only) {
  return command(Flush{only});
}

Outcome Client::kill() {
  auto outcome = command(Kill{});
  if (outcome) {
    if (auto closed = connection_->wait_for_close(); !closed) return failure(closed.error());
  }
  return outcome;
}

std::expected<void, Failure> Client::show_interfaces(const Sink<InterfaceRow>& sink,
                                                     const Selection& only) {
  return list(ShowInterfaces{only}, sink);
}
std::expected<void, Failure> Client::show_tables(const Sink<TableRow>& sink,
                                                 const Selection& only) {
  return list(ShowTables{only}, sink);
}
std::expected<void, Failure> Client::show_groups(GroupList which, const Sink<GroupRow>& sink,
                                                 const Selection& only) {
  return list(ShowGroups{which, only}, sink);
}
std::expected<void, Failure> Client::show_routes(RouteList which, bool counters,
                                                 const Sink<RouteRow>& sink,
                                                 const Selection& only) {
  return list(ShowRoutes{which, counters, only}, sink);
}
std::expected<void, Failure> Client::show_pending(const Sink<PendingRow>& sink,
                                                  const Selection& only) {
  return list(ShowPending{only}, sink);
}

}  // namespace mcast::ipc
