// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bsd/cable.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>

#include "tests/bsd/state_report.hpp"

namespace mcast::testing {
namespace {

/// Markers are of IPv6, as each interface that is up has an address for its link, whatever the case
/// takes from it. No router forwards the group.
constexpr const char* kMarker = "ff02::9999";

Address marker_group() {
  return *Address::parse(kMarker);
}

Shipment marker(std::uint64_t flow) {
  return {.group = marker_group(), .source = {}, .flow = flow, .hops = 1};
}

unsigned prefix_length(Family family) {
  return family == Family::ipv4 ? 24 : 64;
}

Address address(Family family, unsigned number, unsigned host) {
  return *Address::parse(family == Family::ipv4 ? fmt::format("10.{}.0.{}", number, host)
                                                : fmt::format("fd00:{}::{}", number, host));
}

}  // namespace

Cable::Cable(std::string name, unsigned number) : name_(std::move(name)), number_(number) {
  const Epair ends = make_epair();
  far_end_ = ends.b;
  try {
    rename_interface(ends.a, name_);
  } catch (...) {
    destroy_interface(ends.a);
    throw;
  }
  lend_interface(far_end_, jail_.id());
  const auto adopt = [this](const Address& address) {
    add_interface_address(far_end_, address, prefix_length(address.family()));
  };
  const auto settle = [&] {
    jail_.enter();
    settle_network();
    set_interface_up(far_end_, true);
    for (const Family family : {Family::ipv4, Family::ipv6}) adopt(host_address(family));
    return far_end_;
  };
  host_ = std::make_unique<Agent>("the host of " + name_, Agent::Hands{settle, adopt});
  host_->join(marker_group());
  configure();
}

Cable::~Cable() {
  try {
    // Sockets before the interface that they have joined groups on, interfaces before the network
    // that they would be given back from.
    station_.reset();
    host_.reset();
    if (borrower_) reclaim_interface(name_, *borrower_);
    destroy_interface(name_);
  } catch (const std::exception& problem) {
    fmt::print("taking {} away: {}\n", name_, problem.what());
  }
}

void Cable::configure() {
  // It is the change that gives it an address for its link; one that comes back may be up still.
  set_interface_up(name_, false);
  set_interface_up(name_, true);
  for (const Family family : {Family::ipv4, Family::ipv6}) add_address(family);
  up_ = true;
  station_ = std::make_unique<Station>(name_);
  station_->join(marker_group());
  await_passage();
}

void Cable::await_passage() {
  const auto end = std::chrono::steady_clock::now() + kKernelPatience;
  std::string why = "nothing arrives";
  while (std::chrono::steady_clock::now() < end) {
    try {
      constexpr std::chrono::milliseconds kMoment{100};
      const auto up = host_->send(marker(up_flow()));
      const auto down = station_->send(marker(down_flow()));
      if (station_->await(marker_group(), up_flow(), up, kMoment) &&
          host_->await(marker_group(), down_flow(), down, kMoment)) {
        return;
      }
    } catch (const std::runtime_error& problem) {
      why = problem.what();
    }
  }
  give_up(fmt::format("the cable of {} passes no packets: {}", name_, why));
}

Address Cable::router_address(Family family) const {
  return address(family, number_, 1);
}

Address Cable::host_address(Family family) const {
  return address(family, number_, 2);
}

void Cable::rename(const std::string& to) {
  rename_interface(name_, to);
  name_ = to;
}

void Cable::set_up(bool up) {
  set_interface_up(name_, up);
  up_ = up;
  if (up) await_passage();
}

void Cable::add_address(Family family) {
  add_interface_address(name_, router_address(family), prefix_length(family));
}

void Cable::remove_address(Family family) {
  remove_interface_address(name_, router_address(family));
}

void Cable::lend(const Jail& jail) {
  station_.reset();
  lend_interface(name_, jail.id());
  borrower_ = jail.id();
}

void Cable::take_back() {
  if (!borrower_) throw std::logic_error(name_ + " was not lent");
  reclaim_interface(name_, *borrower_);
  borrower_.reset();
  configure();
}

void Cable::send(const Shipment& shipment) {
  if (shipment.source != host_address(shipment.group.family())) host_->adopt(shipment.source);
  host_->send(shipment);
  settle_upstream();
}

void Cable::settle_upstream() {
  if (!passes()) return;
  const auto number = host_->send(marker(up_flow()));
  if (!station_->await(marker_group(), up_flow(), number, kKernelPatience)) {
    give_up(fmt::format("a marker from the host of {} does not arrive", name_));
  }
}

void Cable::settle_downstream() {
  if (!passes()) return;
  const auto number = station_->send(marker(down_flow()));
  if (!host_->await(marker_group(), down_flow(), number, kKernelPatience)) {
    give_up(fmt::format("a marker to the host of {} does not arrive", name_));
  }
}

}  // namespace mcast::testing
