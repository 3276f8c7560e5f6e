// SPDX-License-Identifier: BSD-2-Clause
#include "platform/linux/table_holder.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

namespace mcast::platform {
namespace {

namespace fs = std::filesystem;

/// Inodes of the raw sockets of a protocol, from /proc/net/raw (proc(5)): after the line number
/// come local address, remote address, state, queues, timer, retransmissions, uid, timeout, inode.
/// The port of a raw socket is its protocol.
std::set<std::string> raw_socket_inodes(Family family) {
  const bool v4 = family == Family::ipv4;
  const std::string_view protocol = v4 ? ":0002" : ":003A";
  std::ifstream table(v4 ? "/proc/thread-self/net/raw" : "/proc/thread-self/net/raw6");
  std::set<std::string> inodes;
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string skipped;
    std::string local;
    std::string inode;
    words >> skipped >> local;
    for (int i = 0; i < 7; ++i) words >> skipped;
    if (words >> inode && local.ends_with(protocol)) inodes.insert("socket:[" + inode + "]");
  }
  return inodes;
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator it(process / "fd", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code unreadable;
    if (inodes.contains(fs::read_symlink(it->path(), unreadable).string())) return true;
  }
  return false;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::vector<std::string> find_table_holders(Family family) {
  const auto inodes = raw_socket_inodes(family);
  std::vector<std::string> holders;
  const std::string self = std::to_string(::getpid());
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string pid = it->path().filename().string();
    if (!is_number(pid) || pid == self || !holds_one_of(it->path(), inodes)) continue;
    std::string name;
    std::getline(std::ifstream(it->path() / "comm"), name);
    holders.push_back(fmt::format("{} (pid {})", name, pid));
  }
  return holders;
}

}  // namespace mcast::platform
