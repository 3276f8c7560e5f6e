// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/daemon.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace mcast::testing {
namespace {

constexpr Duration kAskAgain{10};

Fd open_pidfd(pid_t pid) {
  return Fd(check_call(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), "pidfd_open"));
}

bool ended(const Fd& pidfd, Duration patience) {
  pollfd wait{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, static_cast<int>(patience.count())) > 0;
}

/// Negative if the file does not hold a process id, or not yet: some daemons fill it in later.
pid_t read_pid(const std::filesystem::path& path) {
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  pid_t pid = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const bool whole = status == std::errc() && end != text.data() + text.size() && *end == '\n';
  return whole ? pid : -1;
}

/// Negative if `process` ends or time is over before a process id is there.
pid_t await_pid(const std::filesystem::path& file, DirectoryWatch& watch, Process& process,
                bool process_must_stay) {
  const auto deadline = Clock::now() + kPatience;
  for (;;) {
    if (const pid_t pid = read_pid(file); pid > 1) return pid;
    const auto left = std::chrono::ceil<Duration>(deadline - Clock::now());
    if (left.count() <= 0 || (process_must_stay && !process.running())) return -1;
    std::array<pollfd, 2> events{
        pollfd{.fd = watch.fd(), .events = POLLIN, .revents = 0},
        pollfd{.fd = process_must_stay ? process.pidfd() : -1, .events = POLLIN, .revents = 0}};
    ::poll(events.data(), events.size(), static_cast<int>(left.count()));
    watch.drain();
  }
}

}  // namespace

std::string built_program(std::string_view name) {
  if (name.contains('/')) return std::string(name);
  return fmt::format("{}/{}", MCAST_PROGRAM_DIR, name);
}

Daemon::Daemon(const NetNamespace& router, std::string_view configuration, Options options)
    : router_(&router), options_(std::move(options)) {
  write_config(configuration);
  std::vector<std::string> arguments{built_program(options_.program),
                                     "-f",
                                     config_file(),
                                     "-u",
                                     socket_file(),
                                     "-P",
                                     pid_file(),
                                     "-l",
                                     options_.log_level};
  if (!options_.detach) arguments.emplace_back("-n");
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  start(arguments);
}

void Daemon::start(const std::vector<std::string>& arguments) {
  DirectoryWatch watch(dir_.path());
  if (options_.detach) become_subreaper();
  process_ = std::make_unique<Process>(*router_, arguments);
  if (options_.detach) {
    const auto status = process_->wait();
    if (!status || status->code != 0)
      throw std::runtime_error(fmt::format("{} did not detach: {}", options_.program, log()));
  }
  pid_ = await_pid(pid_file(), watch, *process_, !options_.detach);
  if (pid_ < 0)
    throw std::runtime_error(fmt::format("{} did not become ready:\n{}", options_.program, log()));
  pidfd_ = open_pidfd(pid_);
}

Daemon::~Daemon() {
  if (pid_ <= 0 || status_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGTERM, nullptr, 0);
  if (!ended(pidfd_, kPatience))
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  if (options_.detach) ::waitpid(pid_, nullptr, 0);
}

bool Daemon::running() const {
  return !status_ && !ended(pidfd_, Duration{0});
}

void Daemon::signal(int number) const {
  check_call(static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0)),
             "signal the daemon");
}

std::optional<ExitStatus> Daemon::wait(Duration patience) {
  if (status_) return status_;
  if (!options_.detach) {
    status_ = process_->wait(patience);
    return status_;
  }
  if (!ended(pidfd_, patience)) return std::nullopt;
  int raw = 0;
  if (::waitpid(pid_, &raw, 0) == pid_ && WIFEXITED(raw))
    status_ = ExitStatus{.code = WEXITSTATUS(raw), .signal = 0};
  else
    status_ = ExitStatus{};
  return status_;
}

std::string Daemon::log() const {
  return process_->err() + process_->out();
}

ProgramResult Daemon::ctl(const std::vector<std::string>& arguments, std::string_view input) const {
  return ctl_as("mcastctl", arguments, input);
}

ProgramResult Daemon::ctl_as(std::string_view program, const std::vector<std::string>& arguments,
                             std::string_view input) const {
  std::vector<std::string> all{built_program(program), "-u", socket_file()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(*router_, all, input);
}

Fd Daemon::connect() const {
  Fd socket(check_call(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_file().c_str(), sizeof address.sun_path - 1);
  check_call(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
             "connect to the control socket");
  return socket;
}

bool Daemon::pause_ends_it() const {
  return ended(pidfd_, kAskAgain);
}

}  // namespace mcast::testing
