// SPDX-License-Identifier: BSD-2-Clause
#include "cli/service_manager.hpp"

#ifdef MCASTD_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace mcast::cli {

namespace {

void notify([[maybe_unused]] const char* state) {
#ifdef MCASTD_HAVE_SYSTEMD
  // Best effort: without NOTIFY_SOCKET in the environment this does nothing.
  ::sd_notify(0, state);
#endif
}

}  // namespace

void notify_ready() {
  notify("READY=1");
}
void notify_stopping() {
  notify("STOPPING=1");
}

}  // namespace mcast::cli
