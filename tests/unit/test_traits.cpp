// SPDX-License-Identifier: BSD-2-Clause
#include "core/traits.hpp"

#include <doctest/doctest.h>

using namespace mcast;

TEST_CASE("slots fit into what the shape of an entry can hold") {
  for (const KernelTraits& traits : {linux_traits(), freebsd_traits()}) {
    CHECK(traits.ipv4.slots == 32);
    CHECK(traits.ipv6.slots <= kMaxSlots);
  }
  CHECK(freebsd_traits().ipv6.slots == 64);
}

TEST_CASE("the families of a kernel differ where it does") {
  const KernelTraits on_linux = linux_traits();
  CHECK(on_linux.of(Family::ipv4).ttl_thresholds);
  CHECK_FALSE(on_linux.of(Family::ipv6).ttl_thresholds);
  CHECK(on_linux.ipv4.max_ifindex > 0xffff);
  CHECK(on_linux.ipv6.max_ifindex == 0xffff);
  CHECK(on_linux.ipv4.native_any_source);

  const KernelTraits on_freebsd = freebsd_traits();
  CHECK(on_freebsd.ipv4.bind_needs_address);
  CHECK(on_freebsd.ipv4.rename_is_departure);
  CHECK(on_freebsd.ipv4.departure_drops_entries);
  CHECK_FALSE(on_freebsd.ipv4.rebind_is_safe);
  CHECK_FALSE(on_freebsd.ipv4.update_clears_outputs);
  CHECK_FALSE(on_freebsd.ipv6.departure_unbinds);
  CHECK_FALSE(on_freebsd.ipv6.rename_is_departure);
  CHECK_FALSE(on_freebsd.ipv4.native_any_source);
  CHECK(on_freebsd.max_sources_per_group == 512);
}
