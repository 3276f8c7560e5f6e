// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>

#include "core/ids.hpp"

namespace mcast::cli {

/// On the clock that deadlines are given by.
[[nodiscard]] Milliseconds now();

/// When something has to be looked at again although nothing happened.
class Deadline {
 public:
  Deadline(asio::io_context& loop, std::function<void()> passed);

  /// Replaces the one before; none: never.
  void set(std::optional<Milliseconds> at);

 private:
  asio::steady_timer timer_;
  const std::function<void()> passed_;
};

}  // namespace mcast::cli
