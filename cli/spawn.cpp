// SPDX-License-Identifier: BSD-2-Clause
#include "cli/spawn.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "platform/posix/process.hpp"

namespace mcast::cli {

namespace {

std::vector<char*> argument_pointers(std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return pointers;
}

Error start_error(const std::string& file, int number) {
  return {ErrorCode::os,
          fmt::format("{} cannot be started: {}", file, std::generic_category().message(number)),
          number};
}

}  // namespace

std::string beside_this_program(std::string_view argv0, std::string_view name) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path self = platform::executable_path();
  if (self.empty()) self = fs::path(argv0);
  if (!self.has_parent_path()) return std::string(name);
  const fs::path candidate = self.parent_path() / name;
  return fs::exists(candidate, error) ? candidate.string() : std::string(name);
}

Result<void> become(const std::string& file, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = arguments;
  ::execvp(file.c_str(), argument_pointers(words).data());
  return std::unexpected(start_error(file, errno));
}

Result<int> run_and_wait(const std::string& file, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = arguments;
  pid_t child = -1;
  const int number = ::posix_spawnp(&child, file.c_str(), nullptr, nullptr,
                                    argument_pointers(words).data(), environ);
  if (number != 0) return std::unexpected(start_error(file, number));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return std::unexpected(start_error(file, errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace mcast::cli
