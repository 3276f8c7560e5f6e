// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/support/fd.hpp"
#include "tests/support/net_namespace.hpp"

#include <string>
#include <vector>

namespace mcast::testing {

/// The bare multicast routing socket of the default table: the kernel calls a router must make
/// and nothing else. Proves the harness without a daemon and is the yardstick of benchmarks.
class RawMrouter {
 public:
  enum class Role {
    owner,
    stranger,  ///< another program, which meddles with the table of whoever owns it
  };
  /// `family` is AF_INET or AF_INET6.
  RawMrouter(const NetNamespace& router, int family, Role role = Role::owner);

  void add_vif(unsigned slot, const std::string& interface);
  void remove_vif(unsigned slot);
  void put_route(const std::string& source, const std::string& group, unsigned in,
                 const std::vector<unsigned>& out);
  void drop_route(const std::string& source, const std::string& group);
  void report_wrong_interfaces(bool on) const;
  /// What upcalls are read from.
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  const NetNamespace* router_;
  int family_;
  Fd socket_;
};

}  // namespace mcast::testing
