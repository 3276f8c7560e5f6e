// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/routes.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/mroute.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace mcast::bench {
namespace {

using testing::check_call;
using testing::Fd;
using testing::NetNamespace;

in_addr to_in(const Address& address) {
  in_addr in{};
  std::memcpy(&in, address.octets().data(), sizeof in);
  return in;
}

Fd open_igmp_socket(const NetNamespace& router) {
  return router.run([] {
    return Fd(check_call(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IGMP), "socket"));
  });
}

template <class Value>
void set_option(const Fd& socket, int option, const Value& value, const char* what) {
  check_call(::setsockopt(socket.get(), IPPROTO_IP, option, &value, sizeof value), what);
}

}  // namespace

FlowKey flow_number(Family family, std::size_t n) {
  const auto octet = [&](unsigned shift) { return static_cast<std::uint8_t>(n >> shift); };
  if (family == Family::ipv4) {
    const std::array<std::uint8_t, 4> source{10, 1, 0, 2};
    const std::array<std::uint8_t, 4> group{239, static_cast<std::uint8_t>(1 + (n >> 16)), octet(8),
                                            octet(0)};
    return {Address::from_v4(source), Address::from_v4(group)};
  }
  const std::array<std::uint8_t, 16> source{0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  std::array<std::uint8_t, 16> group{0xff, 0x1e};
  group[11] = 1;
  group[13] = octet(16);
  group[14] = octet(8);
  group[15] = octet(0);
  return {Address::from_v6(source), Address::from_v6(group)};
}

std::string route_lines(Family family, std::size_t count, std::string_view to) {
  std::string text;
  for (std::size_t n = 0; n < count; ++n) {
    const FlowKey flow = flow_number(family, n);
    text += fmt::format("mroute from eth0 source {} group {} to {}\n", flow.source.to_string(),
                        flow.group.to_string(), to);
  }
  return text;
}

BareLoop::BareLoop(const NetNamespace& router) : socket_(open_igmp_socket(router)) {
  set_option(socket_, MRT_INIT, 1, "MRT_INIT");
  vifi_t slot = 0;
  for (const char* const name : {"eth0", "eth1", "eth2"}) {
    vifctl vif{};
    vif.vifc_vifi = slot++;
    vif.vifc_flags = VIFF_USE_IFINDEX;
    vif.vifc_threshold = 1;
    vif.vifc_lcl_ifindex = static_cast<int>(router.index_of(name));
    set_option(socket_, MRT_ADD_VIF, vif, "MRT_ADD_VIF");
  }
}

Cost BareLoop::put_routes(std::size_t count) const {
  std::vector<mfcctl> entries(count);
  for (std::size_t n = 0; n < count; ++n) {
    const FlowKey flow = flow_number(Family::ipv4, n);
    entries[n].mfcc_origin = to_in(flow.source);
    entries[n].mfcc_mcastgrp = to_in(flow.group);
    entries[n].mfcc_ttls[1] = entries[n].mfcc_ttls[2] = 1;
  }
  const Stopwatch watch;
  for (const mfcctl& entry : entries) set_option(socket_, MRT_ADD_MFC, entry, "MRT_ADD_MFC");
  return watch.cost();
}

TableView::TableView(const NetNamespace& router) : socket_(open_igmp_socket(router)) {}

bool TableView::has_flow(std::size_t n) const {
  const FlowKey flow = flow_number(Family::ipv4, n);
  sioc_sg_req request{};
  request.src = to_in(flow.source);
  request.grp = to_in(flow.group);
  return ::ioctl(socket_.get(), SIOCGETSGCNT, &request) == 0;
}

bool TableView::has_all(std::size_t count) const {
  for (std::size_t n = count; n > 0; --n) {
    if (!has_flow(n - 1)) return false;
  }
  return true;
}

}  // namespace mcast::bench
