// SPDX-License-Identifier: BSD-2-Clause
#include "core/diagnostics.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace mcast {
namespace {

constexpr std::size_t kLongestShown = 200;

void append_printable(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  append_printable(out, text);
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  if (text.size() <= kLongestShown) {
    append_printable(out, text);
  } else {
    append_printable(out, text.substr(0, kLongestShown / 2));
    out += "...";
    append_printable(out, text.substr(text.size() - kLongestShown / 4));
  }
  return out + '"';
}

std::string Diagnostic::to_string() const {
  std::string text = file;
  if (line != 0) fmt::format_to(std::back_inserter(text), ":{}", line);
  if (line != 0 && column != 0) fmt::format_to(std::back_inserter(text), ":{}", column);
  const std::string_view kind = severity == Severity::warning ? "warning: " : "";
  return fmt::format("{}{}{}{}", text, text.empty() ? "" : ": ", kind, message);
}

void DiagnosticList::error(std::string_view file, std::uint32_t line, std::uint32_t column,
                           std::string message) {
  if (full()) return;
  ++errors_;
  list_.push_back({Diagnostic::Severity::error, printable(file), line, column, std::move(message)});
}

void DiagnosticList::warning(std::string_view file, std::uint32_t line, std::uint32_t column,
                             std::string message) {
  if (++warnings_ > kMaxDiagnostics) return;
  list_.push_back(
      {Diagnostic::Severity::warning, printable(file), line, column, std::move(message)});
}

std::vector<Diagnostic> DiagnosticList::take() {
  if (warnings_ > kMaxDiagnostics) {
    list_.push_back({Diagnostic::Severity::warning, "", 0, 0,
                     fmt::format("{} more warnings are not shown", warnings_ - kMaxDiagnostics)});
  }
  if (full()) {
    list_.push_back({Diagnostic::Severity::error, "", 0, 0,
                     fmt::format("too many errors: stopped after {}", kMaxDiagnostics)});
  }
  return std::exchange(list_, {});
}

}  // namespace mcast
