// SPDX-License-Identifier: BSD-2-Clause
//
// Multicast routing by bare system calls: what the kernel itself does, whatever our backend makes
// of it. Calls return 0 or an errno.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/address.hpp"
#include "tests/support/fd.hpp"

namespace mcast::testing {

/// For messages of failed checks: "EADDRINUSE" and the like, "done" for 0.
[[nodiscard]] std::string errno_name(int error);

struct RawCounters {
  std::uint64_t packets = 0;
  std::uint64_t wrong_interface = 0;
};

class RawMroute4 {
 public:
  RawMroute4();
  [[nodiscard]] int fd() const { return socket_.get(); }

  int init();
  int done();
  int add_vif(unsigned slot, const Address& local);
  int del_vif(unsigned slot);
  int add_mfc(const FlowKey& flow, unsigned parent, std::initializer_list<unsigned> outputs);
  int del_mfc(const FlowKey& flow);
  int count_flow(const FlowKey& flow, RawCounters& counters);
  int count_vif(unsigned slot, std::uint64_t& packets_out);

 private:
  template <class Value>
  int set(int option, const Value& value);
  Fd socket_;
};

class RawMroute6 {
 public:
  RawMroute6();
  [[nodiscard]] int fd() const { return socket_.get(); }

  int init();
  int done();
  int add_mif(unsigned slot, unsigned interface);
  int del_mif(unsigned slot);
  int add_mfc(const FlowKey& flow, unsigned parent, std::initializer_list<unsigned> outputs);
  int del_mfc(const FlowKey& flow);
  int count_flow(const FlowKey& flow, RawCounters& counters);

 private:
  template <class Value>
  int set(int option, const Value& value);
  Fd socket_;
};

}  // namespace mcast::testing
