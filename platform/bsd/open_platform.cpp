// SPDX-License-Identifier: BSD-2-Clause
#include "platform/bsd/link_source.hpp"
#include "platform/bsd/mroute_kernel.hpp"
#include "platform/bsd/table_keeper.hpp"
#include "platform/ports.hpp"
#include "platform/posix/discovery_socket.hpp"

namespace mcast::platform {

Result<Platform> open_platform() {
  const std::uint32_t tables = probe_tables();
  return Platform{make_table_keeper(tables), nullptr, make_mroute_kernel(tables),
                  TRY(open_link_source()), make_discovery_socket()};
}

}  // namespace mcast::platform
