// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <memory>

#include "core/result.hpp"
#include "platform/ports.hpp"

namespace mcast::platform {

struct LinkSourceOptions {
  /// In bytes; halved until the kernel takes it (kern.ipc.maxsockbuf). The default of 8 KB holds 44
  /// of the 240 messages of 120 interfaces that come at once. Tests shrink it to provoke overflow.
  int receive_buffer = 4 << 20;
  /// How often everything is read although nothing was told: the queue before the socket drops
  /// messages silently when it is full (net.route.netisr_maxqlen), and a change of an interface's
  /// FIB is not told at all.
  std::chrono::milliseconds recheck_interval = std::chrono::seconds(60);
};

/// Interfaces and addresses of the vnet of the calling process, by routing sockets.
[[nodiscard]] Result<std::unique_ptr<LinkSource>> open_link_source(
    const LinkSourceOptions& options = {});

}  // namespace mcast::platform
