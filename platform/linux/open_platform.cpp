// SPDX-License-Identifier: BSD-2-Clause
#include "netlink/link_source.hpp"
#include "netlink/multicast_rule_socket.hpp"
#include "platform/linux/mroute_kernel.hpp"
#include "platform/linux/table_keeper.hpp"
#include "platform/ports.hpp"
#include "platform/posix/discovery_socket.hpp"

namespace mcast::platform {

Result<Platform> open_platform() {
  return Platform{make_table_keeper(), TRY(netlink::open_multicast_rule_socket(is_table_held)),
                  make_mroute_kernel(), TRY(netlink::open_link_source()), make_discovery_socket()};
}

}  // namespace mcast::platform
