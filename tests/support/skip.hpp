// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

namespace mcast::testing {

/// Ends the running test case as skipped, from any depth below it; `why` names what was missing.
/// What our own scripts can install is never skipped. Defined beside the doctest main().
[[noreturn]] void skip(std::string why);

}  // namespace mcast::testing

#define MCAST_SKIP(why) ::mcast::testing::skip(why)
