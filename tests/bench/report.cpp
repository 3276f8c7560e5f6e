// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace mcast::bench {
namespace {

using Row = std::array<std::string, 6>;

Row row_of(const Figure& figure) {
  const char* const verdict = figure.verdict == Verdict::met      ? "met"
                              : figure.verdict == Verdict::missed ? "MISSED"
                                                                  : "";
  return {figure.what, figure.ours, figure.beside, figure.result, figure.budget, verdict};
}

}  // namespace

std::string in_words(double seconds) {
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.1f} ms", seconds * 1e3);
  return fmt::format("{:.1f} us", seconds * 1e6);
}

void Report::add(Figure figure) {
  progress({});
  std::string line = figure.what + ": " + figure.ours;
  if (!figure.beside.empty()) line += " beside " + figure.beside;
  if (!figure.result.empty()) line += ": " + figure.result;
  if (!figure.budget.empty()) {
    line += fmt::format(", budget {}: {}", figure.budget,
                        figure.verdict == Verdict::met ? "met" : "MISSED");
  }
  fmt::print("{}\n", line);
  std::fflush(stdout);
  figures_.push_back(std::move(figure));
}

void Report::add_ratio(std::string what, double ours, double beside, std::string_view beside_name,
                       std::optional<double> limit) {
  const double ratio = ours / beside;
  Figure figure{.what = std::move(what),
                .ours = in_words(ours),
                .beside = fmt::format("{} {}", in_words(beside), beside_name),
                .result = fmt::format("{:.{}f} x", ratio, ratio < 0.01 ? 5 : 2)};
  if (limit) {
    figure.budget = fmt::format("<= {} x", *limit);
    figure.verdict = ratio <= *limit ? Verdict::met : Verdict::missed;
  }
  add(std::move(figure));
}

void Report::print_table() const {
  std::vector<Row> rows{{"MEASURED", "OURS", "BESIDE", "RESULT", "BUDGET", "VERDICT"}};
  for (const Figure& figure : figures_) rows.push_back(row_of(figure));
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  fmt::print("\n");
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

bool Report::all_met() const {
  return std::ranges::none_of(figures_,
                              [](const Figure& f) { return f.verdict == Verdict::missed; });
}

void Report::progress(const std::string& text) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (!terminal) return;
  fmt::print(stderr, "\r\033[K{}", text);
  std::fflush(stderr);
}

}  // namespace mcast::bench
