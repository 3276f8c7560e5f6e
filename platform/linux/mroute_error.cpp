// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/mroute_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <optional>

#include "core/traits.hpp"

namespace mcast::platform {
namespace {

bool is_join(MrouteCall call) {
  return call == MrouteCall::join_group || call == MrouteCall::join_source;
}

MrouteMeaning missing_support(MrouteCall call, Family family) {
  if (call == MrouteCall::set_table) {
    return {ErrorCode::no_kernel_support,
            family == Family::ipv4
                ? "this kernel has only the default table (CONFIG_IP_MROUTE_MULTIPLE_TABLES)"
                : "this kernel has only the default table (CONFIG_IPV6_MROUTE_MULTIPLE_TABLES)"};
  }
  return {ErrorCode::no_kernel_support,
          family == Family::ipv4 ? "this kernel lacks IPv4 multicast routing (CONFIG_IP_MROUTE)"
                                 : "this kernel lacks IPv6 multicast routing (CONFIG_IPV6_MROUTE)"};
}

MrouteMeaning no_room(MrouteCall call, Family family) {
  if (!is_join(call)) return {ErrorCode::limit_reached, "the kernel is out of memory"};
  return {ErrorCode::limit_reached,
          family == Family::ipv4 ? "raise net.ipv4.igmp_max_memberships, net.ipv4.igmp_max_msf or "
                                   "net.core.optmem_max"
                                 : "raise net.core.optmem_max or net.ipv6.mld_max_msf"};
}

}  // namespace

std::optional<MrouteMeaning> mroute_meaning(MrouteCall call, Family family, int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return MrouteMeaning{ErrorCode::no_permission,
                           "run it as root or with CAP_NET_ADMIN and CAP_NET_RAW"};
    case EADDRINUSE:
      if (call == MrouteCall::init) {
        return MrouteMeaning{ErrorCode::table_in_use,
                             "stop the other daemon or choose another table"};
      }
      return MrouteMeaning{ErrorCode::already_exists, ""};
    case EADDRNOTAVAIL:
      if (call == MrouteCall::add_vif) return MrouteMeaning{ErrorCode::no_such_interface, ""};
      return MrouteMeaning{ErrorCode::not_found, ""};
    case ENODEV:
    case ENXIO:
      return MrouteMeaning{ErrorCode::no_such_interface, ""};
    case ENOENT:
      return MrouteMeaning{ErrorCode::not_found, ""};
    case ENFILE:
      // Of a socket it is the host's limit of open files.
      if (call == MrouteCall::open_socket) return std::nullopt;
      return MrouteMeaning{ErrorCode::no_slots, "a table has 32"};
    case EINVAL:
      return MrouteMeaning{ErrorCode::invalid_argument, ""};
    case ENOBUFS:
    case ENOMEM:
      return no_room(call, family);
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case ENOSYS:
      return missing_support(call, family);
    default:
      return std::nullopt;
  }
}

std::string_view backend_call(MrouteCall call, Family family) {
  const bool v4 = family == Family::ipv4;
  if (call == MrouteCall::set_table) return v4 ? "MRT_TABLE" : "MRT6_TABLE";
  return v4 ? "SIOCGETVIFCNT" : "SIOCGETMIFCNT_IN6";
}

std::string describe(TableKey table) {
  const bool is_default = linux_traits().of(table.family).default_table == table.id;
  return fmt::format("{} multicast routing table {}{}", to_string(table.family), table.id.value,
                     is_default ? " (default)" : "");
}

}  // namespace mcast::platform
