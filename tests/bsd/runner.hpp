// SPDX-License-Identifier: BSD-2-Clause
//
// Runs doctest cases one by one, each in a process of its own: one that crashes or hangs takes no
// other with it, and what it did to its process is gone afterwards. Nothing here is particular to a
// system.
#pragma once

#include <string>
#include <vector>

#include "tests/bsd/options.hpp"
#include "tests/support/reporter.hpp"

namespace mcast::testing {

/// Cases in a suite of this name are known to bring kernels down, and are run only on demand.
inline constexpr const char* kPanicClass = "panic-class";

struct TestCase {
  unsigned number;  ///< from 1, in the order in which they are run
  std::string name;
  std::string suite;
};

/// What a system needs around a case. These may throw what tells why they failed.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  /// In the runner's process, before the case's process is made.
  virtual void prepare() {}
  /// In the case's process, before the case.
  virtual void enter() {}
  /// Prints what the kernel looks like: the case hangs, or has died. In a process of its own.
  virtual void describe() {}
  /// Takes away what the case has left. In a process of its own.
  virtual void clean_up() {}
};

/// Those that the options choose.
[[nodiscard]] std::vector<TestCase> list_cases(const Options& options);

/// Prints a line when a case starts, one when it ends, and at the end what did not pass and the
/// counts, which go to write_counts() too. It is to be the only user of child processes and of
/// SIGCHLD.
Counts run_cases(const Options& options, Surroundings& surroundings);

/// What a program is to return that has run these.
[[nodiscard]] int exit_code(const Counts& counts);

}  // namespace mcast::testing
