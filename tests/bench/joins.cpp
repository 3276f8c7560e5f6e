// SPDX-License-Identifier: BSD-2-Clause
// Thousands of groups joined with the kernel's default limits, beside a bare loop of the same
// calls.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/live_router.hpp"
#include "tests/bench/scale.hpp"
#include "tests/support/fd.hpp"
#include "tests/support/process.hpp"

namespace mcast::bench {
namespace {

/// Judged by processor time, which the network lock of a busy machine does not lengthen.
constexpr double kBudget = 2;
/// Twice the joins may take this many times as long to leave: 2 is linear, 4 is quadratic.
constexpr double kLinear = 3;

/// A group, and the source of every second one.
struct Wanted {
  Family family;
  std::string group;
  std::string source;  ///< empty: any
};

/// `count` any-source and as many source-specific joins of each family.
std::vector<Wanted> all_wanted(std::size_t count) {
  std::vector<Wanted> list;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t high = i / 250;
    const std::size_t low = i % 250;
    list.push_back({Family::ipv4, fmt::format("225.7.{}.{}", high, low), ""});
    list.push_back({Family::ipv4, fmt::format("232.7.{}.{}", high, low), "10.9.0.1"});
    list.push_back({Family::ipv6, fmt::format("ff0e::7:{:x}", i), ""});
    list.push_back({Family::ipv6, fmt::format("ff3e::7:{:x}", i), "fd00:9::1"});
  }
  return list;
}

std::string lines_for(const std::vector<Wanted>& wanted) {
  std::string text = "phyint eth0\n";
  for (const Wanted& join : wanted) {
    text += join.source.empty()
                ? fmt::format("mgroup from eth0 group {}\n", join.group)
                : fmt::format("mgroup from eth0 source {} group {}\n", join.source, join.group);
  }
  return text;
}

sockaddr_storage storage_of(Family family, const std::string& text) {
  sockaddr_storage storage{};
  if (family == Family::ipv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    ::inet_pton(AF_INET, text.c_str(), &in.sin_addr);
    std::memcpy(&storage, &in, sizeof in);
  } else {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    ::inet_pton(AF_INET6, text.c_str(), &in6.sin6_addr);
    std::memcpy(&storage, &in6, sizeof in6);
  }
  return storage;
}

/// The calls a program cannot do without, with as many joins to a socket as the kernel's default
/// limits allow and its lists stay short with.
class BareJoins {
 public:
  BareJoins(const testing::NetNamespace& net, const std::string& interface) : net_(net) {
    index_ = static_cast<std::uint32_t>(net.index_of(interface));
  }

  Cost join(const std::vector<Wanted>& wanted) {
    prepare(wanted);
    const Stopwatch watch;
    for (Call& call : calls_) {
      Room& room = rooms_[call.level == IPPROTO_IP ? 0 : 1];
      if (room.used++ % room.per_socket == 0) open(call.level);
      call.socket = sockets_[room.last].get();
      carry_out(call, call.has_source ? MCAST_JOIN_SOURCE_GROUP : MCAST_JOIN_GROUP);
    }
    return watch.cost();
  }
  /// In the reverse order of joining.
  Cost leave() {
    const Stopwatch watch;
    for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
      carry_out(*call, call->has_source ? MCAST_LEAVE_SOURCE_GROUP : MCAST_LEAVE_GROUP);
    }
    while (!sockets_.empty()) sockets_.pop_back();
    return watch.cost();
  }

 private:
  struct Call {
    int level = 0;
    bool has_source = false;
    group_source_req request{};  ///< of which group_req is the beginning
    int socket = -1;
  };
  struct Room {
    std::size_t per_socket;
    std::size_t used = 0;
    std::size_t last = 0;
  };

  void prepare(const std::vector<Wanted>& wanted) {
    for (const Wanted& join : wanted) {
      Call call;
      call.level = join.family == Family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
      call.has_source = !join.source.empty();
      call.request.gsr_interface = index_;
      call.request.gsr_group = storage_of(join.family, join.group);
      if (call.has_source) call.request.gsr_source = storage_of(join.family, join.source);
      calls_.push_back(call);
    }
  }
  void open(int level) {
    net_.run([&] {
      sockets_.emplace_back(testing::check_call(
          ::socket(level == IPPROTO_IP ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0),
          "socket"));
    });
    rooms_[level == IPPROTO_IP ? 0 : 1].last = sockets_.size() - 1;
  }
  static void carry_out(const Call& call, int option) {
    group_req request{};
    request.gr_interface = call.request.gsr_interface;
    request.gr_group = call.request.gsr_group;
    const void* const argument =
        call.has_source ? static_cast<const void*>(&call.request) : &request;
    const auto size =
        static_cast<socklen_t>(call.has_source ? sizeof call.request : sizeof request);
    testing::check_call(::setsockopt(call.socket, call.level, option, argument, size),
                        "setsockopt");
  }

  const testing::NetNamespace& net_;
  std::uint32_t index_ = 0;
  std::vector<Call> calls_;
  std::vector<testing::Fd> sockets_;
  std::array<Room, 2> rooms_{{{20}, {256}}};
};

struct Round {
  Cost join = kNever;
  Cost leave_half = kNever;
  Cost leave = kNever;
  Cost come_back = kNever;
  Cost bare_join = kNever;
  Cost bare_leave = kNever;
  std::size_t missed = 0;
};

void measure_bare(Round& round, const std::vector<Wanted>& wanted) {
  const Stage stage;
  BareJoins bare(stage.router, "eth0");
  round.bare_join = best(round.bare_join, bare.join(wanted));
  round.bare_leave = best(round.bare_leave, bare.leave());
}

/// How many of the calls that joins and leaves take were not made; slots take a few besides.
std::size_t missed(std::uint64_t made, std::size_t needed) {
  return made < needed ? needed - made : 0;
}

void measure_ours(Round& round, const std::vector<Wanted>& wanted) {
  Stage stage;
  const testing::TempDir dir;
  std::vector<Wanted> half;
  for (std::size_t i = 0; i < wanted.size(); i += 2) half.push_back(wanted[i]);
  dir.write("all.conf", lines_for(wanted));
  dir.write("half.conf", lines_for(half));
  dir.write("none.conf", "phyint eth0\n");
  LiveRouter router(stage.router);
  // Sockets belong to the namespace of the thread that opens them.
  const auto load = [&](const char* file) {
    return stage.router.run([&] { return router.load(dir / file).total(); });
  };
  auto calls = [&, last = router.change_count()]() mutable {
    return router.change_count() - std::exchange(last, router.change_count());
  };
  round.join = best(round.join, load("all.conf"));
  round.missed += missed(calls(), wanted.size());
  stage.router.run([&] {
    stage.pull("eth0");
    router.follow();
    calls();
    stage.plug("eth0");
    const Stopwatch watch;
    router.follow();
    round.come_back = best(round.come_back, watch.cost());
  });
  round.missed += missed(calls(), wanted.size());
  round.leave_half = best(round.leave_half, load("half.conf"));
  round.missed += missed(calls(), wanted.size() - half.size());
  load("all.conf");
  calls();
  round.leave = best(round.leave, load("none.conf"));
  round.missed += missed(calls(), wanted.size());
}

}  // namespace

void measure_joins(Report& report, const Scale& scale) {
  const auto wanted = all_wanted(scale.joins);
  const auto twice = all_wanted(2 * scale.joins);
  Round once;
  Round doubled;
  for (unsigned i = 0; i < scale.repetitions; ++i) {
    Report::progress(fmt::format("{} joins, {} of {}", wanted.size(), i + 1, scale.repetitions));
    measure_bare(once, wanted);
    measure_ours(once, wanted);
    measure_bare(doubled, twice);
    measure_ours(doubled, twice);
  }
  const std::string what = fmt::format("{} joins", wanted.size());
  const char* const bare = "bare setsockopt loop";
  report.add({.what = what + " with the default limits",
              .ours = fmt::format("{} not made or not left", once.missed),
              .beside = {},
              .result = fmt::format("{}", once.missed),
              .budget = "0",
              .verdict = once.missed == 0 ? Verdict::met : Verdict::missed});
  report.add_ratio(what + ", file to joined, processor", once.join.processor,
                   once.bare_join.processor, bare, kBudget);
  report.add_ratio(what + ", interface comes back, processor", once.come_back.processor,
                   once.bare_join.processor, bare, kBudget);
  report.add_ratio(what + ", half left by reload, processor", once.leave_half.processor,
                   once.bare_leave.processor, bare, {});
  report.add_ratio(what + ", all left by reload, processor", once.leave.processor,
                   once.bare_leave.processor, bare, kBudget);
  report.add_ratio("leaving twice as many", doubled.leave.processor, once.leave.processor,
                   "leaving these", kLinear);
}

}  // namespace mcast::bench
