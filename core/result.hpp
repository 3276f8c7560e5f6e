// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace mcast {

/// What went wrong, as far as a caller has to tell cases apart. Each backend maps errno to one of
/// these in a single function; the text keeps the name of the failing call.
enum class ErrorCode {
  usage,              ///< a command or option is malformed
  config,             ///< a configuration file has errors
  invalid_argument,   ///< a value is out of its range
  not_found,          ///< the named rule, route or file does not exist
  no_such_interface,  ///< the named interface does not exist
  already_exists,
  no_permission,
  no_kernel_support,  ///< the kernel lacks multicast routing, or this family or table of it
  table_in_use,       ///< another program owns the routing table
  no_slots,           ///< all VIFs or MIFs of the table are taken
  limit_reached,  ///< a kernel limit other than slots; the text names the setting that raises it
  overflow,       ///< an event socket lost messages
  would_block,
  connection,  ///< the peer cannot be reached or went away
  os,          ///< any other failure of a system call
  internal,
};

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::internal;
  /// One line for a person: the thing, the reason, the remedy.
  std::string message;
  /// The errno behind it, 0 if none.
  int os_errno = 0;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message,
                                                 int os_errno = 0) {
  return std::unexpected(Error{code, std::move(message), os_errno});
}

}  // namespace mcast

/// Yields the value of a Result, or returns its error from the enclosing function. A GNU statement
/// expression, which g++ and clang both have.
#define TRY(...)                                                   \
  __extension__({                                                  \
    auto mcast_try_result = (__VA_ARGS__);                         \
    if (!mcast_try_result) {                                       \
      return std::unexpected(std::move(mcast_try_result.error())); \
    }                                                              \
    *std::move(mcast_try_result);                                  \
  })
