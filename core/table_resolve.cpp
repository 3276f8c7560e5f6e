// SPDX-License-Identifier: BSD-2-Clause
// From names to slots: which interfaces the rules mean now, who gets a slot, and what entries
// follow.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>

#include "core/table.hpp"

namespace mcast {

namespace {

/// Whether every pattern of the path means both links or neither.
bool treats_alike(const Path& path, const Link& a, const Link& b) {
  const auto same = [&](const InterfacePattern& p) { return matches(p, a) == matches(p, b); };
  return same(path.iif) && std::ranges::all_of(path.oifs, same);
}

/// Whether flows want the same entries by either list. What a single candidate gives does not
/// depend on its interface being there (Table::wanted_shape), so that its departure and return
/// touch no flow, however many there are.
bool gives_same_entries(const std::vector<Fanout::Candidate>& a,
                        const std::vector<Fanout::Candidate>& b) {
  if (a.size() != 1 || b.size() != 1) return a == b;
  return a.front().slot == b.front().slot && a.front().shape == b.front().shape;
}

}  // namespace

/// Paths that rules have, in configuration order: the order in which rules get slots. Rules with
/// the same path fare alike, since what the first of them gets the others share.
std::vector<std::uint32_t> Table::paths_in_order() const {
  std::vector<std::uint32_t> order;
  for (std::uint32_t path = 0; path < uses_.size(); ++path) {
    if (uses_[path].rules != 0) order.push_back(path);
  }
  std::ranges::sort(order, {}, [&](std::uint32_t path) { return uses_[path].first_rule; });
  return order;
}

/// Whether the path has something to do here with the interface, which it names without a wildcard.
bool Table::names_exactly(const Path& path, const Link& link) const {
  const auto names = [&](const InterfacePattern& p) {
    return !p.is_wildcard() && matches(p, link);
  };
  // One that cannot be here is told of all the same.
  const bool takes = links_.accepts(path, link, key_) || !links_.may_be_in(link, key_);
  return (takes && names(path.iif)) || std::ranges::any_of(path.oifs, names);
}

/// The same, by whatever pattern. A wildcard for outbound interfaces stays within the VRFs that the
/// path accepts traffic from; if there are none now, within that of the table.
bool Table::mentions(std::uint32_t path_id, const Link& link) const {
  const Path& path = rules_.paths[path_id];
  if (names_exactly(path, link) || links_.accepts(path, link, key_)) return true;
  const auto means = [&](const InterfacePattern& p) { return matches(p, link); };
  if (!links_.may_be_in(link, key_) || std::ranges::none_of(path.oifs, means)) return false;
  if (!has_vrfs_) return true;
  const IfIndex vrf = link.master_is_vrf ? link.master : IfIndex();
  const Link* own = links_.find_vrf(key_.id);
  if (vrf == (own == nullptr ? IfIndex() : own->index)) return true;
  return std::ranges::any_of(links_.all(), [&](const auto& entry) {
    return in_same_vrf(entry.second, link) && links_.accepts(path, entry.second, key_);
  });
}

/// Whether a phyint or mgroup line asks for a slot here for the interface.
bool Table::claims(const SlotClaim& claim, const Link& link) const {
  if (!links_.may_be_in(link, key_)) return false;
  if (claim.domain.kind == Domain::Kind::table) {
    return claim.domain.table == key_.id && matches(claim.pattern, link);
  }
  return links_.means(claim.domain, claim.pattern, link) &&
         links_.traffic_table(link, key_.family) == key_.id;
}

bool Table::is_claimed() const {
  return std::ranges::any_of(claims_, [&](const SlotClaim& claim) {
    return std::ranges::any_of(links_.all(),
                               [&](const auto& entry) { return claims(claim, entry.second); });
  });
}

void Table::report(std::string& remembered, std::string now, const std::string& what) {
  if (remembered == now) return;
  rematch_needed_ = true;  // a rule that yielded to a refused one may come to the fore
  if (!now.empty()) {
    notices_.push_back({NoticeLevel::warning, fmt::format("{}: {}", what, now)});
  } else {
    notices_.push_back({NoticeLevel::info, fmt::format("{}: all its interfaces fit now", what)});
  }
  remembered = std::move(now);
}

std::string Table::slot_holders() const {
  std::string names;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[slot_number(i)];
    if (slot.wanted.value == 0) continue;
    if (!names.empty()) names += ' ';
    names += slot.holder.name;
  }
  return names;
}

/// The interfaces that get a slot. Rules ask in configuration order: the interfaces that a rule
/// names must all fit or the rule is refused, its wildcards take what fits; then phyint and mgroup
/// lines.
std::vector<const Link*> Table::admit(const std::vector<std::uint32_t>& order) {
  std::vector<const Link*> admitted;
  std::set<IfIndex> waiting;
  const auto is_admitted = [&](const Link* link) {
    return std::ranges::count(admitted, link) != 0;
  };
  const auto select = [&](const auto& wanted) {
    std::vector<const Link*> found;
    for (const auto& [index, link] : links_.all()) {
      if (is_admitted(&link) || !wanted(link)) continue;
      if (eligible(link)) {
        found.push_back(&link);
      } else if (links_.counts(link, key_.id) && !why_unusable(link).empty()) {
        waiting.insert(index);
      }
    }
    return found;
  };
  for (const std::uint32_t id : order) {
    PathUse& use = uses_[id];
    const Path& path = rules_.paths[id];
    const auto rule_name = [&] {
      return fmt::format("mroute from {} group {}", path.iif.to_string(),
                         rules_[use.first_rule].group.to_string());
    };
    const auto named = select([&](const Link& link) { return names_exactly(path, link); });
    const std::size_t free = slots_.size() - admitted.size();
    if (named.size() > free) {
      report(use.refused,
             fmt::format("refused, no slot for interface {}: all {} {} slots "
                         "are held by {}",
                         named[free]->name, slots_.size(), to_string(key_.family), slot_holders()),
             rule_name());
      continue;
    }
    if (!use.refused.empty()) report(use.refused, {}, rule_name());
    admitted.insert(admitted.end(), named.begin(), named.end());
    auto meant = select([&](const Link& link) { return mentions(id, link); });
    const std::size_t room = slots_.size() - admitted.size();
    std::string partial;
    if (meant.size() > room) {
      partial = fmt::format("no slot for interface {}: all {} {} slots are taken",
                            meant[room]->name, slots_.size(), to_string(key_.family));
      meant.resize(room);
    }
    if (partial != use.partial) report(use.partial, partial, rule_name());
    admitted.insert(admitted.end(), meant.begin(), meant.end());
  }
  for (const SlotClaim& claim : claims_) {
    for (const Link* link : select([&](const Link& l) { return claims(claim, l); })) {
      if (admitted.size() < slots_.size()) admitted.push_back(link);
    }
  }
  report_waiting(waiting);
  return admitted;
}

/// New slots are numbered in the order in which the configuration first uses an interface: scripts
/// read the numbers. Rules added at run time come after all files.
std::vector<const Link*> Table::numbering(const std::vector<const Link*>& admitted,
                                          const std::vector<std::uint32_t>& order) const {
  using Use = std::tuple<bool, Location, std::size_t, InterfacePattern>;
  std::vector<Use> uses;
  const auto add_use = [&](const InterfacePattern& pattern, Location where) {
    uses.emplace_back(where.line == 0, where, uses.size(), pattern);
  };
  for (const std::uint32_t id : order) {
    const Location where = rules_[uses_[id].first_rule].where;
    add_use(rules_.paths[id].iif, where);
    for (const auto& oif : rules_.paths[id].oifs) add_use(oif, where);
  }
  for (const SlotClaim& claim : claims_) add_use(claim.pattern, claim.where);
  std::ranges::sort(uses);

  std::vector<const Link*> numbered;
  const std::set<const Link*> wanted(admitted.begin(), admitted.end());
  std::set<const Link*> done;
  for (const Use& use : uses) {
    if (done.size() == wanted.size()) break;
    for (const auto& [index, link] : links_.all()) {
      if (wanted.contains(&link) && matches(std::get<InterfacePattern>(use), link) &&
          done.insert(&link).second) {
        numbered.push_back(&link);
      }
    }
  }
  return numbered;
}

void Table::assign_slots() {
  has_vrfs_ = links_.has_vrfs();
  const auto order = paths_in_order();
  const auto admitted = admit(order);
  const auto each_path = [&](auto test) { return std::ranges::any_of(order, test); };
  const auto claimed = [&](auto test) { return std::ranges::any_of(claims_, test); };
  const SlotTable::Rules rules{
      .mention =
          [&](const Link& link) {
            return links_.is_enabled(link, key_.id) &&
                   (each_path([&](std::uint32_t path) { return mentions(path, link); }) ||
                    claimed([&](const SlotClaim& c) { return claims(c, link); }));
          },
      .name_exactly =
          [&](const Link& link) {
            return each_path(
                [&](std::uint32_t path) { return names_exactly(rules_.paths[path], link); });
          },
      .treat_alike =
          [&](const Link& a, const Link& b) {
            return links_.ttl_threshold(a, key_.id) == links_.ttl_threshold(b, key_.id) &&
                   in_same_vrf(a, b) &&
                   links_.traffic_table(a, key_.family) == links_.traffic_table(b, key_.family) &&
                   !each_path(
                       [&](std::uint32_t path) { return !treats_alike(rules_.paths[path], a, b); });
          },
  };
  std::vector<Link> before;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    before.push_back(slots_[slot_number(i)].holder);
  }
  slots_.assign(numbering(admitted, order), rules);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Link& now = slots_[slot_number(i)].holder;
    if (now.name != before[i].name || now.altnames != before[i].altnames ||
        now.loopback != before[i].loopback || !in_same_vrf(now, before[i])) {
      rematch_needed_ = true;
    }
    const bool same = before[i].index == now.index || before[i].name == now.name ||
                      rules.treat_alike(before[i], now);
    if (!same) handed_over_.set(i);
  }
}

/// The paths that accept `arrival` and are not refused.
Table::PathSet Table::accepting_paths(const PathSet& paths, const Link& arrival) const {
  PathSet accepting;
  std::ranges::copy_if(paths, std::back_inserter(accepting), [&](std::uint32_t path) {
    return uses_[path].refused.empty() && links_.accepts(rules_.paths[path], arrival, key_);
  });
  return accepting;
}

/// Of the paths that accept `arrival` and are not refused, those whose inbound pattern is most
/// specific: an exact name beats every wildcard. Equal ones are merged.
std::vector<std::uint32_t> Table::best_paths(const PathSet& paths, const Link& arrival) const {
  std::vector<std::uint32_t> exact;
  std::vector<std::uint32_t> wildcard;
  for (const std::uint32_t path : accepting_paths(paths, arrival)) {
    (rules_.paths[path].iif.is_wildcard() ? wildcard : exact).push_back(path);
  }
  return exact.empty() ? wildcard : exact;
}

MfcShape Table::shape_for(const std::vector<std::uint32_t>& paths, VifIndex arrival) const {
  MfcShape shape{.parent = arrival, .ttls = {}};
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const VifIndex out = slot_number(i);
    const Link& holder = slots_[out].holder;
    if (!slots_[out].has_holder()) continue;
    for (const std::uint32_t path : paths) {
      const bool meant =
          std::ranges::any_of(rules_.paths[path].oifs, [&](const InterfacePattern& oif) {
            if (!matches(oif, holder)) return false;
            // A wildcard never sends back where the packet came from, nor to another VRF; an
            // explicit name does.
            return !oif.is_wildcard() ||
                   (out != arrival && in_same_vrf(holder, slots_[arrival].holder));
          });
      if (meant) shape.ttls[i] = traits_.ttl_thresholds ? links_.ttl_threshold(holder, key_.id) : 1;
    }
  }
  return shape;
}

void Table::resolve_fanout(std::uint32_t id) {
  Fanout& fanout = fanouts_[id];
  const PathSet& paths = path_sets_[id];
  std::vector<Fanout::Candidate> candidates;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const VifIndex slot = slot_number(i);
    if (!slots_[slot].has_holder()) continue;
    const auto best = best_paths(paths, slots_[slot].holder);
    if (best.empty()) continue;
    candidates.push_back({.slot = slot,
                          .present = slots_[slot].wanted.value != 0,
                          .shape = shapes_.acquire(shape_for(best, slot))});
  }
  const bool changed = !gives_same_entries(candidates, fanout.candidates);
  std::swap(candidates, fanout.candidates);
  for (const auto& old : candidates) shapes_.release(old.shape);
  if (!changed) return;
  for (std::uint32_t flow = fanout.first_flow; flow != kNone; flow = flows_[flow].next) {
    mark_dirty(flow);
  }
}

void Table::resolve() {
  resolve_needed_ = false;
  assign_slots();
  for (std::uint32_t id = 0; id < fanouts_.size(); ++id) {
    if (path_sets_.is_live(id)) resolve_fanout(id);
  }
  resolve_native_forms();
  for (const std::uint32_t flow : strays_) mark_dirty(flow);
}

}  // namespace mcast
