// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <grp.h>
#include <unistd.h>

#include <cerrno>

#include "platform/posix/os_error.hpp"
#include "platform/posix/process.hpp"

namespace mcast::platform {

/// The kernel checks PRIV_NETINET_MROUTE at each call, also on sockets that are open (raw_ip.c,
/// rip_ctloutput; ip_mroute.c, X_mrt_ioctl).
Result<void> check_account(const Account& account) {
  if (account.uid == 0) return {};
  return fail(ErrorCode::no_kernel_support,
              fmt::format("{}: this kernel lets only root route multicast, and asks at each call; "
                          "leave -p out, and confine mcastd in a jail with vnet",
                          account.user));
}

Result<void> drop_privileges(const Account& account) {
  TRY(check_account(account));
  const auto failed = [&](std::string_view call) {
    return std::unexpected(os_error(call, errno, "run as " + account.user));
  };
  if (::initgroups(account.user.c_str(), account.gid) < 0) return failed("initgroups");
  if (::setresgid(account.gid, account.gid, account.gid) < 0) return failed("setresgid");
  if (::setresuid(account.uid, account.uid, account.uid) < 0) return failed("setresuid");
  return {};
}

}  // namespace mcast::platform
