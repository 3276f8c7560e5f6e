// SPDX-License-Identifier: BSD-2-Clause
//
// What hosts on the network send to a socket of Multicast Router Discovery. The first byte chooses
// the family; of IPv6 the hop limit and both addresses of the header come before the message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "platform/discovery_codec.hpp"

using namespace mcast;
using namespace mcast::platform;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto packet = std::span(data, size).subspan(1);
  if (data[0] % 2 == 0) {
    // The type stands after the header, whose length is told in units of four bytes.
    if (is_solicitation(packet) && packet[(packet[0] & 0xfU) * 4U] != kSolicitation4) std::abort();
    return 0;
  }
  constexpr std::size_t kHeader = 33;
  if (packet.size() < kHeader) return 0;
  const Ipv6Header header{.source = Address::from_v6(packet.subspan(1).first<16>()),
                          .destination = Address::from_v6(packet.subspan(17).first<16>()),
                          .hop_limit = packet[0]};
  const auto message = packet.subspan(kHeader);
  if (is_solicitation(message, header) && (message.size() < 4 || message[0] != kSolicitation6)) {
    std::abort();
  }
  return 0;
}
