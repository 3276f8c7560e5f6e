// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/net_namespace.hpp"

/// Multicast rules (`ip mrule`) as another program handles them. Failures throw
/// std::runtime_error.
namespace mcast::testing {

struct ForeignRule {
  bool ipv6 = false;
  std::string iif = {};  ///< empty: any
  std::string oif = {};
  std::uint32_t table = 0;
  std::uint32_t priority = 0;
  std::uint8_t protocol = 4;  ///< RTPROT_STATIC
  std::uint32_t mark = 0;     ///< of the packets that it takes; 0: any
};

void change_multicast_rule(const NetNamespace& net, const ForeignRule& rule, bool add);
/// All of both families, the kernel's last ones too.
void flush_multicast_rules(const NetNamespace& net);
/// All of both families in the kernel's order, as "ipv4 iif a table 10 pref 800 proto 77".
[[nodiscard]] std::vector<std::string> list_multicast_rules(const NetNamespace& net);

}  // namespace mcast::testing
