// SPDX-License-Identifier: BSD-2-Clause
#include <grp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "platform/posix/os_error.hpp"
#include "platform/posix/process.hpp"

namespace mcast::platform {
namespace {

/// glibc has no wrappers for capget(2) and capset(2). Version 3 has two words of 32 capabilities.
class Capabilities {
 public:
  bool read() { return ::syscall(SYS_capget, &header_, words_.data()) == 0; }
  /// Keeps those of `kept`, a set within the first word, that are permitted now.
  bool keep_only(std::uint32_t kept) {
    const std::uint32_t left = words_[0].permitted & kept;
    words_ = {{{left, left, 0}, {0, 0, 0}}};
    return ::syscall(SYS_capset, &header_, words_.data()) == 0;
  }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> words_{};
};

}  // namespace

/// Capabilities are all that is needed.
Result<void> check_account(const Account& /*account*/) {
  return {};
}

Result<void> drop_privileges(const Account& account) {
  const auto failed = [&](std::string_view call) {
    return std::unexpected(os_error(call, errno, "run as " + account.user));
  };
  // Group membership and ids need privilege, of which somebody who is the account already has none.
  const bool same = ::getuid() == account.uid && ::geteuid() == account.uid &&
                    ::getgid() == account.gid && ::getegid() == account.gid;
  if (!same) {
    if (::initgroups(account.user.c_str(), account.gid) < 0) return failed("initgroups");
    if (::setresgid(account.gid, account.gid, account.gid) < 0) return failed("setresgid");
    // Otherwise the change of user takes all capabilities (capabilities(7)).
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return failed("prctl(PR_SET_KEEPCAPS)");
    if (::setresuid(account.uid, account.uid, account.uid) < 0) return failed("setresuid");
    if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) return failed("prctl(PR_SET_KEEPCAPS)");
  }
  constexpr std::uint32_t kNeeded = 1U << CAP_NET_ADMIN | 1U << CAP_NET_RAW;
  Capabilities capabilities;
  if (!capabilities.read()) return failed("capget");
  if (!capabilities.keep_only(kNeeded)) return failed("capset");
  return {};
}

}  // namespace mcast::platform
