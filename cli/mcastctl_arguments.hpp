// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "ipc/control.hpp"

namespace mcast::cli {

enum class Action : std::uint8_t { show, change, batch, reload, flush, kill, version, help };
enum class List : std::uint8_t { routes, groups, interfaces, pending };

/// What a command line asks of the client.
struct Invocation {
  std::string socket;  ///< path
  bool detail = false;
  bool json = false;
  bool plain = false;
  bool headings = true;
  Action action = Action::show;
  List list = List::routes;  ///< to show
  ipc::Selection only;       ///< of which table to show or flush
  ipc::Command change;
  std::string topic;  ///< of help: the full name of a command; empty for an overview
};

/// Options may stand anywhere before "--"; commands and the words of `show` may be abbreviated.
/// Every error is ErrorCode::usage.
[[nodiscard]] Result<Invocation> parse_arguments(std::string_view program,
                                                 const std::vector<std::string>& arguments);

struct Batch {
  std::vector<ipc::Command> commands;
  std::vector<std::size_t> lines;  ///< where each command stands, from 1
};
/// One change per line; "#" begins a comment. An error names the line.
[[nodiscard]] Result<Batch> parse_batch(std::istream& input);

}  // namespace mcast::cli
