// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "core/address.hpp"
#include "core/ids.hpp"
#include "core/ops.hpp"
#include "core/result.hpp"
#include "platform/posix/unique_fd.hpp"

namespace mcast::platform {

/// Group memberships, spread over sockets because the kernel limits them per socket (Linux: 20 for
/// IPv4 by default, memory for IPv6; FreeBSD: 4095), limits the sources per (socket, group), and
/// refuses any-source and source-specific joins of one (interface, group) on the same socket. The
/// limits are settings of the host, so they are found by running into them. A leave is found in
/// constant time.
class Memberships {
 public:
  Memberships() = default;
  /// With the most sources that the kernel takes of one group on one interface, of all sockets
  /// together, where running into that limit is not survived (FreeBSD). Sources that other programs
  /// have joined count too and are not known.
  explicit Memberships(std::optional<std::size_t> most_sources) : most_sources_(most_sources) {}
  Memberships(const Memberships&) = delete;
  Memberships& operator=(const Memberships&) = delete;
  ~Memberships();

  /// Joining what is joined already succeeds.
  Result<void> join(const JoinGroup& what);
  /// Leaving what is not joined succeeds; so does leaving on an interface that is gone, which frees
  /// the place its membership held.
  Result<void> leave(const LeaveGroup& what);
  /// How many kernel calls were made.
  [[nodiscard]] std::uint64_t change_count() const { return changes_; }
  [[nodiscard]] std::size_t socket_count() const { return sockets_.size() - free_numbers_.size(); }

 private:
  using SocketNumber = std::uint32_t;

  struct Socket {
    UniqueFd fd;
    Family family = Family::ipv4;
    std::size_t used = 0;  ///< (interface, group) pairs the kernel keeps on it
  };
  struct GroupKey {
    IfIndex link;
    Address group;
    bool operator==(const GroupKey&) const = default;
  };
  /// One (interface, group) on one socket.
  struct Place {
    SocketNumber socket = 0;
    bool any_source = false;
    /// The interface went away and the kernel's part was given up as a whole.
    bool detached = false;
    std::size_t members = 0;  ///< joins that live here: one, or the sources
  };
  struct Limits {
    std::size_t groups;
    std::size_t sources;
    std::set<SocketNumber> with_room;
  };
  struct Hash {
    std::size_t operator()(const GroupKey& key) const noexcept;
    std::size_t operator()(const JoinGroup& join) const noexcept;
  };

  Result<void> may_join(const JoinGroup& what, const std::vector<Place>& places) const;
  Result<void> join_at_known_place(const JoinGroup& what, std::vector<Place>& places, bool& done);
  Result<void> join_at_new_place(const JoinGroup& what, std::vector<Place>& places);
  Result<SocketNumber> socket_with_room(const JoinGroup& what, const std::vector<Place>& places);
  Result<SocketNumber> open_socket(const JoinGroup& what);
  void close_socket(SocketNumber number);
  void release(SocketNumber number);
  void remove_member(const GroupKey& key, std::vector<Place>& places, Place& place);
  /// 0 or an errno.
  int call(SocketNumber number, int option, const JoinGroup& what);
  Limits& limits(Family family) { return limits_[family == Family::ipv4 ? 0 : 1]; }

  std::vector<Socket> sockets_;
  std::vector<SocketNumber> free_numbers_;
  std::unordered_map<GroupKey, std::vector<Place>, Hash> places_;
  std::unordered_map<JoinGroup, SocketNumber, Hash> joined_;
  /// Where the search for room begins. More than this on one socket makes its calls slow, as the
  /// kernel walks a list.
  std::array<Limits, 2> limits_{{{256, 64, {}}, {256, 64, {}}}};
  std::optional<std::size_t> most_sources_;
  std::uint64_t changes_ = 0;
};

}  // namespace mcast::platform
