// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "core/address.hpp"
#include "tests/bsd/cable.hpp"

namespace mcast::testing {

/// All cables of a case, by the names of their interfaces.
class Cables {
 public:
  Cable& add(const std::string& name);
  void remove(const std::string& name);
  void rename(const std::string& name, const std::string& to);
  [[nodiscard]] Cable& at(const std::string& name) const;

  /// The host behind an interface sends a packet. Returns the interfaces whose hosts have got it,
  /// once it cannot arrive anywhere else any more.
  std::set<std::string> send(const std::string& from, const Address& group);
  /// The same with a packet that has the address of another interface's host.
  std::set<std::string> send_as(const std::string& from, const std::string& host,
                                const Address& group);
  /// The interfaces whose hosts have got packets of the group that they had not got so far.
  std::set<std::string> late_arrivals(const Address& group);
  /// Hosts print what they have sent and received.
  void describe();

 private:
  struct Sent {
    const Cable* from;
    Address source;
    Address group;
    auto operator<=>(const Sent&) const = default;
  };
  std::set<std::string> send_from(const std::string& from, const Address& source,
                                  const Address& group);

  std::map<std::string, std::unique_ptr<Cable>> cables_;
  /// The number that tells these packets from all others.
  std::map<Sent, std::uint64_t> flows_;
  /// By receiving cable and flow, how many so far.
  std::map<std::pair<const Cable*, std::uint64_t>, std::uint64_t> seen_;
  unsigned made_ = 0;
  std::uint64_t next_flow_ = kFirstFlow;
};

}  // namespace mcast::testing
