// SPDX-License-Identifier: BSD-2-Clause
#include <cstdlib>

#include "platform/posix/process.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace mcast::platform {

void give_back_freed_memory() {
#ifdef __GLIBC__
  // The default of mallopt(3); setting it stops it from growing with the largest block freed.
  constexpr int kOwnMappingFrom = 128 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kOwnMappingFrom);
#endif
}

}  // namespace mcast::platform
