// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

/// What daemon and client have to agree on without talking to each other.
namespace mcast::cli {

/// The last component of argv[0].
[[nodiscard]] std::string program_name(std::string_view argv0);
/// Called by one of SMCRoute's names: smcrouted, smcroutectl, smcroute.
[[nodiscard]] bool has_old_name(std::string_view program);
/// "smcroute" under the old names, "mcastd" otherwise: names the files of an instance.
[[nodiscard]] std::string default_identity(std::string_view program);
/// An identity becomes part of file names: no slash, not empty, no leading dot.
[[nodiscard]] Result<void> check_identity(std::string_view identity);
/// What a daemon of this identity reads unless told otherwise.
[[nodiscard]] std::string default_config_file(std::string_view identity);
/// Where it listens.
[[nodiscard]] std::string default_socket(std::string_view identity);

/// The exit code (sysexits.h) that tells a script about a failure.
[[nodiscard]] int exit_code(ErrorCode code);

inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 64;            ///< EX_USAGE
inline constexpr int kExitData = 65;             ///< EX_DATAERR
inline constexpr int kExitUnavailable = 69;      ///< EX_UNAVAILABLE
inline constexpr int kExitInternal = 70;         ///< EX_SOFTWARE
inline constexpr int kExitOs = 71;               ///< EX_OSERR
inline constexpr int kExitNoKernelSupport = 76;  ///< EX_PROTOCOL
inline constexpr int kExitNoPermission = 77;     ///< EX_NOPERM
inline constexpr int kExitConfig = 78;           ///< EX_CONFIG

}  // namespace mcast::cli
