// SPDX-License-Identifier: BSD-2-Clause
//
// Whatever a file, a client or the network says: the daemon names the mistake and its place, goes
// on running, and what it had installed goes on forwarding.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

/// A daemon with one flow that runs throughout.
struct Victim {
  Lab lab;
  std::string good = mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1") +
                     mroute("eth0", "fd00:1::2", "ff1e::101", "eth1");
  Daemon daemon{lab.router(), good};
  Bystander v4{lab.sender, lab.first, "239.1.1.1"};
  Bystander v6{lab.sender, lab.first, "ff1e::101"};

  void check_unharmed() {
    CHECK(daemon.running());
    CHECK(v4.undisturbed());
    CHECK(v6.undisturbed());
    CHECK(daemon.ctl({"show", "interfaces"}).exit_code == 0);
  }
};

struct BadLine {
  const char* line;
  const char* column;  ///< where the mistake is
  const char* named;   ///< what the message has to name
};
constexpr BadLine kBadLines[] = {
    {"mrouet from eth0 source 10.1.0.2 group 239.1.1.7 to eth1", "1", "mroute"},
    {"mroute form eth0 source 10.1.0.2 group 239.1.1.7 to eth1", "8", "from"},
    {"mroute from eth0 source 10.1.0.x group 239.1.1.7 to eth1", "25", "10.1.0.x"},
    {"mroute from eth0 source 10.1.0.2 group 240.1.1.7 to eth1", "40", "240.1.1.7"},
    {"mroute from eth0 source 10.1.0.2 group 10.9.9.9 to eth1", "40", "10.9.9.9"},
    {"mroute from eth0 source 10.1.0.2 group 239.1.1.0/33 to eth1", "40", "/33"},
    {"mroute from eth0 source fd00:1::2 group ff1e::/129 to eth1", "41", "/129"},
    {"mroute from eth0 source fd00:1::2 group 239.1.1.7 to eth1", "25", "239.1.1.7"},
    {"mroute from eth0 source 239.1.1.1 group 239.1.1.7 to eth1", "25", "239.1.1.1"},
    {"mroute from abcdefghijklmnop source 10.1.0.2 group 239.1.1.7 to eth1", "13",
     "abcdefghijklmnop"},
    {"mroute from eth0 source 10.1.0.2 to eth1", "1", "group"},
    {"mroute from eth0 source 10.1.0.2 group", "34", "group"},
    {"mgroup from eth0 group 10.1.1.1", "24", "10.1.1.1"},
    {"phyint eth0 ttl-threshold 256", "27", "256"},
    {"phyint eth0 enalbe", "13", "enable"},
    {"include", "1", "include"},
};

TEST_CASE("each mistake in a line is named with file, line and column") {
  Victim victim;
  for (const BadLine& bad : kBadLines) {
    CAPTURE(std::string(bad.line));
    victim.daemon.write_config(victim.good + bad.line + "\n");
    const auto result = victim.daemon.ctl({"reload"});
    INFO(result);
    CHECK(result.exit_code == 78);
    CHECK(contains(result.err,
                   fmt::format("{}:3:{}: ", victim.daemon.config_file().string(), bad.column)));
    CHECK(contains(result.err, bad.named));
  }
  victim.check_unharmed();
}

TEST_CASE("several mistakes are reported in one run") {
  Victim victim;
  victim.daemon.write_config("mrouet x\nphyint eth0 ttl-threshold 0\nbogus\n");
  const auto result = victim.daemon.ctl({"reload"});
  INFO(result);
  CHECK(result.exit_code == 78);
  for (const char* place : {":1:1: ", ":2:27: ", ":3:1: "}) CHECK(contains(result.err, place));
  victim.check_unharmed();
}

TEST_CASE("lines that contradict each other are refused") {
  Victim victim;
  struct Pair {
    const char* lines;
    const char* named;
  };
  for (const Pair& pair :
       {Pair{"phyint eth1 enable\nphyint eth1 disable\n", "eth1"},
        Pair{"phyint eth1 ttl-threshold 4\nphyint eth1 ttl-threshold 5\n", "ttl-threshold"}}) {
    CAPTURE(std::string(pair.lines));
    victim.daemon.write_config(victim.good + pair.lines);
    const auto result = victim.daemon.ctl({"reload"});
    INFO(result);
    CHECK(result.exit_code == 78);
    CHECK(contains(result.err, ":4:"));
    CHECK(contains(result.err, pair.named));
  }
  victim.check_unharmed();
}

TEST_CASE("lines that repeat each other are remarked upon and do no harm") {
  Victim victim;
  victim.daemon.write_config(victim.good + victim.good);
  const auto result = victim.daemon.ctl({"reload"});
  INFO(result);
  CHECK(result.exit_code == 0);
  const std::string file = victim.daemon.config_file();
  for (const int line : {3, 4}) {
    CHECK(contains(result.err, fmt::format("mcastctl: {}:{}: warning: the same as {}:{}; ", file,
                                           line, file, line - 2)));
  }
  victim.check_unharmed();
}

TEST_CASE("files that cannot be read, or are no text, are refused") {
  Victim victim;
  const TempDir other;
  const std::string config = victim.daemon.config_file();
  const auto refuse = [&](const std::string& named) {
    const auto result = victim.daemon.ctl({"reload"});
    INFO(result);
    CHECK(result.exit_code != 0);
    CHECK(contains(result.err, named));
  };

  std::filesystem::create_directory(other / "folder");
  victim.daemon.write_config(fmt::format("include {}\n", (other / "folder").string()));
  refuse((other / "folder").string());

  victim.daemon.write_config(fmt::format("include {}\n", (other / "missing.conf").string()));
  refuse((other / "missing.conf").string());

  other.write("loop.conf", fmt::format("include {}\n", config));
  victim.daemon.write_config(fmt::format("include {}\n", (other / "loop.conf").string()));
  refuse("loop.conf");

  other.write("deep.conf", "\n\nmruote\n");
  victim.daemon.write_config(fmt::format("include {}\n", (other / "deep.conf").string()));
  refuse((other / "deep.conf").string() + ":3:1: ");

  std::string binary = "phyint eth0 enable\n";
  for (int i = 0; i < 4096; ++i) binary += static_cast<char>(i * 37);
  victim.daemon.write_config(binary);
  refuse(config + ":");

  victim.daemon.write_config("mroute from eth0 " + std::string(3'000'000, 'x') + "\n");
  refuse(config + ":1:");

  std::filesystem::remove(config);
  std::filesystem::create_directory(config);
  refuse(config);
  std::filesystem::remove(config);
  victim.check_unharmed();
}

TEST_CASE("an enormous file is refused without being read whole") {
  Victim victim;
  std::filesystem::resize_file(victim.daemon.config_file(), std::uintmax_t{8} << 30);
  const auto result = victim.daemon.ctl({"reload"});
  INFO(result);
  CHECK(result.exit_code != 0);
  CHECK(contains(result.err, victim.daemon.config_file().string()));
  victim.check_unharmed();
}

TEST_CASE(
    "a file that asks for more interfaces than there are slots keeps what fits, and says so") {
  Victim victim;
  std::string names;
  for (int i = 0; i < 40; ++i) {
    victim.lab.router().add_macvlan(fmt::format("mv{}", i), "eth2");
    names += fmt::format(" mv{}", i);
  }
  victim.daemon.write_config(victim.good + mroute("eth0", "10.1.0.2", "239.1.1.2", names));
  const auto result = victim.daemon.ctl({"reload"});
  INFO(result);
  CHECK(victim.daemon.eventually([&] {
    const auto pending = victim.daemon.ctl({"-p", "show", "pending"});
    return contains(pending.out, "239.1.1.2");
  }));
  CHECK(contains(victim.daemon.log(), "239.1.1.2"));
  victim.check_unharmed();
}

TEST_CASE("mistakes in commands are named and change nothing") {
  Victim victim;
  const std::vector<std::string> bad[] = {
      {"add", "eth0"},
      {"add", "eth0", "10.1.0.2"},
      {"add", "eth0", "10.1.0.2", "10.2.2.2", "eth1"},
      {"add", "eth0", "fd00:1::2", "239.1.1.7", "eth1"},
      {"add", "eth0", "10.1.0.2", "239.1.1.7/40", "eth1"},
      {"add", "abcdefghijklmnop", "10.1.0.2", "239.1.1.7", "eth1"},
      {"join", "eth0", "10.1.1.1"},
      {"join"},
      {"leave", "eth0"},
  };
  for (const auto& words : bad) {
    INFO(fmt::format("{}", fmt::join(words, " ")));
    const auto result = victim.daemon.ctl(words);
    INFO(result);
    CHECK(result.exit_code != 0);
    CHECK(result.err.starts_with("mcastctl: "));
  }
  victim.check_unharmed();
}

TEST_CASE("a mistake in a batch is named and nothing of the batch is done") {
  Victim victim;
  const auto result = victim.daemon.ctl(
      {"-b"}, "add eth0 10.1.0.2 239.5.5.5 eth1\nadd eth0 10.1.0.x 239.5.5.6 eth1\n");
  INFO(result);
  CHECK(result.exit_code != 0);
  CHECK(contains(result.err, "10.1.0.x"));
  CHECK_FALSE(contains(victim.daemon.ctl({"show"}).out, "239.5.5.5"));
  victim.check_unharmed();
}

/// Sends until the daemon hangs up or all is sent.
void push(const Fd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Waits for the daemon to answer or to hang up.
std::string answer(const Fd& socket) {
  pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, static_cast<int>(kPatience.count())) <= 0) return "(silence)";
  std::array<char, 4096> buffer{};
  const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
  return got <= 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(got));
}

TEST_CASE("malformed control messages are answered with an error or a hang-up") {
  Victim victim;
  using namespace std::string_literals;
  const std::string messages[] = {
      "\0"s,
      "garbage\0"s,
      "{\0"s,
      "[]\0"s,
      "{\"method\":17}\0"s,
      "{\"method\":\"\"}\0"s,
      "{\"method\":\"net.mcastd.control.NoSuchMethod\"}\0"s,
      "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":[]}\0"s,
      "\xff\xfe\x00\x01\0"s,
      std::string(100'000, '[') + "\0"s,
      "{\"method\":\"" + std::string(1'000'000, 'x') + "\"}\0"s,
  };
  for (const std::string& message : messages) {
    const Fd socket = victim.daemon.connect();
    push(socket, message);
    const std::string reply = answer(socket);
    CAPTURE(message.substr(0, 60));
    CHECK(reply != "(silence)");
    CHECK((reply.empty() || contains(reply, "error")));
  }
  victim.check_unharmed();
}

TEST_CASE("an endless control message is cut off") {
  Victim victim;
  const Fd socket = victim.daemon.connect();
  const std::string chunk(1 << 20, 'x');
  timeval patience{.tv_sec = 20, .tv_usec = 0};
  check_call(::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience),
             "SO_SNDTIMEO");
  bool cut_off = false;
  for (int i = 0; i < 256 && !cut_off; ++i)
    cut_off = ::send(socket.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL) < 0 &&
              (errno == EPIPE || errno == ECONNRESET);
  CHECK(cut_off);
  victim.check_unharmed();
}

TEST_CASE("a thousand clients at once, silent ones and such that hang up, delay nobody") {
  Victim victim;
  rlimit files{};
  check_call(::getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
  const rlimit before = files;
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
  check_call(::setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
  {
    std::vector<Fd> silent;
    silent.reserve(1000);
    for (int i = 0; i < 1000; ++i) silent.push_back(victim.daemon.connect());
    CHECK(victim.daemon.ctl({"show", "routes"}).exit_code == 0);
    CHECK(victim.daemon.ctl({"add", "eth0", "10.1.0.2", "239.1.1.2", "eth1"}).exit_code == 0);
    Flow added(victim.lab.sender, victim.lab.first, "239.1.1.2");
    CHECK(added.passes());
    for (int i = 0; i < 1000; i += 2)
      push(silent[static_cast<std::size_t>(i)], "{\"method\":\"org.varlink");
  }
  for (int i = 0; i < 1000; ++i) push(victim.daemon.connect(), "{\"met");
  CHECK(victim.daemon.ctl({"show", "routes"}).exit_code == 0);
  check_call(::setrlimit(RLIMIT_NOFILE, &before), "setrlimit");
  victim.check_unharmed();
}

}  // namespace
}  // namespace mcast::testing
