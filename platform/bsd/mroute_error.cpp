// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/mroute_error.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "platform/bsd/sysctl.hpp"

// Errors of sys/netinet/ip_mroute.c, raw_ip.c, in_mcast.c and their counterparts in netinet6.
namespace mcast::platform {
namespace {

bool is_set(const char* name) {
  return sysctl_number(name).value_or(0) != 0;
}

bool in_jail() {
  return is_set("security.jail.jailed");
}

std::string_view who_may() {
  if (in_jail() && !is_set("security.jail.vnet")) {
    return "this jail shares the network of its host; run it in a jail with vnet";
  }
  return "run it as root";
}

MrouteMeaning missing_support(MrouteCall call, Family family) {
  const bool v4 = family == Family::ipv4;
  if (call == MrouteCall::open_socket) {
    return {ErrorCode::no_kernel_support,
            v4 ? "this kernel lacks IPv4" : "this kernel or jail lacks IPv6"};
  }
  if (in_jail()) {
    return {ErrorCode::no_kernel_support,
            v4 ? "load the module ip_mroute on the jail's host (kldload ip_mroute)"
               : "load the module ip6_mroute on the jail's host (kldload ip6_mroute)"};
  }
  return {ErrorCode::no_kernel_support,
          v4 ? "load the module ip_mroute (kldload ip_mroute; ip_mroute_load=\"YES\" in "
               "/boot/loader.conf for ever)"
             : "load the module ip6_mroute (kldload ip6_mroute; ip6_mroute_load=\"YES\" in "
               "/boot/loader.conf for ever)"};
}

MrouteMeaning no_room(MrouteCall call, Family family) {
  if (call != MrouteCall::join_source) {
    return {ErrorCode::limit_reached, "the kernel is out of memory"};
  }
  return {ErrorCode::limit_reached, family == Family::ipv4
                                        ? "the kernel is out of memory, or see the limits "
                                          "net.inet.ip.mcast.maxgrpsrc and maxsocksrc"
                                        : "the kernel is out of memory, or see the limits "
                                          "net.inet6.ip6.mcast.maxgrpsrc and maxsocksrc"};
}

/// What the call names does not exist, by which it is meant.
MrouteMeaning not_there(MrouteCall call, Family family) {
  switch (call) {
    case MrouteCall::add_vif:
      return {ErrorCode::no_such_interface, family == Family::ipv4
                                                ? "the address that names it is gone"
                                                : "it is gone or belongs to another FIB"};
    case MrouteCall::join_group:
    case MrouteCall::join_source:
      return {ErrorCode::no_such_interface, ""};
    default:
      return {ErrorCode::not_found, ""};
  }
}

}  // namespace

std::optional<MrouteMeaning> mroute_meaning(MrouteCall call, Family family, int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return MrouteMeaning{ErrorCode::no_permission, who_may()};
    case EADDRINUSE:
      if (call == MrouteCall::init) {
        return MrouteMeaning{ErrorCode::table_in_use,
                             "another program routes multicast here; stop it first"};
      }
      return MrouteMeaning{ErrorCode::already_exists, ""};
    case EADDRNOTAVAIL:
      return not_there(call, family);
    case ENODEV:
    case ENXIO:
      return MrouteMeaning{ErrorCode::no_such_interface, ""};
    case ENOENT:
    case ESRCH:
      return MrouteMeaning{ErrorCode::not_found, ""};
    case EINVAL:
      return MrouteMeaning{ErrorCode::invalid_argument, ""};
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case ETOOMANYREFS:
      return no_room(call, family);
    case EOPNOTSUPP:
      if (call == MrouteCall::add_vif) {
        return MrouteMeaning{ErrorCode::invalid_argument, "the interface cannot do multicast"};
      }
      return missing_support(call, family);
    case ENOPROTOOPT:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
      return missing_support(call, family);
    default:
      return std::nullopt;
  }
}

std::string_view backend_call(MrouteCall call, Family family) {
  if (call == MrouteCall::set_table) return "SO_SETFIB";
  return family == Family::ipv4 ? "sysctl net.inet.ip.viftable" : "sysctl net.inet6.ip6.mif6table";
}

std::string describe(TableKey table) {
  return fmt::format("{} multicast routing table {}{}", to_string(table.family), table.id.value,
                     table.id.value == 0 ? " (default)" : "");
}

}  // namespace mcast::platform
