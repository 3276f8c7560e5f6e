// SPDX-License-Identifier: BSD-2-Clause
#include "cli/deadline.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace mcast::cli {

Milliseconds now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

Deadline::Deadline(asio::io_context& loop, std::function<void()> passed)
    : timer_(loop), passed_(std::move(passed)) {}

void Deadline::set(std::optional<Milliseconds> at) {
  if (!at) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::milliseconds(std::max<Milliseconds>(*at - now(), 1)));
  timer_.async_wait([this](const std::error_code& error) {
    if (!error) passed_();
  });
}

}  // namespace mcast::cli
