// SPDX-License-Identifier: BSD-2-Clause
// Which interfaces the kernel can bind here, and by which address where it names them so.
#include <fmt/format.h>

#include <algorithm>

#include "core/table.hpp"

namespace mcast {

bool Table::is_bound(const Link& link) const {
  const auto slot = slots_.slot_of(link.index);
  return slot && slots_[*slot].in_place();
}

/// The kernel looks for an address once, when it binds: what is bound stays so without it. Which of
/// two interfaces with the same address it would find is not ours to choose.
bool Table::lacks_address(const Link& link) const {
  return traits_.bind_needs_address && !is_bound(link) && !links_.own_address(link, key_.family);
}

bool Table::eligible(const Link& link) const {
  return links_.counts(link, key_.id) && link.index.value <= traits_.max_ifindex &&
         links_.may_be_in(link, key_) && !lacks_address(link);
}

std::string Table::why_unusable(const Link& link) const {
  if (!links_.may_be_in(link, key_)) {
    return fmt::format("is in FIB {}: what is routed by table {} stays among interfaces of FIB {}",
                       link.fib.value, key_.id.value, key_.id.value);
  }
  if (!lacks_address(link)) return {};
  const std::string_view family = to_string(key_.family);
  for (const Address& address : link.addresses) {
    if (address.family() != key_.family) continue;
    return fmt::format(
        "has no {} address of its own, which this kernel needs to forward from or to it: {} has {} "
        "too",
        family, links_.other_holder(address, link.index)->name, address.to_string());
  }
  return fmt::format("has no {} address, which this kernel needs to forward from or to it", family);
}

const std::string& Table::why_waiting(IfIndex link) const {
  static const std::string nothing;
  const auto found = waiting_.find(link);
  return found == waiting_.end() ? nothing : found->second;
}

/// Tells when an interface begins to wait, and when it has what it waited for.
void Table::report_waiting(const std::set<IfIndex>& waiting) {
  std::map<IfIndex, std::string> now;
  for (const IfIndex index : waiting) {
    const Link& link = *links_.find(index);
    const std::string& why = now[index] = why_unusable(link);
    if (why_waiting(index) == why) continue;
    notices_.push_back(
        {NoticeLevel::warning, fmt::format("interface {} {}; it waits", link.name, why)});
  }
  for (const auto& [index, why] : waiting_) {
    const Link* link = links_.find(index);
    if (now.contains(index) || link == nullptr || !eligible(*link)) continue;
    notices_.push_back({NoticeLevel::info, fmt::format("interface {} can be forwarded from and to "
                                                       "by {} now",
                                                       link->name, to_string(key_.family))});
  }
  waiting_ = std::move(now);
}

BindVif Table::binding(VifIndex index) const {
  const Slot& slot = slots_[index];
  return {.table = key_,
          .slot = index,
          .link = slot.wanted,
          .threshold = links_.ttl_threshold(slot.holder, key_.id),
          .address = traits_.bind_needs_address
                         ? links_.own_address(*links_.find(slot.wanted), key_.family)
                         : std::nullopt};
}

void Table::note_binding(const BindVif& op) {
  Slot& slot = slots_[op.slot];
  slot.bound = op.link;
  slot.bound_by = op.address;
  if (op.address) recent_binds_.push_back(op.slot);
}

/// Tells of what the kernel may have done before it said so: where an address that we have bound an
/// interface by was another one's already, that one may be in its slot.
void Table::link_changed(const Link& link) {
  resolve_needed_ = true;
  const auto has = [&](const std::optional<Address>& address) {
    return address && std::ranges::count(link.addresses, *address) != 0;
  };
  for (const VifIndex index : recent_binds_) {
    Slot& slot = slots_[index];
    const bool in_doubt = slot.bound == link.index ? !has(slot.bound_by) : has(slot.bound_by);
    if (in_doubt && slot.bound.value != 0) slot.bound = kDangling;
  }
}

}  // namespace mcast
