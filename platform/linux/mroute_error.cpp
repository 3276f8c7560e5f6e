// SPDX-License-Identifier: BSD-2-Clause
#include "platform/linux/mroute_error.hpp"

#include <fmt/format.h>

#include <net/if.h>

#include <array>
#include <cerrno>
#include <optional>

#include "core/traits.hpp"
#include "platform/posix/os_error.hpp"

namespace mcast::platform {
namespace {

std::string_view name_of(MrouteCall call, Family family) {
  const bool v4 = family == Family::ipv4;
  switch (call) {
    case MrouteCall::open_socket:
      return v4 ? "socket(IPPROTO_IGMP)" : "socket(IPPROTO_ICMPV6)";
    case MrouteCall::set_table:
      return v4 ? "MRT_TABLE" : "MRT6_TABLE";
    case MrouteCall::init:
      return v4 ? "MRT_INIT" : "MRT6_INIT";
    case MrouteCall::set_option:
      return "setsockopt";
    case MrouteCall::add_vif:
      return v4 ? "MRT_ADD_VIF" : "MRT6_ADD_MIF";
    case MrouteCall::del_vif:
      return v4 ? "MRT_DEL_VIF" : "MRT6_DEL_MIF";
    case MrouteCall::add_mfc:
      return v4 ? "MRT_ADD_MFC" : "MRT6_ADD_MFC";
    case MrouteCall::del_mfc:
      return v4 ? "MRT_DEL_MFC" : "MRT6_DEL_MFC";
    case MrouteCall::get_counters:
      return v4 ? "SIOCGETSGCNT" : "SIOCGETSGCNT_IN6";
    case MrouteCall::get_slot:
      return v4 ? "SIOCGETVIFCNT" : "SIOCGETMIFCNT_IN6";
    case MrouteCall::receive:
      return "recv";
    case MrouteCall::join_group:
      return "MCAST_JOIN_GROUP";
    case MrouteCall::join_source:
      return "MCAST_JOIN_SOURCE_GROUP";
    case MrouteCall::leave_group:
      return "MCAST_LEAVE_GROUP";
    case MrouteCall::leave_source:
      return "MCAST_LEAVE_SOURCE_GROUP";
  }
  return "setsockopt";
}

struct Meaning {
  ErrorCode code;
  std::string_view remedy;
};

bool is_join(MrouteCall call) {
  return call == MrouteCall::join_group || call == MrouteCall::join_source;
}

Meaning missing_support(MrouteCall call, Family family) {
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

Meaning no_room(MrouteCall call, Family family) {
  if (!is_join(call)) return {ErrorCode::limit_reached, "the kernel is out of memory"};
  return {ErrorCode::limit_reached,
          family == Family::ipv4 ? "raise net.ipv4.igmp_max_memberships, net.ipv4.igmp_max_msf or "
                                   "net.core.optmem_max"
                                 : "raise net.core.optmem_max or net.ipv6.mld_max_msf"};
}

/// What the errno means in this call; none where it means what it always does.
std::optional<Meaning> meaning_of(MrouteCall call, Family family, int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return Meaning{ErrorCode::no_permission,
                     "run it as root or with CAP_NET_ADMIN and CAP_NET_RAW"};
    case EADDRINUSE:
      if (call == MrouteCall::init) {
        return Meaning{ErrorCode::table_in_use, "stop the other daemon or choose another table"};
      }
      return Meaning{ErrorCode::already_exists, ""};
    case EADDRNOTAVAIL:
      if (call == MrouteCall::add_vif) return Meaning{ErrorCode::no_such_interface, ""};
      return Meaning{ErrorCode::not_found, ""};
    case ENODEV:
    case ENXIO:
      return Meaning{ErrorCode::no_such_interface, ""};
    case ENOENT:
      return Meaning{ErrorCode::not_found, ""};
    case ENFILE:
      // Of a socket it is the host's limit of open files.
      if (call == MrouteCall::open_socket) return std::nullopt;
      return Meaning{ErrorCode::no_slots, "a table has 32"};
    case EINVAL:
      return Meaning{ErrorCode::invalid_argument, ""};
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

}  // namespace

Error mroute_error(MrouteCall call, Family family, int error, std::string_view subject) {
  Error general = os_error(name_of(call, family), error, subject);
  const auto meaning = meaning_of(call, family, error);
  if (!meaning) return general;
  general.code = meaning->code;
  if (!meaning->remedy.empty()) general.message += fmt::format("; {}", meaning->remedy);
  return general;
}

std::string describe(TableKey table) {
  const bool is_default = linux_traits().of(table.family).default_table == table.id;
  return fmt::format("{} multicast routing table {}{}", to_string(table.family), table.id.value,
                     is_default ? " (default)" : "");
}

std::string describe(IfIndex link) {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(link.value, name.data()) != nullptr) return name.data();
  return fmt::format("interface {}", link.value);
}

}  // namespace mcast::platform
