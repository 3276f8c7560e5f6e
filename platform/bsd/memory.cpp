// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/process.hpp"

namespace mcast::platform {

// jemalloc gives large blocks back as it is (dirty_decay_ms).
void give_back_freed_memory() {}

}  // namespace mcast::platform
