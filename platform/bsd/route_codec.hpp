// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "core/address.hpp"
#include "core/ids.hpp"

/// Messages of FreeBSD's routing socket (route(4)) about interfaces and addresses as values. Pure
/// functions over bytes, laid out as on LP64 whatever the system they run on: whatever the bytes
/// are, nothing outside of them is read.
namespace mcast::platform {

/// Interface flags as messages hold them (net/if.h).
inline constexpr std::uint32_t kInterfaceUp = 0x1;
inline constexpr std::uint32_t kInterfaceMulticast = 0x8000;
/// It has left the list of interfaces and is being taken down.
inline constexpr std::uint32_t kInterfaceDying = 0x200000;

/// RTM_IFANNOUNCE. A rename is a departure under the old name and an arrival under the new one.
struct InterfaceAnnounced {
  bool departed = false;
  IfIndex index;
  /// At the time of the event: it may be another by now.
  std::string name;
  bool operator==(const InterfaceAnnounced&) const = default;
};

/// RTM_IFINFO.
struct InterfaceInfo {
  IfIndex index;
  std::uint32_t flags = 0;
  std::uint8_t link_state = 0;  ///< 0 unknown, 1 down, 2 up
  bool operator==(const InterfaceInfo&) const = default;
};

/// RTM_NEWADDR or RTM_DELADDR. The latter also tells of addresses that stay: of IPv4 ones when the
/// interface goes down.
struct AddressAnnounced {
  bool removed = false;
  IfIndex index;
  std::optional<Address> address;  ///< none: of another family
  bool operator==(const AddressAnnounced&) const = default;
};

/// About nothing of that: routes, types to come, and memberships, of which each of ours is told.
struct OtherMessage {
  bool operator==(const OtherMessage&) const = default;
};

using RouteMessage =
    std::variant<OtherMessage, InterfaceAnnounced, InterfaceInfo, AddressAnnounced>;

/// The first message; `bytes`, which must not be empty, then begin with the next one. None: it is
/// malformed. If not even its length can be true, nothing is left of `bytes`.
[[nodiscard]] std::optional<RouteMessage> take_route_message(std::span<const std::uint8_t>& bytes);

/// The IPv4 or IPv6 address in a sockaddr of FreeBSD, which begins with its length. The zone of a
/// link-local one is left out. None for other families and shorter ones.
[[nodiscard]] std::optional<Address> decode_sockaddr(std::span<const std::uint8_t> sockaddr);

/// Calls `visit(RouteMessage)` for each message that is about interfaces or addresses, and returns
/// how many were dropped because they are malformed.
template <class Visit>
std::size_t for_each_route_message(std::span<const std::uint8_t> bytes, Visit&& visit) {
  std::size_t dropped = 0;
  while (!bytes.empty()) {
    auto message = take_route_message(bytes);
    if (!message) {
      ++dropped;
    } else if (!std::holds_alternative<OtherMessage>(*message)) {
      visit(*std::move(message));
    }
  }
  return dropped;
}

}  // namespace mcast::platform
