// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/types.h>

#include "core/address.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/raw_mrouter.hpp"

namespace mcast::bench {

/// The least a program can do to learn flows, as a process of its own: poll, recv, MRT_ADD_MFC.
class BareLearner {
 public:
  /// Forwards what arrives on eth0 of `router` to eth1.
  BareLearner(const testing::NetNamespace& router, Family family);
  ~BareLearner();
  BareLearner(const BareLearner&) = delete;
  BareLearner& operator=(const BareLearner&) = delete;

 private:
  testing::RawMrouter socket_;
  pid_t process_ = -1;
};

}  // namespace mcast::bench
