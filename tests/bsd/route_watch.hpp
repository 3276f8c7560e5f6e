// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/fd.hpp"

namespace mcast::testing {

/// One message of a routing socket, as far as the tests ask.
struct RouteEvent {
  std::uint8_t type = 0;  ///< RTM_*; 0 where messages were lost
  std::uint16_t index = 0;
  std::string name;         ///< of IFANNOUNCE, and of the IFP of NEWADDR and DELADDR
  std::uint16_t what = 0;   ///< IFAN_*
  std::uint32_t flags = 0;  ///< of IFINFO
  std::uint32_t addrs = 0;  ///< which socket addresses follow
  std::string address;      ///< the IFA of NEWADDR and DELADDR
  std::size_t size = 0;

  [[nodiscard]] std::string describe() const;
};

/// Listens to a routing socket by means of its own, so that what our backend makes of one can be
/// compared. Keeps all it has read.
class RouteWatch {
 public:
  struct Settings {
    int protocol = 0;
    int fib = -1;  ///< that of the process
    int room = 1 << 20;
  };
  RouteWatch();
  explicit RouteWatch(const Settings& settings);

  [[nodiscard]] int fd() const { return socket_.get(); }
  /// What waits.
  std::vector<RouteEvent> drain();
  /// Reads until there is an event of which this holds; what came before it is in history().
  RouteEvent await(const std::function<bool(const RouteEvent&)>& is_it, const std::string& what);
  [[nodiscard]] const std::vector<RouteEvent>& history() const { return history_; }
  void forget() { history_.clear(); }
  /// Line by line.
  [[nodiscard]] std::string describe();

 private:
  /// False if nothing waits.
  bool read();

  Fd socket_;
  std::vector<RouteEvent> history_;
};

}  // namespace mcast::testing
