// SPDX-License-Identifier: BSD-2-Clause
#include "cli/hook.hpp"

#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <utility>

#include "cli/spawn.hpp"

namespace mcast::cli {

Hook::Hook(asio::io_context& loop, std::string command, Limits limits)
    : command_(std::move(command)), limits_(limits), child_ended_(loop) {
  if (command_.empty()) return;
  child_ended_.add(SIGCHLD);
  wait_for_children();
}

void Hook::wait_for_children() {
  child_ended_.async_wait([this](const std::error_code& error, int) {
    if (error) return;
    reap();
    start_waiting();
    wait_for_children();
  });
}

void Hook::reap() {
  // One signal may stand for several children.
  for (auto child = running_.begin(); child != running_.end();) {
    int status = 0;
    if (::waitpid(*child, &status, WNOHANG) == 0) {
      ++child;
      continue;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
      spdlog::warn("{} exited with {}", command_, WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
      spdlog::warn("{} was ended by signal {}", command_, WTERMSIG(status));
    }
    child = running_.erase(child);
  }
}

void Hook::run(const std::string& event, std::vector<std::string> environment) {
  if (command_.empty()) return;
  if (waiting_.size() == limits_.waiting) {
    if (skipped_++ == 0) {
      spdlog::warn("{}: {} events wait for it, further ones are skipped", command_,
                   limits_.waiting);
    }
    return;
  }
  waiting_.push_back({event, std::move(environment)});
  start_waiting();
}

void Hook::start_waiting() {
  while (!waiting_.empty() && running_.size() < limits_.running) {
    start(waiting_.front());
    waiting_.pop_front();
  }
  if (waiting_.empty() && skipped_ != 0) {
    spdlog::warn("{}: {} events were skipped", command_, std::exchange(skipped_, 0));
  }
}

void Hook::start(const Event& event) {
  std::string command = command_;
  std::string argument = event.name;
  char* const arguments[] = {command.data(), argument.data(), nullptr};
  std::vector<std::string> additions = event.environment;
  std::vector<char*> variables;
  for (std::string& addition : additions) variables.push_back(addition.data());
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(nullptr);

  posix_spawnattr_t attributes{};
  ::posix_spawnattr_init(&attributes);
  sigset_t none{};
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, command.c_str(), nullptr, &attributes, arguments, variables.data());
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    spdlog::error("cannot run {}: {}", command_, std::strerror(error));
    return;
  }
  running_.insert(child);
}

}  // namespace mcast::cli
