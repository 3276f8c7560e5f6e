// SPDX-License-Identifier: BSD-2-Clause
#include "core/config_lexer.hpp"

#include <algorithm>
#include <array>

namespace mcast {
namespace {

enum class Kind : std::uint8_t { word, blank, newline, comment, backslash };

constexpr std::array<Kind, 256> kKinds = [] {
  std::array<Kind, 256> kinds{};
  for (const char c : {' ', '\t', '\r', '\v', '\f'})
    kinds[static_cast<unsigned char>(c)] = Kind::blank;
  kinds['\n'] = Kind::newline;
  kinds['#'] = Kind::comment;
  kinds['\\'] = Kind::backslash;
  return kinds;
}();

Kind kind_of(char c) {
  return kKinds[static_cast<unsigned char>(c)];
}

/// What editors on other systems put in front of UTF-8 text.
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

ConfigLexer::ConfigLexer(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  at_ = line_begin_ = text.data();
  end_ = at_ + text.size();
}

bool ConfigLexer::next(std::vector<Word>& words) {
  words.clear();
  while (at_ != end_) {
    switch (kind_of(*at_)) {
      case Kind::blank:
        ++at_;
        break;
      case Kind::newline:
        pass_newline();
        if (!words.empty()) return true;
        break;
      case Kind::comment:
        skip_comment();
        break;
      case Kind::backslash:
        if (continues_line(at_)) {
          at_ = std::find(at_, end_, '\n');
          if (at_ != end_) pass_newline();
          break;
        }
        [[fallthrough]];
      case Kind::word:
        read_word(words);
        break;
    }
  }
  return !words.empty();
}

void ConfigLexer::read_word(std::vector<Word>& words) {
  const char* const begin = at_;
  const char* p = begin + 1;
  const char* const end = end_;
  while (true) {
    while (p != end && kind_of(*p) == Kind::word) ++p;
    if (p == end || kind_of(*p) != Kind::backslash || continues_line(p)) break;
    ++p;
  }
  at_ = p;
  if (words.size() == kMaxWords) return;
  words.push_back({std::string_view(begin, static_cast<std::size_t>(p - begin)), line_,
                   static_cast<std::uint32_t>(begin - line_begin_ + 1)});
}

void ConfigLexer::skip_comment() {
  const char* const newline = std::find(at_, end_, '\n');
  const char* last = newline;
  while (last != at_ && kind_of(last[-1]) == Kind::blank) --last;
  const bool whole_line =
      std::all_of(line_begin_, at_, [](char c) { return kind_of(c) == Kind::blank; });
  at_ = newline;
  if (whole_line && last[-1] == '\\' && at_ != end_) pass_newline();
}

bool ConfigLexer::continues_line(const char* backslash) const {
  const char* p = backslash + 1;
  while (p != end_ && kind_of(*p) == Kind::blank) ++p;
  return p == end_ || *p == '\n';
}

void ConfigLexer::pass_newline() {
  line_begin_ = ++at_;
  ++line_;
}

}  // namespace mcast
