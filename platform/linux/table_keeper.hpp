// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "platform/ports.hpp"

namespace mcast::platform {

/// Opens table sockets of the calling thread's network namespace. The default tables need
/// CAP_NET_RAW, others CAP_NET_ADMIN as well.
[[nodiscard]] std::unique_ptr<TableKeeper> make_table_keeper();

}  // namespace mcast::platform
