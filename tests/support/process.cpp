// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>

namespace mcast::testing {
namespace {

std::string read_all(const Fd& file) {
  std::string text;
  std::array<char, 8192> chunk{};
  for (;;) {
    // pread: the offset is shared with the writer.
    const ssize_t got =
        ::pread(file.get(), chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got < 0) throw_errno("pread");
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

Fd make_buffer(const char* name) {
  Fd buffer(check_call(::memfd_create(name, MFD_CLOEXEC), "memfd_create"));
  // Several processes may write to it: append, or they would overwrite each other.
  check_call(::fcntl(buffer.get(), F_SETFL, O_APPEND), "fcntl");
  return buffer;
}

/// Only async-signal-safe calls: other threads may hold any lock at the time of the fork.
[[noreturn]] void become_program(int network, const std::array<int, 3>& standard, char** arguments,
                                 pid_t parent, Privilege privilege) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent || ::setns(network, CLONE_NEWNET) < 0) ::_exit(126);
  for (int target = 0; target < 3; ++target)
    ::dup2(standard[static_cast<std::size_t>(target)], target);
  if (privilege == Privilege::none) {
    // What the bounding set lacks, root does not get when it executes a program.
    for (unsigned long capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;)
      ++capability;
  }
  // The test's own handlers must not run here, however early a signal comes.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(arguments[0], arguments);
  ::_exit(127);
}

ExitStatus decode(int raw) {
  if (WIFEXITED(raw)) return {.code = WEXITSTATUS(raw), .signal = 0};
  return {.code = -1, .signal = WTERMSIG(raw)};
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "mcast-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("mkdtemp " + pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void TempDir::write(std::string_view name, std::string_view text) const {
  const auto target = path_ / name;
  const auto draft = path_ / (std::string(name) + ".new");
  std::ofstream file(draft, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + draft.string());
  std::filesystem::rename(draft, target);
}

DirectoryWatch::DirectoryWatch(const std::filesystem::path& directory)
    : fd_(check_call(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC), "inotify_init1")) {
  check_call(::inotify_add_watch(fd_.get(), directory.c_str(),
                                 IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB | IN_DELETE),
             "inotify_add_watch");
}

void DirectoryWatch::drain() {
  alignas(inotify_event) std::array<char, 4096> events{};
  while (::read(fd_.get(), events.data(), events.size()) > 0) {
  }
}

std::ostream& operator<<(std::ostream& out, const ExitStatus& status) {
  if (status.signal != 0) return out << "signal " << status.signal;
  return out << "exit code " << status.code;
}

Process::Process(const NetNamespace& where, const std::vector<std::string>& arguments,
                 std::string_view input, Privilege privilege)
    : input_(check_call(::memfd_create("input", MFD_CLOEXEC), "memfd_create")),
      out_(make_buffer("stdout")),
      err_(make_buffer("stderr")) {
  if (::write(input_.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    throw_errno("write input");
  check_call(static_cast<int>(::lseek(input_.get(), 0, SEEK_SET)), "lseek");
  std::vector<std::string> copies = arguments;
  std::vector<char*> pointers;
  pointers.reserve(copies.size() + 1);
  for (std::string& copy : copies) pointers.push_back(copy.data());
  pointers.push_back(nullptr);

  const pid_t parent = ::getpid();
  const std::array standard{input_.get(), out_.get(), err_.get()};
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_ = ::fork();
  if (pid_ == 0) become_program(where.fd(), standard, pointers.data(), parent, privilege);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  check_call(pid_, "fork");
  // glibc 2.36 declares pidfd_open() without C linkage.
  pidfd_ = Fd(check_call(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), "pidfd_open"));
}

Process::~Process() {
  if (status_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Process::running() {
  return !wait(Duration{0});
}

void Process::signal(int number) const {
  if (!status_) check_call(::kill(pid_, number), "kill");
}

std::optional<ExitStatus> Process::wait(Duration patience) {
  if (status_) return status_;
  const auto deadline = Clock::now() + patience;
  pollfd wait{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::max(std::chrono::ceil<Duration>(deadline - Clock::now()), Duration{0});
    const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (check_call(ready, "poll") == 0) return std::nullopt;
    int raw = 0;
    check_call(::waitpid(pid_, &raw, 0), "waitpid");
    status_ = decode(raw);
    return status_;
  }
}

std::string Process::out() const {
  return read_all(out_);
}
std::string Process::err() const {
  return read_all(err_);
}

std::ostream& operator<<(std::ostream& out, const ProgramResult& result) {
  return out << "exit code " << result.exit_code << "\nstdout: " << result.out
             << "\nstderr: " << result.err;
}

ProgramResult run_program(const NetNamespace& where, const std::vector<std::string>& arguments,
                          std::string_view input, Duration patience, Privilege privilege) {
  Process process(where, arguments, input, privilege);
  const auto status = process.wait(patience);
  return {.exit_code = status ? status->code : -1, .out = process.out(), .err = process.err()};
}

void become_subreaper() {
  check_call(::prctl(PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER");
}

}  // namespace mcast::testing
