// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/raw_mrouter.hpp"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include <linux/mroute.h>
#include <linux/mroute6.h>

#include <sys/socket.h>

namespace mcast::testing {
namespace {

template <typename T>
void set_option(const Fd& socket, int level, int name, const T& value, const char* what) {
  check_call(::setsockopt(socket.get(), level, name, &value, sizeof value), what);
}

in_addr parse4(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1)
    throw std::runtime_error("not an IPv4 address: " + text);
  return address;
}

sockaddr_in6 parse6(const std::string& text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET6, text.c_str(), &address.sin6_addr) != 1)
    throw std::runtime_error("not an IPv6 address: " + text);
  return address;
}

}  // namespace

RawMrouter::RawMrouter(const NetNamespace& router, int family, Role role)
    : router_(&router), family_(family) {
  const int protocol = family == AF_INET ? static_cast<int>(IPPROTO_IGMP) : IPPROTO_ICMPV6;
  socket_ = router.run([&] {
    return Fd(check_call(::socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol), "socket"));
  });
  if (role == Role::stranger) return;
  if (family == AF_INET)
    set_option(socket_, IPPROTO_IP, MRT_INIT, 1, "MRT_INIT");
  else
    set_option(socket_, IPPROTO_IPV6, MRT6_INIT, 1, "MRT6_INIT");
}

void RawMrouter::add_vif(unsigned slot, const std::string& interface) {
  const unsigned index = router_->index_of(interface);
  if (family_ == AF_INET) {
    vifctl vif{};
    vif.vifc_vifi = static_cast<vifi_t>(slot);
    vif.vifc_flags = VIFF_USE_IFINDEX;
    vif.vifc_threshold = 1;
    vif.vifc_lcl_ifindex = static_cast<int>(index);
    set_option(socket_, IPPROTO_IP, MRT_ADD_VIF, vif, "MRT_ADD_VIF");
  } else {
    mif6ctl mif{};
    mif.mif6c_mifi = static_cast<mifi_t>(slot);
    mif.vifc_threshold = 1;
    mif.mif6c_pifi = static_cast<__u16>(index);
    set_option(socket_, IPPROTO_IPV6, MRT6_ADD_MIF, mif, "MRT6_ADD_MIF");
  }
}

void RawMrouter::remove_vif(unsigned slot) {
  if (family_ == AF_INET) {
    vifctl vif{};
    vif.vifc_vifi = static_cast<vifi_t>(slot);
    set_option(socket_, IPPROTO_IP, MRT_DEL_VIF, vif, "MRT_DEL_VIF");
  } else {
    set_option(socket_, IPPROTO_IPV6, MRT6_DEL_MIF, static_cast<mifi_t>(slot), "MRT6_DEL_MIF");
  }
}

void RawMrouter::put_route(const std::string& source, const std::string& group, unsigned in,
                           const std::vector<unsigned>& out) {
  if (family_ == AF_INET) {
    mfcctl entry{};
    entry.mfcc_origin = parse4(source);
    entry.mfcc_mcastgrp = parse4(group);
    entry.mfcc_parent = static_cast<vifi_t>(in);
    for (const unsigned slot : out) entry.mfcc_ttls[slot] = 1;
    set_option(socket_, IPPROTO_IP, MRT_ADD_MFC, entry, "MRT_ADD_MFC");
  } else {
    mf6cctl entry{};
    entry.mf6cc_origin = parse6(source);
    entry.mf6cc_mcastgrp = parse6(group);
    entry.mf6cc_parent = static_cast<mifi_t>(in);
    for (const unsigned slot : out) IF_SET(slot, &entry.mf6cc_ifset);
    set_option(socket_, IPPROTO_IPV6, MRT6_ADD_MFC, entry, "MRT6_ADD_MFC");
  }
}

void RawMrouter::report_wrong_interfaces(bool on) const {
  static_assert(MRT_PIM == MRT6_PIM);
  set_option(socket_, family_ == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MRT_PIM, on ? 1 : 0,
             "MRT_PIM");
}

void RawMrouter::drop_route(const std::string& source, const std::string& group) {
  if (family_ == AF_INET) {
    mfcctl entry{};
    entry.mfcc_origin = parse4(source);
    entry.mfcc_mcastgrp = parse4(group);
    set_option(socket_, IPPROTO_IP, MRT_DEL_MFC, entry, "MRT_DEL_MFC");
  } else {
    mf6cctl entry{};
    entry.mf6cc_origin = parse6(source);
    entry.mf6cc_mcastgrp = parse6(group);
    set_option(socket_, IPPROTO_IPV6, MRT6_DEL_MFC, entry, "MRT6_DEL_MFC");
  }
}

}  // namespace mcast::testing
