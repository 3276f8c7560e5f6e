// SPDX-License-Identifier: BSD-2-Clause
#include "ipc/server.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "ipc/codec.hpp"
#include "ipc/connection.hpp"

namespace mcast::ipc {

namespace {

using Protocol = asio::local::stream_protocol;
constexpr std::chrono::milliseconds kAcceptBackoff{100};
/// Descriptors that clients never get: the daemon's own files, tables and joins.
constexpr std::size_t kReservedDescriptors = 256;

struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

std::optional<FileIdentity> identity_of(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) return std::nullopt;
  return FileIdentity{status.st_dev, status.st_ino};
}

Error os_error(std::string_view call, const std::string& path, int number) {
  const bool permission = number == EACCES || number == EPERM || number == EROFS;
  return {
      permission ? ErrorCode::no_permission : ErrorCode::os,
      fmt::format("control socket {}: {}: {}", path, call, std::generic_category().message(number)),
      number};
}

/// Removes what a dead daemon left behind at `path`; refuses to remove anything else.
Result<void> clear_the_way(asio::io_context& loop, const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) {
    if (errno == ENOENT) return {};
    return std::unexpected(os_error("stat", path, errno));
  }
  // Scripts make an empty file to reserve the name.
  const bool placeholder = S_ISREG(status.st_mode) && status.st_size == 0;
  if (!placeholder && !S_ISSOCK(status.st_mode)) {
    return fail(ErrorCode::already_exists,
                fmt::format("control socket {}: something that is no socket is in the way; remove "
                            "it or choose another path by -u",
                            path));
  }
  // Not blocking: a live daemon with a full queue gives EAGAIN, which is an answer as well.
  Protocol::socket probe(loop);
  asio::error_code error;
  probe.open(Protocol(), error);
  if (!error) probe.non_blocking(true, error);
  if (error) return std::unexpected(os_error("socket", path, error.value()));
  probe.connect(Protocol::endpoint(path), error);
  if (error && error.value() == EACCES) {
    return std::unexpected(os_error("connect", path, error.value()));
  }
  if (error.value() != ECONNREFUSED && error.value() != ENOENT) {
    return fail(
        ErrorCode::already_exists,
        fmt::format("control socket {}: a daemon is already running and answers on it; stop "
                    "it, or run this one with another identity by -i",
                    path));
  }
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) {
    return std::unexpected(os_error("unlink", path, errno));
  }
  return {};
}

Result<void> bind_socket(Protocol::acceptor& acceptor, const ServerOptions& options) {
  asio::error_code error;
  acceptor.open(Protocol(), error);
  if (error) return std::unexpected(os_error("socket", options.path, error.value()));
  // Nobody may get in between bind() and chmod().
  const mode_t old_mask = ::umask(0177);
  acceptor.bind(Protocol::endpoint(options.path), error);
  ::umask(old_mask);
  if (error) return std::unexpected(os_error("bind", options.path, error.value()));
  const auto undo = [&](const char* call) {
    const int number = errno;
    ::unlink(options.path.c_str());
    return std::unexpected(os_error(call, options.path, number));
  };
  if (options.group && ::chown(options.path.c_str(), static_cast<uid_t>(-1), *options.group) < 0) {
    return undo("chown");
  }
  if (::chmod(options.path.c_str(), options.mode) < 0) return undo("chmod");
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    errno = error.value();
    return undo("listen");
  }
  return {};
}

std::size_t descriptor_bound(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const auto files = static_cast<std::size_t>(limit.rlim_cur);
  const std::size_t free =
      files > 2 * kReservedDescriptors ? files - kReservedDescriptors : files / 2;
  return std::min(wanted, free);
}

}  // namespace

class Server::State final : public ConnectionOwner, public std::enable_shared_from_this<State> {
 public:
  State(asio::io_context& loop, ControlHandler& handler, ServerOptions options)
      : options_(std::move(options)), handler_(handler), acceptor_(loop), backoff_(loop) {
    options_.limits.clients = descriptor_bound(options_.limits.clients);
  }

  Result<void> start(asio::io_context& loop) {
    TRY(clear_the_way(loop, options_.path));
    TRY(bind_socket(acceptor_, options_));
    identity_ = identity_of(options_.path);
    accept();
    return {};
  }

  void close() {
    open_ = false;
    asio::error_code ignored;
    if (identity_ && identity_of(options_.path) == identity_) ::unlink(options_.path.c_str());
    acceptor_.close(ignored);
    backoff_.cancel();
    for (const auto& client : std::exchange(clients_, {})) client->close();
  }

  [[nodiscard]] std::size_t client_count() const { return clients_.size(); }

  [[nodiscard]] const ServerLimits& limits() const override { return options_.limits; }
  [[nodiscard]] std::span<char> scratch() override { return scratch_; }
  [[nodiscard]] ControlHandler& handler() override { return handler_; }
  bool account(std::ptrdiff_t bytes) override {
    buffered_ += static_cast<std::size_t>(bytes);
    return buffered_ <= options_.limits.total_bytes;
  }
  void gone(const std::shared_ptr<Connection>& client) override { clients_.erase(client); }

 private:
  void accept() {
    acceptor_.async_accept([self = shared_from_this()](const asio::error_code& error,
                                                       Protocol::socket socket) {
      if (!self->open_) return;
      if (!error) {
        self->out_of_descriptors_ = false;
        self->admit(std::move(socket));
      } else if (error != asio::error::connection_aborted && error != asio::error::interrupted) {
        self->accept_later(error);
        return;
      }
      self->accept();
    });
  }

  /// Mostly EMFILE: the connection stays in the queue, so that accepting at once would fail again.
  void accept_later(const asio::error_code& error) {
    if (!std::exchange(out_of_descriptors_, true)) {
      handler_.note(fmt::format("control clients have to wait: accept: {}", error.message()));
    }
    backoff_.expires_after(kAcceptBackoff);
    backoff_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
      if (!cancelled && self->open_) self->accept();
    });
  }

  void admit(Protocol::socket socket) {
    asio::error_code error;
    socket.non_blocking(true, error);
    if (error) return;
    if (clients_.size() >= options_.limits.clients && !make_room()) {
      refuse(socket);
      return;
    }
    const auto client = std::make_shared<Connection>(shared_from_this(), std::move(socket));
    clients_.insert(client);
    client->start();
  }

  /// Drops the client that has been silent for longest, if that is long enough.
  bool make_room() {
    const auto silent_since = [](const auto& client) { return client->silent_since(); };
    const auto oldest = std::ranges::min_element(clients_, {}, silent_since);
    if (oldest == clients_.end()) return false;
    const auto threshold = std::chrono::steady_clock::now() - options_.limits.idle;
    if ((*oldest)->silent_since() > threshold) return false;
    // A copy keeps the client alive while it takes itself out of the list.
    const auto client = *oldest;  // NOLINT(performance-unnecessary-copy-initialization)
    client->drop("it was silent and its place was needed");
    return true;
  }

  void refuse(Protocol::socket& socket) {
    std::string message = encode_failure(
        {{ErrorCode::limit_reached,
          fmt::format("{} clients are connected, which is the limit; try again later",
                      clients_.size())},
         {},
         {}});
    message.push_back('\0');
    asio::error_code ignored;
    socket.write_some(asio::buffer(message), ignored);
  }

  ServerOptions options_;
  ControlHandler& handler_;
  Protocol::acceptor acceptor_;
  asio::steady_timer backoff_;
  std::optional<FileIdentity> identity_;
  std::set<std::shared_ptr<Connection>> clients_;
  std::array<char, std::size_t{64} << 10> scratch_{};
  std::size_t buffered_ = 0;
  bool open_ = true;
  bool out_of_descriptors_ = false;
};

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& loop, ControlHandler& handler,
                                               ServerOptions options) {
  if (options.path.empty() || options.path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("control socket \"{}\": the path must have 1 to {} characters",
                            options.path, sizeof(sockaddr_un::sun_path) - 1));
  }
  auto state = std::make_shared<State>(loop, handler, std::move(options));
  if (auto started = state->start(loop); !started) return std::unexpected(started.error());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() {
  state_->close();
}
std::size_t Server::client_count() const {
  return state_->client_count();
}

}  // namespace mcast::ipc
