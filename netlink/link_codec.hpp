// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <libmnl/libmnl.h>

#include "core/address.hpp"
#include "core/ids.hpp"
#include "core/link.hpp"

/// rtnetlink messages about interfaces and addresses (rtnetlink(7)) as values. Pure functions over
/// bytes: whatever the bytes are, nothing outside of them is read.
namespace mcast::netlink {

struct LinkMessage {
  bool removed = false;
  /// Without what a link message does not tell: addresses and incarnation.
  Link link;
  /// Kind and hardware address, as opaque bytes: with equal names and indices, what differs here is
  /// another interface. Not told for kinds that take over the address of a member.
  std::string identity;
  bool operator==(const LinkMessage&) const = default;
};

struct AddressMessage {
  bool removed = false;
  IfIndex link;
  Address address;
  /// An IPv4 address may be held several times with different lengths.
  std::uint8_t prefix_length = 0;
  bool operator==(const AddressMessage&) const = default;
};

/// RTM_NEWLINK or RTM_DELLINK about the interface as such. None for other messages, those about a
/// port of a bridge (family AF_BRIDGE: its RTM_DELLINK only says that the port left), and partial
/// ones, which wireless drivers send.
[[nodiscard]] std::optional<LinkMessage> decode_link(const nlmsghdr& message);

/// RTM_NEWADDR or RTM_DELADDR of IPv4 or IPv6.
[[nodiscard]] std::optional<AddressMessage> decode_address(const nlmsghdr& message);

/// Calls `visit(const nlmsghdr&)` for each message of a datagram, up to the first malformed one.
/// The datagram must be aligned as nlmsghdr is.
template <class Visit>
void for_each_message(std::span<const std::uint8_t> datagram, Visit&& visit) {
  int length = static_cast<int>(datagram.size());
  const auto* message = static_cast<const nlmsghdr*>(static_cast<const void*>(datagram.data()));
  // libmnl compares the length as a signed number, so one above INT_MAX passes for a small one.
  while (mnl_nlmsg_ok(message, length) &&
         message->nlmsg_len <= static_cast<std::uint32_t>(length)) {
    visit(*message);
    message = mnl_nlmsg_next(message, &length);
  }
}

}  // namespace mcast::netlink
