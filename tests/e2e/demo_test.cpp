// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <csignal>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

std::vector<std::string> demo(const TempDir& scratch) {
  return {"env", "TMPDIR=" + scratch.path().string(), MCAST_DEMO, "--brief"};
}

TEST_CASE("the demonstration runs through, tells its figures and leaves nothing behind") {
  const NetNamespace net;
  const TempDir scratch;
  const auto result = run_program(net, demo(scratch), "", 3 * kPatience);
  INFO(result);
  CHECK(result.exit_code == 0);
  for (const char* event : {"lan1 is pulled", "lan1 returns", "lan3 is new",
                            "wan0 (inbound) is pulled", "wan0 (inbound) returns"})
    CHECK(contains(result.out, event));
  CHECK(contains(result.out, "Everything flowed"));
  CHECK_FALSE(contains(result.out, "\x1b"));
  CHECK(std::filesystem::is_empty(scratch.path()));
}

TEST_CASE("the demonstration can be interrupted, and leaves nothing behind then either") {
  const NetNamespace net;
  const TempDir scratch;
  Process process(net, demo(scratch));
  // Its daemon's files come first.
  const auto deadline = Clock::now() + kPatience;
  while (std::filesystem::is_empty(scratch.path()) && Clock::now() < deadline &&
         !process.wait(Duration{5})) {
  }
  process.signal(SIGINT);
  CHECK(process.wait() == ExitStatus{.code = 130});
  CHECK(std::filesystem::is_empty(scratch.path()));
}

}  // namespace
}  // namespace mcast::testing
