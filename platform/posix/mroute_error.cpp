// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/mroute_error.hpp"

#include <fmt/format.h>

#include <net/if.h>

#include <array>

#include "platform/posix/os_error.hpp"

namespace mcast::platform {
namespace {

std::string_view name_of(MrouteCall call, Family family) {
  const bool v4 = family == Family::ipv4;
  switch (call) {
    case MrouteCall::open_socket:
      return v4 ? "socket(IPPROTO_IGMP)" : "socket(IPPROTO_ICMPV6)";
    case MrouteCall::set_table:
    case MrouteCall::get_slot:
      return backend_call(call, family);
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

}  // namespace

Error mroute_error(MrouteCall call, Family family, int error, std::string_view subject) {
  Error general = os_error(name_of(call, family), error, subject);
  const auto meaning = mroute_meaning(call, family, error);
  if (!meaning) return general;
  general.code = meaning->code;
  if (!meaning->remedy.empty()) general.message += fmt::format("; {}", meaning->remedy);
  return general;
}

std::string describe(IfIndex link) {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(link.value, name.data()) != nullptr) return name.data();
  return fmt::format("interface {}", link.value);
}

}  // namespace mcast::platform
