// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mcast {

/// A word of a configuration file and where it begins; columns count bytes from 1.
struct Word {
  std::string_view text;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// Splits text into logical lines of words. A backslash that only blanks follow joins the next
/// line;
/// `#` begins a comment anywhere. A comment does not end a joined line if it ends in a backslash
/// itself, so that one line of a long list can be commented out.
class ConfigLexer {
 public:
  /// Words of a line from this one on are dropped, so that no file can use up the memory.
  static constexpr std::size_t kMaxWords = std::size_t{1} << 20;

  /// `text` has to outlive the words.
  explicit ConfigLexer(std::string_view text);

  /// The words of the next logical line that has any. False at the end of the text.
  [[nodiscard]] bool next(std::vector<Word>& words);

 private:
  void read_word(std::vector<Word>& words);
  void skip_comment();
  /// Whether the backslash here is the last thing on its line but blanks.
  [[nodiscard]] bool continues_line(const char* backslash) const;
  void pass_newline();

  const char* at_;
  const char* end_;
  const char* line_begin_;
  std::uint32_t line_ = 1;
};

}  // namespace mcast
