// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/file_reader.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace mcast;
using mcast::platform::PosixFileReader;

namespace {

/// A directory that is gone when the test is over.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "mcastd-files-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string at(const std::string& name) const { return path_ + '/' + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
    std::ofstream(at(name), std::ios::binary) << text;
    return at(name);
  }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a file is read whole, as it is") {
  const Directory directory;
  PosixFileReader reader;
  const std::string bytes("a\0b\r\n", 5);
  CHECK(reader.read(directory.write("f", bytes), 100).value() == bytes);
  CHECK(reader.read(directory.write("empty", ""), 100).value().empty());
  const std::string large(3'000'000, 'x');
  CHECK(reader.read(directory.write("large", large), 3'000'000).value() == large);
}

TEST_CASE("a file larger than the limit is refused") {
  const Directory directory;
  PosixFileReader reader;
  const std::string path = directory.write("f", "12345");
  CHECK(reader.read(path, 5).has_value());
  const auto refused = reader.read(path, 4);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::limit_reached);
  CHECK(refused.error().os_errno == 0);
  CHECK(refused.error().message == path + ": larger than 4 bytes");
}

TEST_CASE("a file whose size says nothing is limited by what it yields") {
  PosixFileReader reader;
  // The size of these is 0, but reading yields text.
  CHECK(reader.read("/proc/self/status", 1 << 20).value().size() > 100);
  CHECK(reader.read("/proc/self/status", 100).error().code == ErrorCode::limit_reached);
}

TEST_CASE("what cannot be read is an error that names it") {
  const Directory directory;
  PosixFileReader reader;
  const auto missing = reader.read(directory.at("none"), 100);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::not_found);
  CHECK(missing.error().message.starts_with(directory.at("none") + ": "));

  const auto folder = reader.read(directory.at(""), 100);
  REQUIRE_FALSE(folder);
  CHECK(folder.error().message.find("is a directory") != std::string::npos);
  CHECK_FALSE(reader.read("/dev/zero", 100));

  std::filesystem::create_symlink("loop", directory.at("loop"));
  CHECK_FALSE(reader.read(directory.at("loop"), 100));
}

TEST_CASE("the null device is an empty file") {
  PosixFileReader reader;
  CHECK(reader.read("/dev/null", 100).value().empty());
}

TEST_CASE("a FIFO without a writer does not hang") {
  const Directory directory;
  PosixFileReader reader;
  REQUIRE(::mkfifo(directory.at("fifo").c_str(), 0600) == 0);
  const auto read = reader.read(directory.at("fifo"), 100);
  REQUIRE_FALSE(read);
  CHECK(read.error().message.find("not a regular file") != std::string::npos);
}

TEST_CASE("a pattern yields the paths that match, sorted") {
  const Directory directory;
  PosixFileReader reader;
  directory.write("d/b.conf", "");
  directory.write("d/a.conf", "");
  directory.write("d/.hidden.conf", "");
  directory.write("d/c.off", "");
  using Paths = std::vector<std::string>;
  CHECK(reader.glob(directory.at("d/*.conf")).value() ==
        Paths{directory.at("d/a.conf"), directory.at("d/b.conf")});
  CHECK(reader.glob(directory.at("*/[b]*")).value() == Paths{directory.at("d/b.conf")});
  CHECK(reader.glob(directory.at("none/*.conf")).value().empty());
  CHECK(reader.glob(directory.at("d/a.conf/*")).value().empty());
}

TEST_CASE("a whole configuration is read from disk") {
  const Directory directory;
  PosixFileReader reader;
  const std::string top = directory.write("m.conf", "include d/*.conf\ninclude one\n");
  directory.write("d/a.conf", "mroute from eth0 group 225.1.2.3 to eth1\n");
  directory.write("one", "mroute from eth0 group 225.1.2.4 to eth1\n");
  const auto parsed = parse_config(reader, top);
  CHECK(parsed.diagnostics.empty());
  CHECK(parsed.config.routes.size() == 2);

  const auto folder = parse_config(reader, directory.at("d"));
  REQUIRE(folder.diagnostics.size() == 1);
  CHECK(folder.diagnostics[0].to_string().starts_with(directory.at("d") + ": is a directory"));
}
