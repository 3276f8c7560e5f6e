// SPDX-License-Identifier: BSD-2-Clause
#include "core/config_lexer.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace mcast;

namespace {

/// "LINE:COLUMN:WORD ..." for every logical line, each ended by ";".
std::string lex(std::string_view text) {
  ConfigLexer lexer(text);
  std::vector<Word> words;
  std::string out;
  while (lexer.next(words)) {
    for (const Word& word : words) {
      out += std::to_string(word.line) + ':' + std::to_string(word.column) + ':';
      out += std::string(word.text) + ' ';
    }
    out.back() = ';';
  }
  return out;
}

}  // namespace

TEST_CASE("blanks part words and empty lines are skipped") {
  CHECK(lex("") == "");
  CHECK(lex("\n \t\n") == "");
  CHECK(lex("a b\n\n  c\td\n") == "1:1:a 1:3:b;3:3:c 3:5:d;");
  CHECK(lex("a") == "1:1:a;");
}

TEST_CASE("carriage returns before line ends are blanks") {
  CHECK(lex("a b\r\nc\r\n") == "1:1:a 1:3:b;2:1:c;");
  CHECK(lex("a \\\r\nb\r\n") == "1:1:a 2:1:b;");
}

TEST_CASE("a byte order mark is not part of the first word") {
  CHECK(lex("\xef\xbb\xbf"
            "a") == "1:1:a;");
}

TEST_CASE("a comment ends a line wherever it begins") {
  CHECK(lex("# a\nb # c\nd#e\n") == "2:1:b;3:1:d;");
  CHECK(lex("#") == "");
  CHECK(lex("a # b \\\nc") == "1:1:a;2:1:c;");
}

TEST_CASE("a backslash at the end of a line joins the next one") {
  CHECK(lex("a \\\n b\nc") == "1:1:a 2:2:b;3:1:c;");
  CHECK(lex("a\\\nb") == "1:1:a 2:1:b;");
  CHECK(lex("a \\  \t\nb") == "1:1:a 2:1:b;");
  CHECK(lex("a \\\n\\\n\\\nb") == "1:1:a 4:1:b;");
  CHECK(lex("a \\\n\nb") == "1:1:a;3:1:b;");
  CHECK(lex("a \\") == "1:1:a;");
  CHECK(lex("\\\na") == "2:1:a;");
}

TEST_CASE("a backslash elsewhere is part of a word") {
  CHECK(lex("a\\b \\ c\n") == "1:1:a\\b 1:5:\\ 1:7:c;");
}

TEST_CASE("one line of a joined list can be commented out") {
  CHECK(lex("a \\\n  b \\\n# c \\\n  d\ne") == "1:1:a 2:3:b 4:3:d;5:1:e;");
  CHECK(lex("a \\\n# c\nd") == "1:1:a;3:1:d;");
  CHECK(lex("# c \\\n# d\ne") == "3:1:e;");
}

TEST_CASE("a line with more words than memory should hold is cut") {
  std::string text;
  for (std::size_t i = 0; i < ConfigLexer::kMaxWords + 10; ++i) text += "a ";
  ConfigLexer lexer(text);
  std::vector<Word> words;
  REQUIRE(lexer.next(words));
  CHECK(words.size() == ConfigLexer::kMaxWords);
  CHECK_FALSE(lexer.next(words));
}
