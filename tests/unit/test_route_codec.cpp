// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "platform/bsd/route_codec.hpp"
#include "tests/support/route_messages.hpp"

using namespace mcast;
using namespace mcast::platform;
using namespace mcast::testing;

namespace {

constexpr IfIndex kEm0{3};
const Address kV4 = Address::parse("10.0.0.1").value();
const Address kV6 = Address::parse("fd00::1").value();

struct Decoded {
  std::vector<RouteMessage> messages;
  std::size_t dropped = 0;
};

/// From a copy of exactly this size, for sanitizers, that begins at an odd address.
Decoded decode(const RouteBytes& bytes) {
  RouteBytes shifted(bytes.size() + 1);
  std::ranges::copy(bytes, shifted.begin() + 1);
  Decoded decoded;
  decoded.dropped = for_each_route_message(
      std::span<const std::uint8_t>(shifted).subspan(1),
      [&](RouteMessage message) { decoded.messages.push_back(std::move(message)); });
  return decoded;
}

/// The one message; OtherMessage if it is about nothing of interest or was dropped.
RouteMessage only(const RouteBytes& bytes) {
  const Decoded decoded = decode(bytes);
  return decoded.messages.size() == 1 ? decoded.messages.front() : RouteMessage();
}

bool is_dropped(const RouteBytes& bytes) {
  const Decoded decoded = decode(bytes);
  return decoded.messages.empty() && decoded.dropped == 1;
}

RouteBytes concatenate(std::initializer_list<RouteBytes> parts) {
  RouteBytes all;
  for (const RouteBytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void set_length(RouteBytes& message, std::uint16_t length) {
  std::memcpy(message.data(), &length, sizeof length);
}

/// Every cut of a message that claims to be as short as it is, or as long as it was.
template <class Check>
void for_each_cut(const RouteBytes& message, const Check& check) {
  for (std::size_t length = 1; length < message.size(); ++length) {
    CAPTURE(length);
    RouteBytes cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK(is_dropped(cut));
    if (length < 4) continue;
    set_length(cut, static_cast<std::uint16_t>(length));
    check(cut);
  }
}

}  // namespace

TEST_CASE("an announcement tells index and name of what has arrived or departed") {
  CHECK(only(announcement(false, 3, "em0")) ==
        RouteMessage(InterfaceAnnounced{false, kEm0, "em0"}));
  CHECK(only(announcement(true, 0xffff, "epair12345a")) ==
        RouteMessage(InterfaceAnnounced{true, IfIndex(0xffff), "epair12345a"}));
}

TEST_CASE("a name that fills its field has no end") {
  CHECK(only(announcement(false, 3, "sixteen-letters!")) ==
        RouteMessage(InterfaceAnnounced{false, kEm0, "sixteen-letters!"}));
  CHECK(only(announcement(false, 3, "")) == RouteMessage(InterfaceAnnounced{false, kEm0, ""}));
}

TEST_CASE("interface information tells flags and link state") {
  CHECK(only(interface_info(3, kInterfaceUp | kInterfaceMulticast)) ==
        RouteMessage(InterfaceInfo{kEm0, 0x8001, 2}));
  CHECK(only(interface_info(3, kInterfaceDying | 0x8802, 1)) ==
        RouteMessage(InterfaceInfo{kEm0, 0x208802, 1}));
}

TEST_CASE("an address message tells the interface's own address of either family") {
  CHECK(only(address_message(false, 3, kV4, "em0").bytes()) ==
        RouteMessage(AddressAnnounced{false, kEm0, kV4}));
  CHECK(only(address_message(true, 3, kV6, "em0").bytes()) ==
        RouteMessage(AddressAnnounced{true, kEm0, kV6}));
}

TEST_CASE("address messages are as long as the kernel's") {
  const RouteBytes v4 = address_message(false, 3, kV4, "em0").bytes();
  CHECK(v4.size() == 20 + 16 + 56 + 16 + 16);
  CHECK(v4[4] == 0xb4);
  const RouteBytes v6 = address_message(false, 3, kV6, "em0").bytes();
  CHECK(v6.size() == 20 + 32 + 56 + 32);
  CHECK(v6[4] == 0x34);
}

TEST_CASE("the zone of a link-local address is left out, wherever it is") {
  const Address plain = *Address::parse("fe80::1");
  CHECK(only(address_message(false, 3, plain, "em0").bytes()) ==
        RouteMessage(AddressAnnounced{false, kEm0, plain}));
  CHECK(only(address_message(false, 3, *Address::parse("fe80:3::1"), "em0").bytes()) ==
        RouteMessage(AddressAnnounced{false, kEm0, plain}));
  CHECK(decode_sockaddr(sockaddr_of(*Address::parse("fec0:3::1"))) ==
        Address::parse("fec0:3::1").value());
}

TEST_CASE("an empty sockaddr takes eight bytes, a short one as many") {
  // A broadcast address without a length is what the kernel tells of fe80::1%lo0.
  CHECK(only(AddressMessage(kRtmNewAddr, 3)
                 .sockaddr(2, {})
                 .sockaddr(5, sockaddr_of(kV6))
                 .sockaddr(7, {})
                 .bytes()) == RouteMessage(AddressAnnounced{false, kEm0, kV6}));
  CHECK(only(AddressMessage(kRtmNewAddr, 3)
                 .sockaddr(2, {5, 0, 0, 0, 255})
                 .sockaddr(4, {1})
                 .sockaddr(5, sockaddr_of(kV4))
                 .bytes()) == RouteMessage(AddressAnnounced{false, kEm0, kV4}));
}

TEST_CASE("an address of another family, too short or absent leaves the message a hint") {
  const RouteMessage hint = AddressAnnounced{false, kEm0, std::nullopt};
  CHECK(only(AddressMessage(kRtmNewAddr, 3).bytes()) == hint);
  CHECK(only(AddressMessage(kRtmNewAddr, 3).sockaddr(5, sockaddr_dl(3, "em0")).bytes()) == hint);
  CHECK(only(AddressMessage(kRtmNewAddr, 3).sockaddr(5, {}).bytes()) == hint);
  CHECK(only(AddressMessage(kRtmNewAddr, 3).sockaddr(5, {1}).bytes()) == hint);
  CHECK(only(AddressMessage(kRtmNewAddr, 3).sockaddr(5, {7, 2, 0, 0, 10, 0, 0}).bytes()) == hint);
  RouteBytes cut = sockaddr_of(kV6);
  cut.resize(23);
  cut[0] = 23;
  CHECK(only(AddressMessage(kRtmNewAddr, 3).sockaddr(5, cut).bytes()) == hint);
  CHECK(only(AddressMessage(kRtmNewAddr, 3)
                 .sockaddr(5, sockaddr_of(*Address::parse("::1")))
                 .bytes()) == RouteMessage(AddressAnnounced{false, kEm0, *Address::parse("::1")}));
}

TEST_CASE("an IPv6 address that would pass for an IPv4 one is none") {
  RouteBytes mapped = sockaddr_of(*Address::parse("::1"));
  mapped[18] = mapped[19] = 0xff;
  CHECK_FALSE(decode_sockaddr(mapped));
}

TEST_CASE("spare bytes behind the last sockaddr are no harm") {
  RouteBytes padded = address_message(false, 3, kV6, "em0").bytes();
  padded.resize(padded.size() + 4);
  set_length(padded, static_cast<std::uint16_t>(padded.size()));
  CHECK(only(padded) == RouteMessage(AddressAnnounced{false, kEm0, kV6}));
}

TEST_CASE("routes, memberships and types to come are passed over, and not counted") {
  const RouteBytes membership = AddressMessage(kRtmNewMaddr, 3)
                                    .sockaddr(4, sockaddr_dl(3, "em0"))
                                    .sockaddr(5, sockaddr_of(*Address::parse("224.0.0.1")))
                                    .bytes();
  const auto decoded =
      decode(concatenate({route_message(kRtmAdd, 152), membership, route_message(kRtmIeee80211, 24),
                          route_message(kRtmIpfwLog, 152), route_message(0xff, 4),
                          announcement(true, 3, "em0"), membership}));
  CHECK(decoded.dropped == 0);
  CHECK(decoded.messages == std::vector<RouteMessage>{InterfaceAnnounced{true, kEm0, "em0"}});
}

TEST_CASE("a truncated message is dropped and counted") {
  for_each_cut(announcement(false, 3, "em0"),
               [](const RouteBytes& cut) { CHECK(is_dropped(cut)); });
  for_each_cut(interface_info(3, 1), [](const RouteBytes& cut) { CHECK(is_dropped(cut)); });
  for_each_cut(address_message(false, 3, kV4, "em0").bytes(),
               [](const RouteBytes& cut) { CHECK(is_dropped(cut)); });
}

TEST_CASE("a message of another version is dropped, and the next one is not") {
  RouteBytes old = announcement(true, 3, "em0");
  old[2] = 4;
  const auto decoded = decode(concatenate({old, announcement(false, 3, "em1")}));
  CHECK(decoded.dropped == 1);
  CHECK(decoded.messages == std::vector<RouteMessage>{InterfaceAnnounced{false, kEm0, "em1"}});
}

TEST_CASE("a length of zero, or shorter than what every message has, ends it all") {
  for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 1, 2, 3}) {
    RouteBytes lie = announcement(true, 3, "em0");
    set_length(lie, length);
    CHECK(is_dropped(concatenate({lie, announcement(false, 3, "em1")})));
  }
}

TEST_CASE("a length beyond the end ends it all, and what came before counts") {
  RouteBytes lie = announcement(false, 3, "em1");
  set_length(lie, 25);
  const auto decoded = decode(concatenate({announcement(true, 3, "em0"), lie}));
  CHECK(decoded.dropped == 1);
  CHECK(decoded.messages == std::vector<RouteMessage>{InterfaceAnnounced{true, kEm0, "em0"}});
}

TEST_CASE("a sockaddr that runs past the end is dropped with its message") {
  RouteBytes last = address_message(false, 3, kV4, "em0").bytes();
  last[last.size() - 16] = 17;
  CHECK(is_dropped(last));
  last[last.size() - 16] = 255;
  CHECK(is_dropped(last));
  // Its length would make the walk miss the rest.
  RouteBytes first = address_message(false, 3, kV4, "em0").bytes();
  first[20] = 200;
  CHECK(is_dropped(first));
}

TEST_CASE("a mask that counts more sockaddrs than there are is dropped with its message") {
  CHECK(is_dropped(AddressMessage(kRtmNewAddr, 3).claim(1U << 5).bytes()));
  CHECK(
      is_dropped(AddressMessage(kRtmNewAddr, 3).sockaddr(5, sockaddr_of(kV4)).claim(0xff).bytes()));
  CHECK(
      is_dropped(AddressMessage(kRtmNewAddr, 3).sockaddr(5, sockaddr_of(kV4)).claim(0xa0).bytes()));
  // Kinds to come stand behind those known.
  CHECK(
      only(
          AddressMessage(kRtmNewAddr, 3).sockaddr(5, sockaddr_of(kV4)).claim(0xffffff20).bytes()) ==
      RouteMessage(AddressAnnounced{false, kEm0, kV4}));
}

TEST_CASE("an interface number of zero is none") {
  CHECK(is_dropped(announcement(true, 0, "em0")));
  CHECK(is_dropped(interface_info(0, 1)));
  CHECK(is_dropped(address_message(false, 0, kV4, "em0").bytes()));
}

TEST_CASE("an announcement of something unknown is dropped and counted") {
  RouteBytes what = announcement(true, 3, "em0");
  what[22] = 2;
  CHECK(is_dropped(what));
  what[22] = 0;
  what[23] = 1;
  CHECK(is_dropped(what));
}

TEST_CASE("a departure that another program made up is dropped") {
  // The kernel passes on what it refuses, but accepts nothing shorter than an rt_msghdr.
  RouteBytes forged = announcement(true, 3, "em0");
  forged.resize(152);
  set_length(forged, 152);
  CHECK(is_dropped(forged));
}
