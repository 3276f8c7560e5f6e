// SPDX-License-Identifier: BSD-2-Clause
//
// The runner of the FreeBSD tests, which can be tried anywhere.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/bsd/options.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/process.hpp"

using namespace mcast;
using namespace mcast::testing;

namespace {

using Words = std::vector<std::string>;

/// They do not count among ours.
ProgramResult run_victims(const Words& arguments) {
  const NetNamespace net;
  Words all{"/usr/bin/env", "-u", "MCAST_TEST_COUNTS", MCAST_VICTIMS};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(net, all);
}

/// The line in which the case ends, without the time it took.
std::string end_of(const ProgramResult& result, const std::string& name) {
  const auto at = result.out.find(" s: " + name);
  if (at == std::string::npos) return "nothing";
  const auto start = result.out.rfind("\n=== ", at) + 1;
  const std::string line = result.out.substr(start, result.out.find('\n', at) - start);
  const auto in = line.find(" in ");
  return line.substr(0, in) + line.substr(line.find(" s: ", in) + 2);
}

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  return text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("every way to end is told and counted, and the next case runs") {
  const auto result = run_victims({"--timeout", "1", "-tse=stop"});
  INFO(result);
  CHECK(result.exit_code == 1);
  CHECK(end_of(result, "one that passes, changing the process") ==
        "=== 1/10 passed: one that passes, changing the process");
  CHECK(end_of(result, "one that finds") ==
        "=== 2/10 passed: one that finds the process unchanged");
  CHECK(end_of(result, "one that fails") == "=== 3/10 FAILED: one that fails: its checks, above");
  CHECK(end_of(result, "one that throws") == "=== 4/10 FAILED: one that throws: its checks, above");
  CHECK(result.out.contains("what it throws"));
  CHECK(end_of(result, "one that crashes")
            .starts_with("=== 5/10 FAILED: one that crashes: died of signal 6"));
  CHECK(end_of(result, "one that is killed")
            .starts_with("=== 6/10 FAILED: one that is killed: died of signal 9"));
  CHECK(end_of(result, "one that exits") ==
        "=== 7/10 FAILED: one that exits: ended with status 0 before its case did");
  CHECK(end_of(result, "one that hangs") ==
        "=== 8/10 FAILED: one that hangs, with a child: timed out after 1 s");
  CHECK(end_of(result, "one that is skipped") ==
        "=== 9/10 skipped: one that is skipped: nothing is there");
  CHECK(result.out.contains("=== 10/10 skipped: one that is dangerous: may bring the kernel down"));
  CHECK(last_line(result.out) == "2 passed, 6 failed, 2 skipped");
}

TEST_CASE("a case has its surroundings, which are told when it does not end by itself") {
  const auto result = run_victims({"--timeout", "1", "-tse=stop"});
  INFO(result);
  CHECK(count(result.out, "prepared\n") == 9);
  CHECK(count(result.out, "entered\n") == 9);
  CHECK(count(result.out, "cleaned up\n") == 9);
  CHECK(count(result.out, "described\n") == 4);
}

TEST_CASE("a case runs alone, by its name") {
  const auto result = run_victims({"-tc=one that passes\\, changing the process"});
  INFO(result);
  CHECK(result.exit_code == 0);
  CHECK(count(result.out, "entered\n") == 1);
  CHECK(last_line(result.out) == "1 passed, 0 failed, 0 skipped");
}

TEST_CASE("the counts are told once, of all cases") {
  const NetNamespace net;
  const TempDir folder;
  const std::string counts = (folder / "counts").string();
  const auto result =
      run_program(net, {"/usr/bin/env", "MCAST_TEST_COUNTS=" + counts, "MCAST_TEST_NAME=victims",
                        MCAST_VICTIMS, "-tc=one that fails,one that passes*,one that is skipped"});
  INFO(result);
  std::ostringstream text;
  text << std::ifstream(counts).rdbuf();
  CHECK(text.str() == "count victims 1 1 1\nskip victims one that is skipped: nothing is there\n");
}

TEST_CASE("a program all of whose cases are skipped says so") {
  CHECK(run_victims({"-tc=one that is skipped"}).exit_code == 77);
}

TEST_CASE("dangerous cases are run when told to") {
  const auto result = run_victims({"--allow-panics", "-ts=panic-class"});
  INFO(result);
  CHECK(last_line(result.out) == "1 passed, 0 failed, 0 skipped");
}

TEST_CASE("cases are listed in the order in which they run") {
  const auto result = run_victims({"--list", "-tc=one that is*"});
  CHECK(result.out == "one that is killed\none that is skipped\none that is dangerous\n");
}

TEST_CASE("whoever stops the runner stops the case and is told the counts") {
  const auto result = run_victims({"-ts=stop"});
  INFO(result);
  CHECK(result.exit_code == 1);
  CHECK(end_of(result, "one during") ==
        "=== 1/2 FAILED: one during which the runner is told to stop: interrupted");
  CHECK(result.out.contains("failed: one after it: not run: interrupted"));
  CHECK(last_line(result.out) == "0 passed, 2 failed, 0 skipped");
}

TEST_CASE("unknown options are refused, help is given") {
  CHECK(run_victims({"--sometimes"}).exit_code == 64);
  CHECK(run_victims({"--timeout", "soon"}).exit_code == 64);
  CHECK(run_victims({"--timeout"}).exit_code == 64);
  CHECK(run_victims({"--help"}).out == usage());
  CHECK(run_victims({"--help"}).out.contains("--allow-panics"));
}

TEST_CASE("options are words of a variable") {
  CHECK(split_words("") == Words{});
  CHECK(split_words("  --jail\t--list ") == Words{"--jail", "--list"});
  CHECK(split_words("-tc='a rename takes*' --jail") == Words{"-tc=a rename takes*", "--jail"});
  CHECK(split_words("-tc=a\\ rename\\\\,") == Words{"-tc=a rename\\,"});
  const auto options = parse_options(split_words("--jail --timeout 7 -tc='a b' --poweroff"));
  REQUIRE(options);
  CHECK(options->jail);
  CHECK(options->poweroff);
  CHECK(options->patience == std::chrono::seconds(7));
  CHECK(options->doctest == Words{"-tc=a b"});
}
