// SPDX-License-Identifier: BSD-2-Clause
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "cli/identity.hpp"
#include "cli/mcastctl_arguments.hpp"
#include "cli/mcastctl_frontend.hpp"
#include "cli/mcastctl_help.hpp"
#include "cli/mcastctl_report.hpp"
#include "cli/mcastctl_show.hpp"
#include "ipc/client.hpp"
#include "platform/posix/process.hpp"

namespace mcast::cli {
namespace {

TextStyle text_style(const Invocation& invocation) {
  TextStyle style{.headings = invocation.headings, .detail = invocation.detail};
  style.drawn = !invocation.plain && ::isatty(STDOUT_FILENO) == 1;
  winsize size{};
  if (style.drawn && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = size.ws_col;
  }
  return style;
}

void write_out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int call_daemon(const Reporter& reporter, const Invocation& invocation) {
  Batch batch;
  if (invocation.action == Action::batch) {
    auto parsed = parse_batch(std::cin);
    if (!parsed) return reporter.report(parsed.error());
    if (parsed->commands.empty()) return kExitOk;
    batch = std::move(*parsed);
  }
  auto client = ipc::Client::connect(reporter.client_options(invocation.socket));
  if (!client) return reporter.report(client.error());
  // All that was to be opened is open.
  const auto confined = platform::confine_to(client->descriptor());
  if (!confined) return reporter.report(confined.error());
  switch (invocation.action) {
    case Action::show:
      return reporter.report(show(*client,
                                  {.list = invocation.list,
                                   .only = invocation.only,
                                   .json = invocation.json,
                                   .style = text_style(invocation)},
                                  write_out));
    case Action::change:
      return reporter.report(client->apply({invocation.change}));
    case Action::batch:
      return reporter.report(client->apply(batch.commands), batch.lines);
    case Action::reload:
      return reporter.report(client->reload());
    case Action::flush:
      return reporter.report(client->flush(invocation.only));
    case Action::kill:
      return reporter.report(client->kill());
    case Action::version:
    case Action::help:
      break;
  }
  return kExitInternal;
}

int run(const std::string& program, const std::vector<std::string>& arguments) {
  const Reporter reporter(program);
  const auto invocation = parse_arguments(program, arguments);
  if (!invocation) return reporter.report(invocation.error());
  if (invocation->action == Action::help) {
    return reporter.print(help_text(program, invocation->topic));
  }
  if (invocation->action == Action::version) return reporter.print(version_text(program));
  return call_daemon(reporter, *invocation);
}

}  // namespace
}  // namespace mcast::cli

int main(int argc, char** argv) {
  mcast::platform::ensure_standard_streams();
  const std::string argv0 = argc > 0 ? argv[0] : "mcastctl";
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::string program = mcast::cli::program_name(argv0);
  if (program == "smcroute") return mcast::cli::run_front_end(program, argv0, arguments);
  return mcast::cli::run(program, arguments);
}
