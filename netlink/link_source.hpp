// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "core/result.hpp"
#include "platform/ports.hpp"

namespace mcast::netlink {

struct LinkSourceOptions {
  /// In bytes, before the kernel doubles it. 5,000 interfaces that come and go at once send 43 MB
  /// of messages. Tests shrink it to provoke overflow.
  int receive_buffer = 32 << 20;
};

/// Interfaces and addresses of the network namespace of the calling thread, by rtnetlink.
[[nodiscard]] Result<std::unique_ptr<platform::LinkSource>> open_link_source(
    const LinkSourceOptions& options = {});

}  // namespace mcast::netlink
