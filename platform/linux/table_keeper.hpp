// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "platform/ports.hpp"

namespace mcast::platform {

/// Opens table sockets of the calling thread's network namespace. The default tables need
/// CAP_NET_RAW, others CAP_NET_ADMIN as well.
[[nodiscard]] std::unique_ptr<TableKeeper> make_table_keeper();

/// Whether a program has this table, this one included. The kernel tells only one who would take
/// it; what is taken for that is given back at once, and it held nothing.
[[nodiscard]] bool is_table_held(TableKey table);

}  // namespace mcast::platform
