// SPDX-License-Identifier: BSD-2-Clause
#include "core/diagnostics.hpp"

#include <doctest/doctest.h>

using namespace mcast;

TEST_CASE("a diagnostic leaves out what it does not know") {
  CHECK(Diagnostic{Diagnostic::Severity::error, "f", 3, 7, "m"}.to_string() == "f:3:7: m");
  CHECK(Diagnostic{Diagnostic::Severity::error, "f", 3, 0, "m"}.to_string() == "f:3: m");
  CHECK(Diagnostic{Diagnostic::Severity::error, "f", 0, 0, "m"}.to_string() == "f: m");
  CHECK(Diagnostic{Diagnostic::Severity::warning, "f", 3, 7, "m"}.to_string() ==
        "f:3:7: warning: m");
  CHECK(Diagnostic{Diagnostic::Severity::warning, "", 0, 0, "m"}.to_string() == "warning: m");
}

TEST_CASE("text for people is printable ASCII on one line") {
  CHECK(printable("a\nb\x7f\xff") == "a\\x0ab\\x7f\\xff");
  CHECK(in_quotes("eth0") == "\"eth0\"");
  CHECK(in_quotes(std::string(1000, 'x')).size() < 200);
}

TEST_CASE("errors and warnings are capped apart") {
  DiagnosticList list;
  for (std::size_t i = 0; i < kMaxDiagnostics + 5; ++i) list.warning("f", 1, 1, "w");
  CHECK_FALSE(list.full());
  list.error("f", 1, 1, "e");
  CHECK(list.errors() == 1);
  CHECK(list.take().size() == kMaxDiagnostics + 2);
}
