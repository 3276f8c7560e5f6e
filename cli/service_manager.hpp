// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace mcast::cli {

/// Tells systemd (Type=notify) that the daemon is ready; does nothing where there is none.
void notify_ready();
void notify_stopping();

}  // namespace mcast::cli
