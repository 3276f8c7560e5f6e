// SPDX-License-Identifier: BSD-2-Clause
// Where this host is a multicast router that is to be announced (`phyint ... mrdisc`).
#include <algorithm>
#include <array>
#include <utility>

#include "core/engine_state.hpp"

namespace mcast {
namespace {

/// What messages are sent from: any IPv4 address of the interface, a link-local one of IPv6.
bool can_be_a_source(const Address& address, Family family) {
  if (address.family() != family) return false;
  if (family == Family::ipv4) return true;
  const auto octets = address.octets();
  return octets[0] == 0xfe && (octets[1] & 0xc0U) == 0x80;
}

bool is_able(const Link& link, Family family) {
  if (!link.up || !link.multicast || link.loopback) return false;
  return std::ranges::any_of(link.addresses,
                             [&](const Address& a) { return can_be_a_source(a, family); });
}

constexpr std::array kFamilies{Family::ipv4, Family::ipv6};

}  // namespace

/// Down and up again between two looks is to be noticed.
void Engine::State::note_router(const Link& link) {
  RouterNote& note = router_links[link.index];
  for (const Family family : kFamilies) {
    if (!is_able(link, family)) note.unable.insert(family);
  }
}

void Engine::State::note_all_routers() {
  for (const auto& [index, link] : links.all()) note_router(index);
}

/// Called before the table hears of it, while it knows whose slot is given up.
void Engine::State::note_router_slot(const Op& op) {
  if (const auto* bind = std::get_if<BindVif>(&op)) {
    note_router(bind->link);
  } else if (const auto* unbind = std::get_if<UnbindVif>(&op)) {
    const IfIndex bound = tables.at(unbind->table)->slots()[unbind->slot].bound;
    if (links.find(bound) != nullptr) note_router(bound);
  }
}

/// Nothing is forwarded to or from an interface without a slot: that would be no router.
bool Engine::State::is_router_on(const Link& link, Family family) const {
  if (!is_able(link, family) || !links.is_enabled(link)) return false;
  return std::ranges::any_of(tables, [&](const auto& entry) {
    const auto& [key, table] = entry;
    if (key.family != family || !table->is_open()) return false;
    const auto slot = table->slots().slot_of(link.index);
    return slot && table->slots()[*slot].in_place();
  });
}

std::vector<RouterLinkChange> Engine::take_router_links() {
  using What = RouterLinkChange::What;
  State& s = *state_;
  std::vector<RouterLinkChange> changes;
  for (const auto& [index, note] : std::exchange(s.router_links, {})) {
    const Link* link = s.links.find(index);
    const bool announced = link != nullptr && s.links.is_announced(*link);
    for (const Family family : kFamilies) {
      const RouterLink router{index, family};
      if (note.gone) changes.push_back({What::departed, router, {}, false});
      if (link == nullptr) continue;
      const bool is_router = announced && s.is_router_on(*link, family);
      changes.push_back({is_router ? What::announces : What::stopped, router, link->name,
                         note.unable.contains(family)});
    }
  }
  return changes;
}

}  // namespace mcast
