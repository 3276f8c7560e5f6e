// SPDX-License-Identifier: BSD-2-Clause
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "core/config.hpp"

namespace mcast {
namespace {

/// Longer words are not slips of a keyword; it also bounds the work on hostile input.
constexpr std::size_t kLongestWord = 31;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Edit distance with transpositions (optimal string alignment), ignoring case.
std::size_t distance(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, kLongestWord + 1>;
  Row before{};
  Row last{};
  Row row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                           lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

/// How far a slip may be. Of two letters only their order can be wrong: "lo" is not a slip of "to".
bool is_slip(std::string_view word, std::string_view candidate, std::size_t edits) {
  const std::size_t longer = std::max(word.size(), candidate.size());
  if (edits == 0) return true;
  if (longer <= 2) return word.size() == 2 && lower(word[0]) == lower(candidate.back());
  return edits <= (longer <= 4 ? 1U : 2U);
}

}  // namespace

std::optional<std::string_view> closest_match(std::string_view word,
                                              const std::vector<std::string_view>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t fewest = kLongestWord + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.empty() || candidate.size() > kLongestWord) continue;
    const std::size_t edits = distance(word, candidate);
    if (edits < fewest && is_slip(word, candidate, edits)) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

}  // namespace mcast
