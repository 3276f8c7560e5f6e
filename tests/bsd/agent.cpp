// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/agent.hpp"

#include <fmt/format.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mcast::testing {

/// Both ends are the same program, so the bytes of these are the protocol.
struct Agent::Request {
  enum class Order : std::uint32_t { join, adopt, send, await, count, describe };
  Order order;
  std::uint32_t hops = 0;
  std::uint32_t patience_ms = 0;
  std::uint32_t unused = 0;
  std::uint64_t flow = 0;
  std::uint64_t number = 0;
  Address group;
  Address source;  ///< or the address to adopt
};

namespace {

struct Reply {
  std::uint64_t value = 0;
  std::uint64_t failed = 0;
  std::array<char, 240> why{};  ///< ends in 0
};

constexpr int kLine = 3;

/// False at the end of the stream.
template <class Message>
bool read_all(int line, Message& message) {
  static_assert(std::is_trivially_copyable_v<Message>);
  std::span<std::byte> left = std::as_writable_bytes(std::span(&message, 1));
  while (!left.empty()) {
    const auto size = ::read(line, left.data(), left.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    left = left.subspan(static_cast<std::size_t>(size));
  }
  return true;
}

template <class Message>
bool write_all(int line, const Message& message) {
  static_assert(std::is_trivially_copyable_v<Message>);
  std::span<const std::byte> left = std::as_bytes(std::span(&message, 1));
  while (!left.empty()) {
    const auto size = ::send(line, left.data(), left.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    left = left.subspan(static_cast<std::size_t>(size));
  }
  return true;
}

template <class Action>
Reply attempt(Action action) {
  Reply reply;
  try {
    reply.value = action();
  } catch (const std::exception& problem) {
    reply.failed = 1;
    const std::string_view why = problem.what();
    std::copy_n(why.begin(), std::min(why.size(), reply.why.size() - 1), reply.why.begin());
  } catch (...) {
    // A skipped case: it is not to go on in this process.
    reply.failed = 1;
  }
  return reply;
}

template <class Request>
std::uint64_t carry_out(const Request& request, Station& station, const std::string& name,
                        const Agent::Hands& hands) {
  using Order = decltype(request.order);
  const std::chrono::milliseconds patience(request.patience_ms);
  switch (request.order) {
    case Order::join:
      station.join(request.group);
      return 0;
    case Order::adopt:
      hands.adopt(request.source);
      return 0;
    case Order::send:
      return station.send({request.group, request.source, request.flow, request.hops});
    case Order::await:
      return station.await(request.group, request.flow, request.number, patience) ? 1 : 0;
    case Order::count:
      return station.received(request.group, request.flow);
    case Order::describe:
      fmt::print("{}:\n{}", name, station.describe());
      std::fflush(stdout);
      return 0;
  }
  throw std::logic_error("unknown order");
}

/// What another program would have lost by being started: handlers, and all but the line.
void shed(int line) {
  for (const int number : {SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGABRT, SIGTERM, SIGINT}) {
    ::signal(number, SIG_DFL);
  }
  if (line != kLine) ::dup2(line, kLine);
  ::closefrom(kLine + 1);
}

template <class Request>
[[noreturn]] void serve(int line, const std::string& name, const Agent::Hands& hands) {
  std::unique_ptr<Station> station;
  const Reply settled = attempt([&] {
    station = std::make_unique<Station>(hands.settle());
    return 0U;
  });
  shed(line);
  if (write_all(kLine, settled) && station) {
    Request request{};
    while (read_all(kLine, request)) {
      if (!write_all(kLine, attempt([&] { return carry_out(request, *station, name, hands); })))
        break;
    }
  }
  ::_exit(0);
}

/// The reply to what was asked, which may take the agent so long.
std::uint64_t hear(int line, const std::string& name, std::chrono::milliseconds longest) {
  pollfd waiting{line, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, static_cast<int>((longest + kKernelPatience).count()));
  } while (ready < 0 && errno == EINTR);
  Reply reply;
  if (ready != 1) throw std::runtime_error(name + " does not answer");
  if (!read_all(line, reply)) throw std::runtime_error(name + " has died");
  if (reply.failed != 0) throw std::runtime_error(name + ": " + reply.why.data());
  return reply.value;
}

}  // namespace

Agent::Agent(std::string name, const Hands& hands) : name_(std::move(name)) {
  std::array<int, 2> ends{};
  check_call(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  line_ = Fd(ends[0]);
  Fd other(ends[1]);
  std::fflush(stdout);
  pid_ = check_call(::fork(), "fork");
  if (pid_ == 0) {
    serve<Request>(ends[1], name_, hands);
  }
  other.reset();
  // It has shed our descriptors once it has answered.
  hear(line_.get(), name_, {});
}

Agent::~Agent() {
  line_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::uint64_t Agent::ask(const Request& request) {
  if (!write_all(line_.get(), request)) throw std::runtime_error(name_ + " has died");
  return hear(line_.get(), name_, std::chrono::milliseconds(request.patience_ms));
}

void Agent::join(const Address& group) {
  ask({.order = Request::Order::join, .group = group, .source = {}});
}

void Agent::adopt(const Address& address) {
  if (!adopted_.insert(address).second) return;
  ask({.order = Request::Order::adopt, .group = {}, .source = address});
}

std::uint64_t Agent::send(const Shipment& shipment) {
  return ask({.order = Request::Order::send,
              .hops = shipment.hops,
              .flow = shipment.flow,
              .group = shipment.group,
              .source = shipment.source});
}

bool Agent::await(const Address& group, std::uint64_t flow, std::uint64_t number,
                  std::chrono::milliseconds patience) {
  return ask({.order = Request::Order::await,
              .patience_ms = static_cast<std::uint32_t>(patience.count()),
              .flow = flow,
              .number = number,
              .group = group,
              .source = {}}) != 0;
}

std::uint64_t Agent::received(const Address& group, std::uint64_t flow) {
  return ask({.order = Request::Order::count, .flow = flow, .group = group, .source = {}});
}

void Agent::describe() {
  ask({.order = Request::Order::describe, .group = {}, .source = {}});
}

}  // namespace mcast::testing
