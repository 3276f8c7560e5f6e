// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.hpp"
#include "tests/bench/stopwatch.hpp"
#include "tests/support/fd.hpp"
#include "tests/support/net_namespace.hpp"

namespace mcast::bench {

/// The n-th flow that benchmarks use: one source, many groups.
[[nodiscard]] FlowKey flow_number(Family family, std::size_t n);

/// Lines for the flows 0 to `count`, from eth0 to the interfaces in `to`.
[[nodiscard]] std::string route_lines(Family family, std::size_t count, std::string_view to);

/// The same routes by bare kernel calls, without a daemon: the yardstick. IPv4, default table.
class BareLoop {
 public:
  /// Binds eth0, eth1 and eth2 of `router` to the slots 0, 1 and 2.
  explicit BareLoop(const testing::NetNamespace& router);
  /// MRT_ADD_MFC for the flows 0 to `count`, from slot 0 to slots 1 and 2.
  [[nodiscard]] Cost put_routes(std::size_t count) const;

 private:
  testing::Fd socket_;
};

/// Looks into the kernel's IPv4 default table from outside, whoever owns it.
class TableView {
 public:
  explicit TableView(const testing::NetNamespace& router);
  [[nodiscard]] bool has_flow(std::size_t n) const;
  /// Whether the flows 0 to `count` are all there; asks for the last one first.
  [[nodiscard]] bool has_all(std::size_t count) const;

 private:
  testing::Fd socket_;
};

}  // namespace mcast::bench
