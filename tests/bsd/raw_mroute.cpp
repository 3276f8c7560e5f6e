// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/raw_mroute.hpp"

#include <sys/param.h>
// Others need sys/param.h before them.
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sockio.h>

#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>

#include <netinet/ip_mroute.h>
#include <netinet6/in6_var.h>
#include <netinet6/ip6_mroute.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "platform/posix/socket_address.hpp"

namespace mcast::testing {
namespace {

// What the kernel takes, byte for byte.
static_assert(sizeof(vifctl) == 16 && offsetof(vifctl, vifc_flags) == 2);
static_assert(offsetof(vifctl, vifc_rate_limit) == 4 && offsetof(vifctl, vifc_lcl_addr) == 8);
static_assert(sizeof(mfcctl) == 44 && offsetof(mfcctl, mfcc_parent) == 8);
static_assert(offsetof(mfcctl, mfcc_ttls) == 10 && sizeof(mfcctl::mfcc_ttls) == 32);
static_assert(sizeof(igmpmsg) == 20 && offsetof(igmpmsg, im_mbz) == 9);
static_assert(offsetof(igmpmsg, im_msgtype) == 8 && offsetof(igmpmsg, im_vif) == 10);
static_assert(sizeof(sioc_sg_req) == 32 && sizeof(sioc_vif_req) == 40);
static_assert(sizeof(mif6ctl) == 6 && offsetof(mif6ctl, mif6c_pifi) == 4);
static_assert(sizeof(mf6cctl) == 92 && offsetof(mf6cctl, mf6cc_mcastgrp) == 28);
static_assert(offsetof(mf6cctl, mf6cc_parent) == 56 && offsetof(mf6cctl, mf6cc_ifset) == 60);
static_assert(sizeof(mrt6msg) == 40 && offsetof(mrt6msg, im6_mbz) == 0);
static_assert(offsetof(mrt6msg, im6_msgtype) == 1 && offsetof(mrt6msg, im6_mif) == 2);
static_assert(MAXVIFS == 32 && MAXMIFS == 64 && MRT6_INIT == 108);

mf6cctl entry6(const FlowKey& flow) {
  mf6cctl entry{};
  entry.mf6cc_origin = platform::to_sockaddr6(flow.source);
  entry.mf6cc_mcastgrp = platform::to_sockaddr6(flow.group);
  return entry;
}

Fd raw_socket(int family, int protocol) {
  return Fd(check_call(::socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol), "raw socket"));
}

}  // namespace

std::string errno_name(int error) {
  constexpr std::array<std::pair<int, const char*>, 15> kNames{{{0, "done"},
                                                                {EPERM, "EPERM"},
                                                                {ENOENT, "ENOENT"},
                                                                {ESRCH, "ESRCH"},
                                                                {ENXIO, "ENXIO"},
                                                                {EACCES, "EACCES"},
                                                                {EEXIST, "EEXIST"},
                                                                {EINVAL, "EINVAL"},
                                                                {ENOTTY, "ENOTTY"},
                                                                {ENOPROTOOPT, "ENOPROTOOPT"},
                                                                {EOPNOTSUPP, "EOPNOTSUPP"},
                                                                {EADDRINUSE, "EADDRINUSE"},
                                                                {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
                                                                {ENOBUFS, "ENOBUFS"},
                                                                {ENOMEM, "ENOMEM"}}};
  for (const auto& [number, name] : kNames) {
    if (number == error) return name;
  }
  return std::strerror(error);
}

RawMroute4::RawMroute4() : socket_(raw_socket(AF_INET, IPPROTO_IGMP)) {}

template <class Value>
int RawMroute4::set(int option, const Value& value) {
  return ::setsockopt(fd(), IPPROTO_IP, option, &value, sizeof value) == 0 ? 0 : errno;
}

int RawMroute4::init() {
  return set(MRT_INIT, 1);
}

int RawMroute4::done() {
  return ::setsockopt(fd(), IPPROTO_IP, MRT_DONE, nullptr, 0) == 0 ? 0 : errno;
}

int RawMroute4::add_vif(unsigned slot, const Address& local) {
  vifctl request{};
  request.vifc_vifi = static_cast<vifi_t>(slot);
  request.vifc_threshold = 1;
  request.vifc_lcl_addr = platform::to_in(local);
  return set(MRT_ADD_VIF, request);
}

int RawMroute4::del_vif(unsigned slot) {
  return set(MRT_DEL_VIF, static_cast<vifi_t>(slot));
}

int RawMroute4::add_mfc(const FlowKey& flow, unsigned parent,
                        std::initializer_list<unsigned> outputs) {
  mfcctl entry{};
  entry.mfcc_origin = platform::to_in(flow.source);
  entry.mfcc_mcastgrp = platform::to_in(flow.group);
  entry.mfcc_parent = static_cast<vifi_t>(parent);
  for (const unsigned output : outputs) entry.mfcc_ttls[output] = 1;
  return set(MRT_ADD_MFC, entry);
}

int RawMroute4::del_mfc(const FlowKey& flow) {
  mfcctl entry{};
  entry.mfcc_origin = platform::to_in(flow.source);
  entry.mfcc_mcastgrp = platform::to_in(flow.group);
  return set(MRT_DEL_MFC, entry);
}

int RawMroute4::count_flow(const FlowKey& flow, RawCounters& counters) {
  sioc_sg_req request{};
  request.src = platform::to_in(flow.source);
  request.grp = platform::to_in(flow.group);
  if (::ioctl(fd(), SIOCGETSGCNT, &request) != 0) return errno;
  counters = {request.pktcnt, request.wrong_if};
  return 0;
}

int RawMroute4::count_vif(unsigned slot, std::uint64_t& packets_out) {
  sioc_vif_req request{};
  request.vifi = static_cast<vifi_t>(slot);
  if (::ioctl(fd(), SIOCGETVIFCNT, &request) != 0) return errno;
  packets_out = request.ocount;
  return 0;
}

RawMroute6::RawMroute6() : socket_(raw_socket(AF_INET6, IPPROTO_ICMPV6)) {}

template <class Value>
int RawMroute6::set(int option, const Value& value) {
  return ::setsockopt(fd(), IPPROTO_IPV6, option, &value, sizeof value) == 0 ? 0 : errno;
}

int RawMroute6::init() {
  return set(MRT6_INIT, 1);
}

int RawMroute6::done() {
  return ::setsockopt(fd(), IPPROTO_IPV6, MRT6_DONE, nullptr, 0) == 0 ? 0 : errno;
}

int RawMroute6::add_mif(unsigned slot, unsigned interface) {
  mif6ctl request{};
  request.mif6c_mifi = static_cast<mifi_t>(slot);
  request.mif6c_pifi = static_cast<unsigned short>(interface);
  return set(MRT6_ADD_MIF, request);
}

int RawMroute6::del_mif(unsigned slot) {
  return set(MRT6_DEL_MIF, static_cast<mifi_t>(slot));
}

int RawMroute6::add_mfc(const FlowKey& flow, unsigned parent,
                        std::initializer_list<unsigned> outputs) {
  mf6cctl entry = entry6(flow);
  entry.mf6cc_parent = static_cast<mifi_t>(parent);
  for (const unsigned output : outputs)
    entry.mf6cc_ifset.ifs_bits[output / 32] |= 1U << output % 32;
  return set(MRT6_ADD_MFC, entry);
}

int RawMroute6::del_mfc(const FlowKey& flow) {
  return set(MRT6_DEL_MFC, entry6(flow));
}

int RawMroute6::count_flow(const FlowKey& flow, RawCounters& counters) {
  sioc_sg_req6 request{};
  request.src = platform::to_sockaddr6(flow.source);
  request.grp = platform::to_sockaddr6(flow.group);
  if (::ioctl(fd(), SIOCGETSGCNT_IN6, &request) != 0) return errno;
  counters = {request.pktcnt, request.wrong_if};
  return 0;
}

}  // namespace mcast::testing
