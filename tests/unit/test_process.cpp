// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "platform/posix/process.hpp"
#include "tests/support/skip.hpp"

using namespace mcast;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "mcast-process-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    fs::permissions(path_, fs::perms(0755));
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string file(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The exit code of a child that runs `body`, or -1.
int exit_code_of(const std::function<int()>& body) {
  const pid_t child = ::fork();
  // An exception must not get back into the test program's copy.
  if (child == 0) [&]() noexcept { ::_exit(body()); }();
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string own_id() {
  return std::to_string(::getpid()) + "\n";
}

}  // namespace

TEST_CASE("a pid file lives as long as its object and replaces a stale one") {
  const Folder folder;
  const auto path = folder.file("pid");
  std::ofstream(path) << "123456789012\nleft behind\n";
  {
    const auto file = platform::PidFile::create(path);
    REQUIRE(file);
    CHECK(content(path) == own_id());
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("touching a pid file sets its time and keeps its content") {
  const Folder folder;
  const auto path = folder.file("pid");
  auto file = platform::PidFile::create(path);
  REQUIRE(file);
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  fs::last_write_time(path, old);
  file->touch();
  CHECK(fs::last_write_time(path) > old + std::chrono::minutes(30));
  CHECK(content(path) == own_id());
}

TEST_CASE("a pid file that another process has put in place is not removed") {
  const Folder folder;
  const auto path = folder.file("pid");
  {
    const auto file = platform::PidFile::create(path);
    REQUIRE(file);
    fs::remove(path);
    std::ofstream(path) << "1\n";
  }
  CHECK(content(path) == "1\n");
}

TEST_CASE("a pid file that cannot be made says which and why") {
  const auto refused = platform::PidFile::create("/nonexistent/folder/pid");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::os);
  CHECK(refused.error().message.find("/nonexistent/folder/pid") != std::string::npos);
}

TEST_CASE("accounts are found by name and number, with and without a group") {
  const auto root = platform::find_account("root");
  REQUIRE(root);
  CHECK(root->uid == 0);
  CHECK(root->gid == 0);
  CHECK(platform::find_account("0")->user == "root");
  CHECK(platform::find_account("root:12345")->gid == 12345);
  const auto unknown = platform::find_account("no-such-user-here");
  CHECK(unknown.error().code == ErrorCode::not_found);
  CHECK(unknown.error().message.find("no-such-user-here") != std::string::npos);
  CHECK(platform::find_account("root:no-such-group").error().code == ErrorCode::not_found);
  CHECK_FALSE(platform::find_account("root:4294967295"));
  CHECK_FALSE(platform::find_account("root:"));
  CHECK_FALSE(platform::find_account(""));
}

TEST_CASE("every system lets root route multicast") {
  CHECK(platform::check_account(*platform::find_account("root")));
}

TEST_CASE("dropped privileges do not come back, and the pid file can still be touched") {
  if (::geteuid() != 0) MCAST_SKIP("becoming another user needs root");
  const auto nobody = platform::find_account("nobody");
  REQUIRE(nobody);
  const Folder folder;
  const auto path = folder.file("pid");
  const int code = exit_code_of([&] {
    auto file = platform::PidFile::create(path);
    if (!file) return 1;
    if (!platform::drop_privileges(*nobody)) return 2;
    if (::getuid() != nobody->uid || ::geteuid() != nobody->uid) return 3;
    if (::getgid() != nobody->gid || ::getegid() != nobody->gid) return 4;
    if (::setuid(0) == 0 || ::setgid(0) == 0) return 5;
    // Files of others are as closed as to anybody: CAP_DAC_OVERRIDE is gone.
    if (::open(path.c_str(), O_WRONLY | O_CLOEXEC) >= 0) return 6;
    const auto old = fs::last_write_time(path);
    do {
      file->touch();
    } while (fs::last_write_time(path) == old);
    return 0;
  });
  CHECK(code == 0);
  // The folder is not nobody's, so it could only be emptied.
  CHECK(content(path).empty());
}

TEST_CASE("the waiting process exits as the detached one reports") {
  const auto start = [](const std::function<void(platform::Readiness&)>& daemon) {
    return exit_code_of([&] {
      auto readiness = platform::detach();
      if (!readiness) return 99;
      daemon(*readiness);
      return 0;
    });
  };
  CHECK(start([](auto& readiness) { readiness.ready(); }) == 0);
  CHECK(start([](auto& readiness) { readiness.failed(69); }) == 69);
  CHECK(start([](auto&) { ::_exit(0); }) == 70);
  CHECK(start([](auto&) { std::raise(SIGKILL); }) == 70);
}

TEST_CASE("a detached process has a session of its own and lets go of the terminal when ready") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const platform::UniqueFd in(ends[0]);
  platform::UniqueFd out(ends[1]);
  const pid_t session = ::getsid(0);
  const int code = exit_code_of([&] {
    auto readiness = platform::detach();
    if (!readiness) return 99;
    readiness->ready();
    struct stat null_device{};
    struct stat error_stream{};
    ::stat("/dev/null", &null_device);
    ::fstat(STDERR_FILENO, &error_stream);
    const bool detached = ::getsid(0) != session && ::getsid(0) != ::getpid() &&
                          fs::current_path() == "/" && null_device.st_rdev == error_stream.st_rdev;
    const char verdict = detached ? '+' : '-';
    static_cast<void>(!::write(out.get(), &verdict, 1));
    return 0;
  });
  CHECK(code == 0);
  out.reset();
  char verdict = 0;
  REQUIRE(::read(in.get(), &verdict, 1) == 1);
  CHECK(verdict == '+');
}

TEST_CASE("a process knows the file that it runs") {
  const fs::path path = platform::executable_path();
  CHECK(path.is_absolute());
  CHECK(path.filename() == "unit_process");
  CHECK(fs::exists(path));
}

TEST_CASE("a confined process can use its connection and its standard streams") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  REQUIRE(::send(ends[1], "q", 1, 0) == 1);
  const int code = exit_code_of([&] {
    if (!platform::confine_to(ends[0])) return 1;
    char letter = 0;
    if (::recv(ends[0], &letter, 1, 0) != 1 || letter != 'q') return 2;
    if (::send(ends[0], "a", 1, 0) != 1) return 3;
    if (::write(STDERR_FILENO, "", 0) != 0) return 4;
    pollfd waiting{.fd = ends[0], .events = POLLOUT, .revents = 0};
    if (::poll(&waiting, 1, 0) != 1) return 5;
    // Twice does no harm.
    if (!platform::confine_to(ends[0])) return 6;
#ifdef ECAPMODE
    if (::open("/dev/null", O_RDONLY) >= 0 || errno != ECAPMODE) return 7;
#endif
    return 0;
  });
  CHECK(code == 0);
  char answer = 0;
  CHECK(::recv(ends[1], &answer, 1, MSG_DONTWAIT) == 1);
  CHECK(answer == 'a');
  ::close(ends[0]);
  ::close(ends[1]);
}
