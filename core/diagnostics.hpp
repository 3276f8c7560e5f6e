// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"

namespace mcast {

/// `text` as printable ASCII, other bytes as \xNN: safe for terminals and JSON whatever a file or a
/// client sent.
[[nodiscard]] std::string printable(std::string_view text);
/// The same in double quotes, with the middle of something long left out.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// Collects what a parser has to say, up to kMaxDiagnostics errors and as many warnings.
class DiagnosticList {
 public:
  void error(std::string_view file, std::uint32_t line, std::uint32_t column, std::string message);
  void warning(std::string_view file, std::uint32_t line, std::uint32_t column,
               std::string message);
  /// Whether another warning would be kept; if not, `drop_warning` counts it without its text.
  [[nodiscard]] bool keeps_warnings() const { return warnings_ < kMaxDiagnostics; }
  void drop_warning() { ++warnings_; }
  [[nodiscard]] std::size_t errors() const { return errors_; }
  [[nodiscard]] bool full() const { return errors_ >= kMaxDiagnostics; }
  /// Says how much was left out.
  [[nodiscard]] std::vector<Diagnostic> take();

 private:
  std::vector<Diagnostic> list_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

}  // namespace mcast
