// SPDX-License-Identifier: BSD-2-Clause
//
// Runs the cases on a FreeBSD system, beside whatever else runs there, or as the only process of a
// machine. For the latter the program is /sbin/init of a file system that may be read-only and
// holds, beside it, an empty directory /dev (where the kernel puts its devices),
// /libexec/ld-elf.so.1 and, in /lib, the libraries that `readelf -d` names: libc.so.7, libthr.so.3
// and what these need, which since FreeBSD 15 is libsys.so.7. An image of ISO 9660 or UFS will do
// that the loader puts into memory. The program is large until strip(1) has taken what debuggers
// want. Lines for loader.conf(5):
//
//     ip_mroute_load="YES"
//     ip6_mroute_load="YES"
//     if_epair_load="YES"
//     root_load="YES"                    # the image, as a memory disk
//     root_type="mfs_root"
//     root_name="/boot/root.img"
//     vfs.root.mountfrom="cd9660:/dev/md0"
//     vfs.root.mountfrom.options="ro"
//     init_path="/sbin/init"
//     console="comconsole"
//     mcastd.tests="--timeout 60"        # options, as --help names them
//
// It writes to the console only, and to no file. A line is printed before each case, so that the
// last one names the case that a kernel has died in.
#include <fcntl.h>
#include <kenv.h>
#include <sys/param.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "tests/bsd/jail.hpp"
#include "tests/bsd/net_control.hpp"
#include "tests/bsd/options.hpp"
#include "tests/bsd/runner.hpp"
#include "tests/bsd/state_report.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

constexpr int kUsage = 64;
constexpr std::array kCrashes{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

bool is_init() {
  return ::getpid() == 1;
}

[[noreturn]] void power_off() {
  std::fflush(stdout);
  // The kernel halts where it cannot switch the power off, instead of starting anew.
  ::reboot(RB_POWEROFF | RB_HALT);
  std::perror("reboot");
  ::reboot(RB_HALT);
  while (true) ::pause();
}

/// The kernel starts process 1 without any descriptor.
void take_console() {
  ::setsid();
  // It is not to wait for a terminal to be connected.
  const int console = ::open("/dev/console", O_RDWR | O_NONBLOCK | O_NOCTTY);
  if (console < 0) return;
  ::fcntl(console, F_SETFL, ::fcntl(console, F_GETFL) & ~O_NONBLOCK);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (descriptor != console) ::dup2(console, descriptor);
  }
  if (console > STDERR_FILENO) ::close(console);
}

/// The kernel ignores what would end any other process, and a process 1 that crashes would crash
/// again and again.
void power_off_on_crash() {
  for (const int number : kCrashes) {
    ::signal(number, [](int signal) {
      if (!is_init()) {
        // A process made by it, which dies as usual.
        ::signal(signal, SIG_DFL);
        ::raise(signal);
        return;
      }
      constexpr char kWhat[] = "the runner itself has crashed\n";
      static_cast<void>(::write(STDOUT_FILENO, kWhat, sizeof kWhat - 1));
      ::reboot(RB_POWEROFF | RB_HALT);
    });
  }
}

std::vector<std::string> kernel_words(const char* name) {
  std::array<char, 1024> value{};
  if (::kenv(KENV_GET, name, value.data(), static_cast<int>(value.size()) - 1) < 0) return {};
  return split_words(value.data());
}

/// A setting of the system that is as before afterwards.
class KeptSetting {
 public:
  explicit KeptSetting(const char* name) : name_(name), before_(read_number(name)) {}
  ~KeptSetting() {
    try {
      if (before_) write_number(name_, static_cast<std::int32_t>(*before_));
    } catch (const std::exception& problem) {
      fmt::print("{}\n", problem.what());
    }
  }
  KeptSetting(const KeptSetting&) = delete;
  KeptSetting& operator=(const KeptSetting&) = delete;

 private:
  const char* name_;
  std::optional<std::int64_t> before_;
};

/// Cases are run in the network of this process.
class OwnNetwork : public Surroundings {
 public:
  void enter() override {
    for (const int number : kCrashes) ::signal(number, SIG_DFL);
    tell_state_on_failure();
  }
  void describe() override { print_state(); }
  void clean_up() override {
    // Before the jails, from where other ends of cables would come back otherwise.
    destroy_left();
    remove_jails();
  }

 protected:
  static void destroy_left() {
    for (const auto& name : interfaces_of_tests()) {
      // One may have gone with the other end of its cable.
      if (index_of_interface(name) == 0) continue;
      fmt::print("a case has left the interface {}\n", name);
      try {
        destroy_interface(name);
      } catch (const std::exception& problem) {
        fmt::print("{}\n", problem.what());
      }
    }
  }
};

/// Each case is run in a jail of its own.
class JailedNetwork final : public OwnNetwork {
 public:
  void prepare() override {
    constexpr int kHosts = 64;
    jail_ = make_jail(kHosts);
  }
  void enter() override {
    OwnNetwork::enter();
    enter_jail(jail_);
    settle_network();
  }
  void describe() override {
    enter_jail(jail_);
    OwnNetwork::describe();
  }
  void clean_up() override {
    try {
      fmt::print("{}", ask_in_jail(jail_, [] {
                   destroy_left();
                   return std::string();
                 }));
    } catch (const std::exception& problem) {
      fmt::print("{}\n", problem.what());
    }
    OwnNetwork::clean_up();
  }

 private:
  int jail_ = -1;
};

int run(const Options& options) {
  if (options.help) {
    fmt::print("{}", usage());
    return 0;
  }
  if (options.list) {
    for (const auto& test : list_cases(options)) fmt::print("{}\n", test.name);
    return 0;
  }
  if (::geteuid() != 0) {
    fmt::print(stderr, "bsd_tests: makes interfaces and jails, which only root may\n");
    return kAllSkipped;
  }
  for (const char* module : {"ip_mroute", "ip6_mroute", "if_epair"}) {
    fmt::print("module {}\n", load_module(module));
  }
  print_system();
  if (options.jail) {
    JailedNetwork surroundings;
    return exit_code(run_cases(options, surroundings));
  }
  const KeptSetting detection("net.inet6.ip6.dad_count");
  const KeptSetting link_local("net.inet6.ip6.auto_linklocal");
  settle_network();
  OwnNetwork surroundings;
  return exit_code(run_cases(options, surroundings));
}

int run_words(const std::vector<std::string>& words, bool& poweroff) {
  const auto options = parse_options(words);
  if (!options) {
    fmt::print(stderr, "bsd_tests: {}\n", options.error().message);
    return kUsage;
  }
  poweroff = poweroff || options->poweroff;
  try {
    return run(*options);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "bsd_tests: {}\n", problem.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool poweroff = is_init();
  if (is_init()) {
    take_console();
    power_off_on_crash();
  }
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  const std::vector<std::string> words =
      is_init() ? kernel_words("mcastd.tests") : std::vector<std::string>(argv + 1, argv + argc);
  const int result = run_words(words, poweroff);
  if (poweroff) power_off();
  return result;
}
