// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include "core/config.hpp"
#include "tests/unit/memory_files.hpp"

using namespace mcast;
using mcast::testing::lines_of;
using mcast::testing::MemoryFiles;

namespace {

using Lines = std::vector<std::string>;

std::string route(int group) {
  return "mroute from eth0 group 225.1.2." + std::to_string(group) + " to eth1\n";
}

}  // namespace

TEST_CASE("an include takes every file a pattern matches, in order") {
  MemoryFiles files{{"/etc/m.conf", "include /etc/m.d/*.conf\n" + route(9)},
                    {"/etc/m.d/b.conf", route(2)},
                    {"/etc/m.d/a.conf", "\n" + route(1)},
                    {"/etc/m.d/c.off", route(3)}};
  const auto parsed = parse_config(files, "/etc/m.conf");
  CHECK(parsed.diagnostics.empty());
  CHECK(parsed.config.files == Lines{"/etc/m.conf", "/etc/m.d/a.conf", "/etc/m.d/b.conf"});
  REQUIRE(parsed.config.routes.size() == 3);
  CHECK(parsed.config.routes[0].where == Location{1, 2});
  CHECK(parsed.config.routes[1].where == Location{2, 1});
  CHECK(parsed.config.routes[2].where == Location{0, 2});
}

TEST_CASE("a relative include is relative to the file that includes") {
  MemoryFiles files{{"/etc/m.conf", "include d/a.conf\n"},
                    {"/etc/d/a.conf", "include b.conf\ninclude *.inc\n"},
                    {"/etc/d/b.conf", route(1)},
                    {"/etc/d/c.inc", route(2)}};
  const auto parsed = parse_config(files, "/etc/m.conf");
  CHECK(parsed.diagnostics.empty());
  CHECK(parsed.config.routes.size() == 2);

  MemoryFiles here{{"m.conf", "include a.conf\n"}, {"a.conf", route(1)}};
  CHECK(parse_config(here, "m.conf").config.routes.size() == 1);
}

TEST_CASE("a directory's name is not a pattern") {
  MemoryFiles files{{"/e[t]c/m.conf", "include *.inc\n"}, {"/e[t]c/a.inc", route(1)}};
  CHECK(parse_config(files, "/e[t]c/m.conf").config.routes.size() == 1);
}

TEST_CASE("a pattern may match nothing but a name has to exist") {
  MemoryFiles files{{"/m.conf", "include d/*.conf\n"}};
  CHECK(parse_config(files, "/m.conf").valid());

  MemoryFiles missing{{"/m.conf", "\ninclude d/a.conf\n"}};
  CHECK(lines_of(parse_config(missing, "/m.conf")) ==
        Lines{"/m.conf:2:9: /d/a.conf: no such file"});
}

TEST_CASE("errors in an included file name that file") {
  MemoryFiles files{{"/m.conf", "include a.conf\nbogus\n"}, {"/a.conf", "\nmroute from\n"}};
  const auto lines = lines_of(parse_config(files, "/m.conf"));
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == R"(/a.conf:2:8: "from" needs an interface name after it)");
  CHECK(lines[1].starts_with("/m.conf:2:1: "));
}

TEST_CASE("repetitions are found across files") {
  MemoryFiles files{{"/m.conf", "include a.conf\n" + route(1)}, {"/a.conf", route(1)}};
  CHECK(lines_of(parse_config(files, "/m.conf")) ==
        Lines{"/m.conf:2: warning: the same as /a.conf:1; one of the lines can go"});
}

TEST_CASE("a cycle of includes is an error that names the chain") {
  MemoryFiles files{{"/m.conf", "include a.conf\n"},
                    {"/a.conf", "include ./b.conf\n"},
                    {"/b.conf", "include ../a.conf\n" + route(1)}};
  CHECK(lines_of(parse_config(files, "/m.conf")) ==
        Lines{"/./b.conf:1:9: include cycle: /a.conf -> /./b.conf -> /./../a.conf"});

  MemoryFiles self{{"/d/m.conf", "include *.conf\n"}};
  CHECK(lines_of(parse_config(self, "/d/m.conf")) ==
        Lines{"/d/m.conf:1:9: include cycle: /d/m.conf -> /d/m.conf"});
}

TEST_CASE("a file included twice is read once, with a warning") {
  MemoryFiles files{{"/m.conf", "include a.conf\ninclude a*\n"}, {"/a.conf", route(1)}};
  const auto parsed = parse_config(files, "/m.conf");
  CHECK(parsed.valid());
  CHECK(parsed.config.routes.size() == 1);
  CHECK(lines_of(parsed) ==
        Lines{R"(/m.conf:2:9: warning: "/a.conf": already included at /m.conf:1, not read again)"});
}

TEST_CASE("endless nesting ends") {
  // A link to its own directory gives a file endlessly many names.
  struct Endless : FileReader {
    Result<std::string> read(const std::string&, std::size_t) override {
      return "include d/m.conf\n";
    }
    Result<std::vector<std::string>> glob(const std::string&) override { return Lines{}; }
  } reader;
  const auto lines = lines_of(parse_config(reader, "m.conf"));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("nested deeper than 32 files") != std::string::npos);
}

TEST_CASE("an unusable file is one clear error") {
  MemoryFiles none{};
  CHECK(lines_of(parse_config(none, "/m.conf")) == Lines{"/m.conf: no such file"});

  const std::string binary("mroute\0\0\0bogus\nbogus\n\0", 22);
  MemoryFiles top{{"/m.conf", binary}};
  CHECK(lines_of(parse_config(top, "/m.conf")) ==
        Lines{"/m.conf: a binary file (it holds NUL bytes); a configuration is text"});
  MemoryFiles inner{{"/m.conf", "include a.conf\n"}, {"/a.conf", binary}};
  CHECK(lines_of(parse_config(inner, "/m.conf")).size() == 1);
}

TEST_CASE("all files together are limited") {
  struct Large : FileReader {
    std::vector<std::size_t> limits;
    Result<std::string> read(const std::string& path, std::size_t limit) override {
      limits.push_back(limit);
      if (path == "/b") return fail(ErrorCode::limit_reached, "too large");
      return path == "/m" ? "include a\ninclude b\n" : std::string(1000, '\n');
    }
    Result<std::vector<std::string>> glob(const std::string&) override { return Lines{}; }
  } reader;
  CHECK(lines_of(parse_config(reader, "/m")) ==
        Lines{"/m:2:9: /b: too large: all files together may have 256 MiB"});
  CHECK(reader.limits ==
        std::vector<std::size_t>{kMaxConfigBytes, kMaxConfigBytes - 20, kMaxConfigBytes - 1020});
}

TEST_CASE("an include takes one argument") {
  MemoryFiles files{{"/m.conf", "include a b\n"}};
  CHECK(lines_of(parse_config(files, "/m.conf")) ==
        Lines{R"(/m.conf:1:11: "b": include takes one file name or pattern per line)"});
}
