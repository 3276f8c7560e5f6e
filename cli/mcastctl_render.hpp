// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "ipc/control.hpp"

/// The text and JSON of the client, byte for byte what scripts for SMCRoute read. Every function
/// gives whole lines, or one JSON value.
namespace mcast::cli {

struct TextStyle {
  bool headings = true;
  bool detail = false;
  /// Underlined and reversed headings instead of plain ones.
  bool drawn = false;
  std::size_t width = 79;       ///< of drawn headings, in columns
  std::size_t table_width = 0;  ///< of a TABLE column; 0: there is none
};

/// A ruled title above a table, or nothing without headings.
[[nodiscard]] std::string title(const TextStyle& style, std::string_view text);

/// `name_width` is the length of the longest interface name of the host, `table` what stands in the
/// TABLE column.
[[nodiscard]] std::string interface_heading(const TextStyle& style, std::size_t name_width);
[[nodiscard]] std::string to_text(const TextStyle& style, const ipc::InterfaceRow& row,
                                  std::size_t name_width, std::string_view table = {});

[[nodiscard]] std::string group_heading(const TextStyle& style);
[[nodiscard]] std::string to_text(const TextStyle& style, const ipc::GroupRow& row,
                                  std::string_view table = {});

[[nodiscard]] std::string route_heading(const TextStyle& style, std::size_t name_width);
[[nodiscard]] std::string to_text(const TextStyle& style, const ipc::RouteRow& row,
                                  std::size_t name_width, std::string_view table = {});

[[nodiscard]] std::string pending_heading(const TextStyle& style);
[[nodiscard]] std::string to_text(const TextStyle& style, const ipc::PendingRow& row);

/// One line for a person: how full the table is, or why it is not in use.
[[nodiscard]] std::string to_text(const ipc::TableRow& row);
[[nodiscard]] std::string to_json(const ipc::InterfaceRow& row);
[[nodiscard]] std::string to_json(const ipc::TableRow& row);
[[nodiscard]] std::string to_json(const ipc::GroupRow& row);
[[nodiscard]] std::string to_json(const ipc::RouteRow& row);
[[nodiscard]] std::string to_json(const ipc::PendingRow& row);

}  // namespace mcast::cli
