// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ipc/codec.hpp"
#include "ipc/control.hpp"

namespace mcast::ipc {

/// The protocol on one connection, without the connection: calls in, replies out. Holds at most one
/// reply and, for a list, the place where it goes on.
class Session {
 public:
  Session(ControlHandler& handler, std::size_t rows_per_reply)
      : handler_(handler), rows_per_reply_(rows_per_reply) {}

  /// Carries out one call, given without its NUL. Must not be called while a reply is due.
  void call(std::string_view message);
  /// The next message to send, with its NUL; none when the call is answered.
  [[nodiscard]] std::optional<std::string> next_reply();
  /// Nothing sensible can follow on this connection: close it once the replies are sent.
  [[nodiscard]] bool hopeless() const { return hopeless_; }

 private:
  void carry_out(Call call);
  template <class Open>
  void start_list(bool more, Open open);

  ControlHandler& handler_;
  std::size_t rows_per_reply_;
  std::optional<std::string> reply_;
  /// Makes the next piece of a list, and whether it is the last one.
  std::function<std::pair<std::string, bool>()> list_;
  bool hopeless_ = false;
};

}  // namespace mcast::ipc
