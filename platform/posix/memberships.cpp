// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/memberships.hpp"

#include <fmt/format.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "platform/posix/mroute_error.hpp"
#include "platform/posix/socket_address.hpp"

namespace mcast::platform {
namespace {

/// The kernel has no room on this socket; another may have.
bool is_full(int error) {
  return error == ENOBUFS || error == ENOMEM;
}

/// The kernel has no such membership any more. Some keep it on the socket when its interface goes
/// away (ENODEV), others take it (EADDRNOTAVAIL).
bool is_gone(int error) {
  return error == EADDRNOTAVAIL || error == ENODEV;
}

std::string describe(const JoinGroup& what) {
  return fmt::format("group {} on {}",
                     what.source ? FlowKey{*what.source, what.group}.to_string()
                                 : what.group.to_string(),
                     platform::describe(what.link));
}

std::unexpected<Error> failure(const JoinGroup& what, int error) {
  const auto call = what.source ? MrouteCall::join_source : MrouteCall::join_group;
  return std::unexpected(mroute_error(call, what.group.family(), error, describe(what)));
}

}  // namespace

std::size_t Memberships::Hash::operator()(const GroupKey& key) const noexcept {
  return std::hash<Address>{}(key.group) * 31 + key.link.value;
}

std::size_t Memberships::Hash::operator()(const JoinGroup& join) const noexcept {
  const std::size_t source = join.source ? std::hash<Address>{}(*join.source) : 0;
  return (std::hash<Address>{}(join.group) * 31 + source) * 31 + join.link.value;
}

/// The newest first: the kernel begins its search of an interface's list with what was joined last
/// (net/ipv4/igmp.c, ip_mc_dec_group).
Memberships::~Memberships() {
  while (!sockets_.empty()) sockets_.pop_back();
}

Result<void> Memberships::join(const JoinGroup& what) {
  if (joined_.contains(what)) return {};
  const GroupKey key{what.link, what.group};
  auto& places = places_[key];
  if (const auto allowed = may_join(what, places); !allowed) {
    if (places.empty()) places_.erase(key);
    return allowed;
  }
  bool done = false;
  auto outcome = what.source ? join_at_known_place(what, places, done) : Result<void>{};
  if (outcome && !done) outcome = join_at_new_place(what, places);
  if (places.empty()) places_.erase(key);
  return outcome;
}

/// Asked before the kernel is, which may not survive a source too many.
Result<void> Memberships::may_join(const JoinGroup& what, const std::vector<Place>& places) const {
  if (!what.source || !most_sources_) return {};
  std::size_t sources = 0;
  for (const Place& place : places) sources += place.any_source ? 0 : place.members;
  if (sources < *most_sources_) return {};
  return fail(ErrorCode::limit_reached,
              fmt::format("{}: the kernel takes {} sources of one group on one interface; join the "
                          "group without a source",
                          describe(what), *most_sources_));
}

Result<void> Memberships::join_at_known_place(const JoinGroup& what, std::vector<Place>& places,
                                              bool& done) {
  auto& most = limits(what.group.family()).sources;
  // The newest place is the one that is likely to have room.
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    if (place->any_source || place->detached || place->members >= most) continue;
    const int error = call(place->socket, MCAST_JOIN_SOURCE_GROUP, what);
    if (is_full(error)) {
      most = place->members;
      continue;
    }
    if (error != 0) return failure(what, error);
    ++place->members;
    joined_.emplace(what, place->socket);
    done = true;
    return {};
  }
  return {};
}

Result<void> Memberships::join_at_new_place(const JoinGroup& what, std::vector<Place>& places) {
  auto& limit = limits(what.group.family());
  const int option = what.source ? MCAST_JOIN_SOURCE_GROUP : MCAST_JOIN_GROUP;
  for (;;) {
    const SocketNumber number = TRY(socket_with_room(what, places));
    const int error = call(number, option, what);
    Socket& socket = sockets_[number];
    if (error == 0) {
      if (++socket.used >= limit.groups) limit.with_room.erase(number);
      places.push_back({number, !what.source, false, 1});
      joined_.emplace(what, number);
      return {};
    }
    const bool full = is_full(error) && socket.used > 0;
    if (socket.used == 0) close_socket(number);
    if (!full) return failure(what, error);
    limit.groups = socket.used;
    std::erase_if(limit.with_room,
                  [&](SocketNumber n) { return sockets_[n].used >= limit.groups; });
  }
}

Result<Memberships::SocketNumber> Memberships::socket_with_room(const JoinGroup& what,
                                                                const std::vector<Place>& places) {
  auto& limit = limits(what.group.family());
  const auto fits = [&](SocketNumber number) {
    return std::ranges::none_of(places, [&](const Place& p) { return p.socket == number; });
  };
  // A group with many sources has taken sockets in ascending order: the next one is free of it.
  if (!places.empty()) {
    const auto next = limit.with_room.upper_bound(places.back().socket);
    if (next != limit.with_room.end() && fits(*next)) return *next;
  }
  const auto found = std::ranges::find_if(limit.with_room, fits);
  if (found != limit.with_room.end()) return *found;
  return open_socket(what);
}

Result<Memberships::SocketNumber> Memberships::open_socket(const JoinGroup& what) {
  const Family family = what.group.family();
  const int domain = family == Family::ipv4 ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    const int error = errno;
    return std::unexpected(mroute_error(MrouteCall::open_socket, family, error, describe(what)));
  }
  if (free_numbers_.empty()) {
    free_numbers_.push_back(static_cast<SocketNumber>(sockets_.size()));
    sockets_.emplace_back();
  }
  const SocketNumber number = free_numbers_.back();
  free_numbers_.pop_back();
  sockets_[number] = {std::move(fd), family, 0};
  limits(family).with_room.insert(number);
  return number;
}

void Memberships::close_socket(SocketNumber number) {
  limits(sockets_[number].family).with_room.erase(number);
  sockets_[number] = {};
  free_numbers_.push_back(number);
}

void Memberships::release(SocketNumber number) {
  Socket& socket = sockets_[number];
  if (--socket.used == 0) {
    close_socket(number);
  } else if (socket.used < limits(socket.family).groups) {
    limits(socket.family).with_room.insert(number);
  }
}

Result<void> Memberships::leave(const LeaveGroup& leave) {
  const JoinGroup what{leave.link, leave.source, leave.group};
  const auto joined = joined_.find(what);
  if (joined == joined_.end()) return {};
  const GroupKey key{what.link, what.group};
  auto& places = places_.at(key);
  // Only one place of a group is on this socket.
  auto& place = *std::ranges::find(places, joined->second, &Place::socket);

  if (!place.detached) {
    // With its last source a group is left as a whole: not every kernel then gives up a membership
    // without sources, and that would stand in the way of a join for any source.
    const bool whole = !what.source || place.members == 1;
    const JoinGroup membership{what.link, std::nullopt, what.group};
    int error = whole ? call(place.socket, MCAST_LEAVE_GROUP, membership)
                      : call(place.socket, MCAST_LEAVE_SOURCE_GROUP, what);
    if (!whole && error == ENODEV) {
      // Without the interface the kernel finds no source to take out, only the membership as a
      // whole, and none of it has any effect left.
      error = call(place.socket, MCAST_LEAVE_GROUP, membership);
      place.detached = true;
      release(place.socket);
    }
    if (error != 0 && !is_gone(error)) {
      const auto failed = whole ? MrouteCall::leave_group : MrouteCall::leave_source;
      return std::unexpected(mroute_error(failed, what.group.family(), error, describe(what)));
    }
  }
  joined_.erase(joined);
  remove_member(key, places, place);
  return {};
}

void Memberships::remove_member(const GroupKey& key, std::vector<Place>& places, Place& place) {
  if (--place.members > 0) return;
  if (!place.detached) release(place.socket);
  // Order matters only as a hint for the search of room.
  places.erase(places.begin() + (&place - places.data()));
  if (places.empty()) places_.erase(key);
}

int Memberships::call(SocketNumber number, int option, const JoinGroup& what) {
  const int fd = sockets_[number].fd.get();
  const int level = what.group.family() == Family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
  ++changes_;
  int result = 0;
  if (what.source) {
    group_source_req request{};
    request.gsr_interface = what.link.value;
    request.gsr_group = to_storage(what.group);
    request.gsr_source = to_storage(*what.source);
    result = ::setsockopt(fd, level, option, &request, sizeof request);
  } else {
    group_req request{};
    request.gr_interface = what.link.value;
    request.gr_group = to_storage(what.group);
    result = ::setsockopt(fd, level, option, &request, sizeof request);
  }
  return result == 0 ? 0 : errno;
}

}  // namespace mcast::platform
