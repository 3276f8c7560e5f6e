// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcast::bench {

enum class Verdict : std::uint8_t { noted, met, missed };

/// What one measurement found, beside what it is compared with in the same run.
struct Figure {
  std::string what;
  std::string ours;
  std::string beside;  ///< "12.3 ms bare calls"; empty where there is nothing to compare with
  std::string result;  ///< what the budget is about: a ratio or a count
  std::string budget = {};
  Verdict verdict = Verdict::noted;
};

/// Prints each figure when it is there, and all of them as one table at the end.
class Report {
 public:
  void add(Figure figure);
  /// `ours` and `beside` in seconds. Without a limit the ratio is only noted.
  void add_ratio(std::string what, double ours, double beside, std::string_view beside_name,
                 std::optional<double> limit);
  void print_table() const;
  [[nodiscard]] bool all_met() const;

  /// What is going on, on a terminal; replaced by whatever comes next.
  static void progress(const std::string& text);

 private:
  std::vector<Figure> figures_;
};

/// With the unit that suits: "1.23 s", "45.6 ms", "7.8 us".
[[nodiscard]] std::string in_words(double seconds);

}  // namespace mcast::bench
