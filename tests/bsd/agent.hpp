// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "core/address.hpp"
#include "tests/bsd/station.hpp"
#include "tests/support/fd.hpp"

namespace mcast::testing {

/// Patience with the kernel, which is never a time that something has to take.
inline constexpr std::chrono::milliseconds kKernelPatience{20'000};

/// A Station in another process, which is somewhere else: in the jail of a host. It has nothing of
/// ours open but what it is told by, so that the kernel takes away what we close; and it ends with
/// this object or with this process.
class Agent {
 public:
  struct Hands {
    /// Goes to where the station shall be, and returns its interface.
    std::function<std::string()> settle;
    /// Gives the interface one more address.
    std::function<void(const Address&)> adopt;
  };
  /// Hands are used in the new process; what they throw is thrown here.
  Agent(std::string name, const Hands& hands);
  /// Returns when the process has ended, so that what it was in is free.
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  void join(const Address& group);
  /// From now on packets can have this source. Adopting twice does nothing.
  void adopt(const Address& address);
  std::uint64_t send(const Shipment& shipment);
  bool await(const Address& group, std::uint64_t flow, std::uint64_t number,
             std::chrono::milliseconds patience);
  std::uint64_t received(const Address& group, std::uint64_t flow);
  /// It prints what it has sent and received.
  void describe();

 private:
  struct Request;
  std::uint64_t ask(const Request& request);

  std::string name_;
  Fd line_;
  std::set<Address> adopted_;
  pid_t pid_ = -1;
};

}  // namespace mcast::testing
