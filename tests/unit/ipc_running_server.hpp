// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "ipc/server.hpp"
#include "tests/support/fd.hpp"
#include "tests/unit/ipc_stub.hpp"

namespace mcast::testing {

/// Only a hang fails for its sake.
inline constexpr int kPatienceMs = 60'000;

/// A directory of its own for the socket.
class SocketDir {
 public:
  SocketDir() {
    std::string name = (std::filesystem::temp_directory_path() / "mcast-ipc-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~SocketDir() { std::filesystem::remove_all(path_); }
  SocketDir(const SocketDir&) = delete;
  SocketDir& operator=(const SocketDir&) = delete;
  [[nodiscard]] std::string socket() const { return path_ / "s"; }

 private:
  std::filesystem::path path_;
};

/// A server with a stub behind it, running in its own thread.
class RunningServer {
  // Ahead of its callers: its type is deduced.
  template <class Action>
  auto in_loop(Action action) {
    std::packaged_task<decltype(action())()> task(std::move(action));
    auto result = task.get_future();
    asio::post(loop_, [&] { task(); });
    return result.get();
  }

 public:
  explicit RunningServer(ipc::ServerLimits limits = {}) {
    ipc::ServerOptions options;
    options.path = dir.socket();
    options.limits = limits;
    auto server = ipc::Server::listen(loop_, stub_, options);
    REQUIRE(server);
    server_ = std::move(*server);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~RunningServer() {
    stop();
    guard_.reset();
    thread_.join();
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  /// Runs `action` with the stub in the server's thread, and gives its result.
  template <class Action>
  auto with_stub(Action action) {
    return in_loop([&] { return action(stub_); });
  }
  std::size_t client_count() {
    return in_loop([&] { return server_->client_count(); });
  }
  void stop() {
    in_loop([&] { server_.reset(); });
  }
  /// Returns once `condition`, asked in the server's thread, holds.
  template <class Condition>
  bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (!in_loop([&] { return condition(*this); })) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  [[nodiscard]] std::size_t clients_in_loop() const { return server_->client_count(); }
  [[nodiscard]] StubHandler& stub_in_loop() { return stub_; }

  SocketDir dir;

 private:
  StubHandler stub_;
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_{loop_.get_executor()};
  std::unique_ptr<ipc::Server> server_;
  std::thread thread_;
};

/// A client that can do everything wrong.
class RawClient {
 public:
  explicit RawClient(const std::string& path)
      : fd_(check_call(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    check_call(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
               "connect");
  }

  /// Sends all of it; false if the server closed before.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool call(std::string_view message) const { return send(std::string(message) + '\0'); }
  /// The next message without its NUL; none if the server closed.
  std::optional<std::string> receive() {
    std::size_t end = 0;
    while ((end = input_.find('\0')) == std::string::npos) {
      if (!read_some()) return std::nullopt;
    }
    std::string message = input_.substr(0, end);
    input_.erase(0, end + 1);
    return message;
  }
  /// Whether the server ended the connection without another word.
  bool closed_by_server() { return input_.empty() && !read_some(); }
  void end_of_input() const { ::shutdown(fd_.get(), SHUT_WR); }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  bool read_some() {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, kPatienceMs) != 1) throw_errno("the server does not answer");
    char bytes[65536];
    const auto count = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    input_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  Fd fd_;
  std::string input_;
};

inline constexpr std::string_view kFlush = R"({"method":"net.mcastd.control.Flush"})";
inline constexpr std::string_view kShowExact =
    R"({"method":"net.mcastd.control.ShowRoutes","more":true,)"
    R"("parameters":{"list":"exact","counters":false}})";

}  // namespace mcast::testing
