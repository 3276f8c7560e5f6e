// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <expected>
#include <functional>
#include <string_view>

#include "cli/mcastctl_arguments.hpp"
#include "cli/mcastctl_render.hpp"
#include "ipc/client.hpp"

namespace mcast::cli {

/// Takes text as it comes.
using Output = std::function<void(std::string_view)>;

struct Question {
  List list = List::routes;
  ipc::Selection only{};
  bool json = false;
  TextStyle style{};  ///< of text
};

/// Asks the daemon for a list and writes it piece by piece.
[[nodiscard]] std::expected<void, ipc::Failure> show(ipc::Client& client, const Question& question,
                                                     const Output& output);

}  // namespace mcast::cli
