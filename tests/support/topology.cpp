// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/topology.hpp"

#include <fmt/format.h>

namespace mcast::testing {

Host::Host(unsigned number)
    : number_(number),
      v4_(fmt::format("10.{}.0.2", number)),
      v6_(fmt::format("fd00:{}::2", number)) {
  net_.add_bridge(kLan);
  // A bridge without a port has no carrier, and takes its time to notice when it has one again.
  net_.add_veth("stay0", net_, "stay1");
  net_.enslave("stay0", kLan);
  net_.add_address(kLan, v4_ + "/24");
  net_.add_address(kLan, v6_ + "/64");
}

const std::string& Host::address_for(const std::string& group) const {
  return group.find(':') == std::string::npos ? v4_ : v6_;
}

MulticastSender Host::sender(const std::string& group, MulticastSender::Options options) const {
  if (options.source.empty()) options.source = address_for(group);
  return {net_, kLan, group, options};
}

MulticastReceiver Host::receiver(const std::string& group,
                                 const MulticastReceiver::Options& options) const {
  return {net_, kLan, group, options};
}

Host& Topology::add_host() {
  return hosts_.emplace_back(static_cast<unsigned>(hosts_.size() + 1));
}

void Topology::plug(const std::string& interface, Host& host) {
  const std::string port = fmt::format("port{}", ++cables_);
  router_.add_veth(interface, host.net(), port);
  host.net().enslave(port, Host::kLan);
  router_.add_address(interface, fmt::format("10.{}.0.1/24", host.number()));
  router_.add_address(interface, fmt::format("fd00:{}::1/64", host.number()));
}

void Topology::pull(const std::string& interface) {
  router_.remove_link(interface);
}

}  // namespace mcast::testing
