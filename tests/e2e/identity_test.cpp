// SPDX-License-Identifier: BSD-2-Clause
//
// The names, files and habits of the programs that are replaced. Default files live in /run, so
// this program has a /run of its own.
#include <doctest/doctest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <fstream>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

/// Needs the privilege that the first namespace brings.
void have_own_run_directory() {
  static const bool done = [] {
    check_call(::unshare(CLONE_NEWNS), "unshare");
    check_call(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mount / private");
    check_call(::mount("run", "/run", "tmpfs", 0, "mode=755"), "mount /run");
    // And a system log, with the one device that programs need.
    std::filesystem::create_directory("/run/dev");
    std::ofstream("/run/dev/null").close();
    check_call(::mount("/dev/null", "/run/dev/null", nullptr, MS_BIND, nullptr), "bind /dev/null");
    check_call(::mount("/run/dev", "/dev", nullptr, MS_BIND | MS_REC, nullptr), "bind /dev");
    become_subreaper();
    return true;
  }();
  static_cast<void>(done);
}

struct OldLab : Lab {
  TempDir dir;
  OldLab() { have_own_run_directory(); }
  /// A test that failed half way leaves its daemon to us.
  ~OldLab() {
    for (const auto& folder : {std::filesystem::path("/run"), dir.path()}) {
      for (const auto& file : std::filesystem::directory_iterator(folder)) {
        pid_t pid = -1;
        if (file.path().extension() != ".pid" || !(std::ifstream(file.path()) >> pid)) continue;
        if (::kill(pid, SIGTERM) == 0) ::waitpid(pid, nullptr, 0);
      }
    }
  }
  OldLab(const OldLab&) = delete;
  OldLab& operator=(const OldLab&) = delete;

  ProgramResult run(const std::string& program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), built_program(program));
    return run_program(router(), arguments);
  }
};

void wait_until_gone(const std::filesystem::path& file) {
  DirectoryWatch watch(file.parent_path());
  const auto deadline = Clock::now() + kPatience;
  while (std::filesystem::exists(file) && Clock::now() < deadline) {
    pollfd wait{.fd = watch.fd(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, static_cast<int>(kPatience.count()));
    watch.drain();
  }
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("smcrouted detaches under an identity, and its client adds routes at once") {
  OldLab lab;
  lab.router().set_down("eth0");
  lab.router().set_down("eth1");
  lab.dir.write("pim.conf", "phyint eth0 enable\nphyint eth1 enable\n");
  const auto start = lab.run(
      "smcrouted", {"-N", "-I", "pimd", "-f", lab.dir / "pim.conf", "-P", lab.dir / "pim.pid"});
  INFO(start);
  REQUIRE(start.exit_code == 0);
  const auto add =
      lab.run("smcroutectl", {"-I", "pimd", "add", "eth0", "10.1.0.2", "239.1.1.1", "eth1"});
  INFO(add);
  CHECK(add.exit_code == 0);
  CHECK(std::filesystem::exists("/run/pimd.sock"));
  lab.router().set_up("eth0");
  lab.router().set_up("eth1");
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK(lab.run("smcroutectl", {"-I", "pimd", "remove", "eth0", "10.1.0.2", "239.1.1.1", "eth1"})
            .exit_code == 0);
  CHECK(lab.run("smcroutectl", {"-I", "pimd", "kill"}).exit_code == 0);
  CHECK_FALSE(std::filesystem::exists("/run/pimd.sock"));
  wait_until_gone(lab.dir / "pim.pid");
}

/// What is sent to the system's log while it lives.
class SystemLog {
 public:
  SystemLog() {
    have_own_run_directory();
    std::filesystem::remove(address_.sun_path);
    check_call(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_),
               "bind /dev/log");
  }
  /// The next message; empty when time is over.
  std::string next() {
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(kPatience.count())) <= 0) return {};
    std::array<char, 4096> text{};
    const ssize_t size = ::recv(socket_.get(), text.data(), text.size(), 0);
    return size <= 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  Fd socket_{check_call(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket")};
  sockaddr_un address_{.sun_family = AF_UNIX, .sun_path = "/dev/log"};
};

TEST_CASE("the system's log knows an instance by its identity") {
  SystemLog log;
  OldLab lab;
  lab.dir.write("a.conf", "");
  struct Names {
    std::vector<std::string> options;
    std::string identity;
  };
  for (const Names& names : {Names{{}, "smcroute"}, Names{{"-I", "lan"}, "lan"}}) {
    CAPTURE(names.identity);
    std::vector<std::string> words{"-N", "-l", "info", "-f", lab.dir / "a.conf"};
    words.insert(words.end(), names.options.begin(), names.options.end());
    REQUIRE(lab.run("smcrouted", words).exit_code == 0);
    REQUIRE(lab.run("smcroutectl", {"-i", names.identity, "reload"}).exit_code == 0);
    std::string message;
    do {
      message = log.next();
    } while (!message.empty() && !contains(message, "reloaded"));
    CAPTURE(message);
    CHECK(contains(message, fmt::format(" {}[", names.identity)));
    CHECK(lab.run("smcroutectl", {"-i", names.identity, "kill"}).exit_code == 0);
    wait_until_gone(fmt::format("/run/{}.pid", names.identity));
  }
}

TEST_CASE("each name has its own default files") {
  struct Names {
    const char* daemon;
    const char* client;
    const char* identity;
  };
  for (const Names& names :
       {Names{"smcrouted", "smcroutectl", "smcroute"}, Names{"mcastd", "mcastctl", "mcastd"}}) {
    CAPTURE(std::string(names.daemon));
    OldLab lab;
    lab.dir.write("a.conf", mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"));
    REQUIRE(lab.run(names.daemon, {"-N", "-f", lab.dir / "a.conf"}).exit_code == 0);
    const auto run = std::filesystem::path("/run");
    CHECK(std::filesystem::exists(run / (std::string(names.identity) + ".sock")));
    CHECK(std::filesystem::exists(run / (std::string(names.identity) + ".pid")));
    const auto show = lab.run(names.client, {"-p", "-t", "show"});
    CHECK(show.exit_code == 0);
    CHECK(contains(show.out, "(10.1.0.2, 239.1.1.1)"));
    CHECK(lab.run(names.client, {"kill"}).exit_code == 0);
    wait_until_gone(run / (std::string(names.identity) + ".pid"));
  }
}

TEST_CASE("the front end hands the daemon its options, and talks to the daemon they make") {
  OldLab lab;
  lab.dir.write("a.conf", "");
  const auto start =
      lab.run("smcroute", {"-d", "-N", "-c", "30", "-I", "lan", "-l", "err", "-f",
                           lab.dir / "a.conf", "-a", "eth0", "10.1.0.2", "239.1.1.1", "eth1"});
  INFO(start);
  REQUIRE(start.exit_code == 0);
  Flow flow(lab.sender, lab.first, "239.1.1.1");
  CHECK(flow.passes());
  CHECK_FALSE(std::filesystem::exists("/run/smcroute.sock"));
  CHECK(lab.run("smcroutectl", {"-I", "lan", "kill"}).exit_code == 0);
  wait_until_gone("/run/lan.pid");
}

TEST_CASE("the 1.99 front end starts the daemon, sends its changes in order and stops it") {
  OldLab lab;
  lab.dir.write("a.conf", "");
  const auto start = lab.run("smcroute", {"-d", "-f", lab.dir / "a.conf", "-a", "eth0", "10.1.0.2",
                                          "239.1.1.1", "eth1", "eth2", "-a", "eth0", "10.1.0.2",
                                          "239.1.1.2", "eth1", "-j", "eth0", "239.1.1.1"});
  INFO(start);
  REQUIRE(start.exit_code == 0);
  Flow first(lab.sender, lab.first, "239.1.1.1");
  Flow second(lab.sender, lab.second, "239.1.1.1");
  Flow removed(lab.sender, lab.first, "239.1.1.2");
  CHECK(first.passes());
  CHECK(second.passes());
  CHECK(removed.passes());
  CHECK(contains(lab.router().read_proc_net("igmp"), "010101EF"));
  const auto change =
      lab.run("smcroute", {"-r", "eth0", "10.1.0.2", "239.1.1.2", "-l", "eth0", "239.1.1.1"});
  INFO(change);
  CHECK(change.exit_code == 0);
  CHECK(removed.blocked(first));
  CHECK_FALSE(contains(lab.router().read_proc_net("igmp"), "010101EF"));
  CHECK(lab.run("smcroute", {"-r", "eth0", "10.1.0.2", "239.9.9.9"}).exit_code != 0);
  CHECK(lab.run("smcroute", {"-k"}).exit_code == 0);
  wait_until_gone("/run/smcroute.pid");
  CHECK(lab.run("smcroute", {"-k"}).exit_code != 0);
}

}  // namespace
}  // namespace mcast::testing
