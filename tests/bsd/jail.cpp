// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/jail.hpp"

#include <sys/param.h>
// Others need sys/param.h before them.
#include <sys/jail.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/fd.hpp"
#include "tests/support/skip.hpp"

namespace mcast::testing {
namespace {

constexpr std::string_view kPrefix = "mcastd_test_";

/// Name and value pairs as jail_set(2) and jail_get(2) take them. What is added has to stay.
class Parameters {
 public:
  void flag(const char* name) {
    add_text(name);
    parts_.push_back({nullptr, 0});
  }
  void text(const char* name, const std::string& value) {
    add_text(name);
    add_text(value.c_str());
  }
  void number(const char* name, int& value) {
    add_text(name);
    parts_.push_back({&value, sizeof value});
  }
  template <std::size_t Size>
  void room(const char* name, std::array<char, Size>& value) {
    add_text(name);
    parts_.push_back({value.data(), Size});
  }
  [[nodiscard]] iovec* data() { return parts_.data(); }
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(parts_.size()); }

 private:
  void add_text(const char* text) {
    // The calls take no pointer to const, and write only into what room() and number() gave.
    parts_.push_back({const_cast<char*>(text), std::string_view(text).size() + 1});
  }
  std::vector<iovec> parts_;
};

/// Names of jails that are still dying are not free.
std::string next_name() {
  static unsigned made = 0;
  return fmt::format("{}{}_{}", kPrefix, ::getpid(), ++made);
}

int create(Parameters parameters) {
  const std::string name = next_name();
  const std::string path = "/";
  std::array<char, 256> why{};
  parameters.text("name", name);
  parameters.text("path", path);
  parameters.text("host.hostname", name);
  parameters.flag("persist");
  parameters.room("errmsg", why);
  const int id = ::jail_set(parameters.data(), parameters.size(), JAIL_CREATE);
  if (id >= 0) return id;
  const std::string_view said = why.data();
  if (errno == EINVAL && said.contains("vnet")) {
    MCAST_SKIP("the kernel has no VNET jails: options VIMAGE");
  }
  throw_errno(fmt::format("jail_set: {}", said));
}

}  // namespace

int make_jail(int children) {
  int vnet = JAIL_SYS_NEW;
  Parameters parameters;
  parameters.number("vnet", vnet);
  if (children > 0) parameters.number("children.max", children);
  return create(std::move(parameters));
}

int make_shared_jail() {
  return create({});
}

void remove_jail(int jail) {
  if (::jail_remove(jail) != 0) std::perror("jail_remove");
}

Jail::~Jail() {
  remove_jail(id_);
}

void enter_jail(int jail) {
  check_call(::jail_attach(jail), fmt::format("jail_attach({})", jail));
}

std::string ask_in_jail(int jail, const std::function<std::string()>& action) {
  std::array<int, 2> ends{};
  check_call(::pipe(ends.data()), "pipe");
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  std::fflush(stdout);
  const pid_t child = check_call(::fork(), "fork");
  if (child == 0) {
    std::string answer;
    try {
      enter_jail(jail);
      answer = action();
    } catch (const std::exception& problem) {
      answer = problem.what();
    } catch (...) {
      // A skipped case: it is not to go on in this process.
      answer = "skipped";
    }
    std::fflush(stdout);
    const auto sent = ::write(writing.get(), answer.data(), answer.size());
    ::_exit(sent < 0 ? 1 : 0);
  }
  writing.reset();
  std::string answer;
  std::array<char, 512> part{};
  for (ssize_t size = 1; size > 0;) {
    size = ::read(reading.get(), part.data(), part.size());
    if (size > 0) answer.append(part.data(), static_cast<std::size_t>(size));
  }
  int status = 0;
  check_call(::waitpid(child, &status, 0), "waitpid");
  if (status != 0) throw std::runtime_error("a process in a jail has died");
  return answer;
}

void remove_jails() {
  std::vector<int> found;
  int last = 0;
  while (true) {
    std::array<char, 256> name{};
    Parameters parameters;
    parameters.number("lastjid", last);
    parameters.room("name", name);
    const int id = ::jail_get(parameters.data(), parameters.size(), 0);
    if (id < 0) break;
    last = id;
    if (std::string_view(name.data()).starts_with(kPrefix)) found.push_back(id);
  }
  // Those inside of one are gone with it.
  for (const int id : found) ::jail_remove(id);
}

}  // namespace mcast::testing
