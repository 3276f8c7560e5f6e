// SPDX-License-Identifier: BSD-2-Clause
//
// A packet from a table socket. The first byte chooses the family.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "platform/upcall_codec.hpp"

using namespace mcast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Family family = data[0] % 2 == 0 ? Family::ipv4 : Family::ipv6;
  const auto upcall =
      platform::decode_upcall(std::span(data, size).subspan(1), {family, TableId(1)});
  if (!upcall) return 0;
  const bool sound = upcall->flow.group.is_multicast() && upcall->flow.family() == family &&
                     upcall->flow.source.family() == family && upcall->arrived_on.value < kMaxSlots;
  if (!sound) std::abort();
  return 0;
}
