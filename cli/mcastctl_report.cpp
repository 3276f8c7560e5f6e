// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "cli/identity.hpp"

namespace mcast::cli {

std::vector<std::string> describe(const ipc::Failure& failure,
                                  const std::vector<std::size_t>& lines) {
  std::vector<std::string> text = failure.details;
  // One diagnostic says it all; several are summed up.
  if (text.size() != 1 && !failure.error.message.empty()) text.push_back(failure.error.message);
  if (failure.command && *failure.command < lines.size()) {
    for (auto& line : text) line = fmt::format("line {}: {}", lines[*failure.command], line);
  }
  return text;
}

int Reporter::report(const Error& error) const {
  complain(error.message);
  return exit_code(error.code);
}

int Reporter::report(const ipc::Failure& failure, const std::vector<std::size_t>& lines) const {
  for (const auto& line : describe(failure, lines)) complain(line);
  return exit_code(failure.error.code);
}

int Reporter::report(const ipc::Outcome& outcome, const std::vector<std::size_t>& lines) const {
  if (!outcome) return report(outcome.error(), lines);
  // Under the old names success is silent: cron jobs mail what is not.
  if (!has_old_name(program_)) {
    for (const auto& remark : *outcome) complain(remark);
  }
  return kExitOk;
}

int Reporter::report(const std::expected<void, ipc::Failure>& outcome) const {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!outcome) return report(outcome.error());
  if (written) return kExitOk;
  return report(Error{ErrorCode::os, fmt::format("standard output cannot be written: {}",
                                                 std::generic_category().message(errno))});
}

int Reporter::print(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return report(std::expected<void, ipc::Failure>());
}

void Reporter::progress(std::string_view text) const {
  if (::isatty(STDERR_FILENO) == 1) complain(fmt::format("{} ...", text));
}

ipc::ClientOptions Reporter::client_options(std::string socket) const {
  ipc::ClientOptions options;
  options.path = std::move(socket);
  options.on_wait = [this] { progress("waiting for the daemon's answer"); };
  return options;
}

void Reporter::complain(std::string_view line) const {
  fmt::print(stderr, "{}: {}\n", program_, line);
}

}  // namespace mcast::cli
