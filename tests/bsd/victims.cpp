// SPDX-License-Identifier: BSD-2-Clause
//
// Cases that end in every way a case can, for runner_test.cpp to see what the runner makes of them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "tests/bsd/runner.hpp"
#include "tests/support/skip.hpp"

using namespace mcast::testing;

namespace {

int changed = 0;

class Told final : public Surroundings {
 public:
  void prepare() override { say("prepared"); }
  void enter() override { say("entered"); }
  void describe() override { say("described"); }
  void clean_up() override { say("cleaned up"); }

 private:
  static void say(const char* what) { fmt::print("{}\n", what); }
};

}  // namespace

TEST_CASE("one that passes, changing the process") {
  CHECK(++changed == 1);
}

TEST_CASE("one that finds the process unchanged") {
  CHECK(++changed == 1);
}

TEST_CASE("one that fails") {
  CHECK(changed == 5);
}

TEST_CASE("one that throws") {
  throw std::runtime_error("what it throws");
}

TEST_CASE("one that crashes") {
  std::raise(SIGABRT);
}

TEST_CASE("one that is killed") {
  std::raise(SIGKILL);
}

TEST_CASE("one that exits") {
  ::_exit(0);
}

TEST_CASE("one that hangs, with a child") {
  ::fork();
  while (true) ::pause();
}

TEST_CASE("one that is skipped") {
  MCAST_SKIP("nothing is there");
}

TEST_SUITE("stop") {
  TEST_CASE("one during which the runner is told to stop") {
    ::kill(::getppid(), SIGTERM);
    while (true) ::pause();
  }
  TEST_CASE("one after it") {
    CHECK(true);
  }
}

TEST_SUITE("panic-class") {
  TEST_CASE("one that is dangerous") {
    CHECK(true);
  }
}

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto options = parse_options({argv + 1, argv + argc});
  if (!options) {
    std::cerr << options.error().message << "\n";
    return 64;
  }
  if (options->help) {
    std::cout << usage();
    return 0;
  }
  if (options->list) {
    for (const auto& test : list_cases(*options)) std::cout << test.name << "\n";
    return 0;
  }
  Told surroundings;
  return exit_code(run_cases(*options, surroundings));
}
