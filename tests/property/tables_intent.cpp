// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/tables_intent.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

namespace mcast::testing {

namespace {

std::vector<std::string> domain_words(const DomainText& domain) {
  if (domain.name.empty()) return {};
  return {domain.is_vrf ? "vrf" : "table", domain.name};
}

/// Behind the first word of the line.
std::string in_domain(std::string line, const DomainText& domain) {
  if (domain.name.empty()) return line;
  return line.insert(line.find(' '), fmt::format(" {}", fmt::join(domain_words(domain), " ")));
}

std::vector<std::string> in_domain(std::vector<std::string> list, const DomainText& domain) {
  const auto leading = domain_words(domain);
  list.insert(list.begin(), leading.begin(), leading.end());
  return list;
}

}  // namespace

std::string to_string(const TableRoute& rule) {
  return in_domain(to_string(rule.route), rule.domain);
}
std::string to_string(const TableJoin& rule) {
  return in_domain(to_string(rule.join), rule.domain);
}
std::string to_string(const TablesText& rules) {
  std::string text;
  for (const TableText& table : rules.tables) {
    text += fmt::format("table {}", table.id);
    if (!table.iifs.empty()) text += fmt::format(" iif {}", fmt::join(table.iifs, " "));
    text += '\n';
  }
  for (const auto& rule : rules.routes) text += to_string(rule) + '\n';
  for (const auto& rule : rules.joins) text += to_string(rule) + '\n';
  return text;
}
std::vector<std::string> words(const TableRoute& rule) {
  return in_domain(words(rule.route), rule.domain);
}
std::vector<std::string> words(const TableJoin& rule) {
  return in_domain(words(rule.join), rule.domain);
}

namespace {

using Present = FakeKernel::Present;

bool counts(const Link& link) {
  return link.multicast || link.loopback;
}

bool is_vrf(const Link& link) {
  return link.kind == "vrf" && link.vrf_table.value != 0;
}

/// The world as one family of the kernel sees it.
struct Scene {
  Family family;
  const FamilyTraits& traits;
  bool has_fibs;  ///< interfaces belong to tables; otherwise rules choose them
  const TablesText& rules;
  const Intent::Links& links;

  /// The VRF that the interface is enslaved to.
  [[nodiscard]] const Link* vrf_of(const Link& link) const {
    if (!link.master_is_vrf) return nullptr;
    const auto master = links.find(link.master);
    return master != links.end() && is_vrf(master->second.link) ? &master->second.link : nullptr;
  }
  [[nodiscard]] const Link* vrf(const std::string& name) const {
    for (const auto& [index, present] : links) {
      if (is_vrf(present.link) && present.link.has_name(name)) return &present.link;
    }
    return nullptr;
  }

  /// The declared table that an interface of this name and none other belongs to.
  [[nodiscard]] const TableText* claiming(const Link& link) const {
    const TableText* best = nullptr;
    std::size_t best_rank = 0;
    for (const TableText& table : rules.tables) {
      for (const std::string& pattern : table.iifs) {
        if (!means(pattern, link)) continue;
        const std::size_t rank = is_wildcard(pattern) ? pattern.size() : std::size_t{1000};
        if (rank > best_rank) best = &table;
        best_rank = std::max(rank, best_rank);
      }
    }
    return best;
  }
  [[nodiscard]] TableId traffic_table(const Link& link) const {
    if (has_fibs) return link.fib;
    if (const TableText* table = claiming(link)) return TableId(table->id);
    if (const Link* vrf = vrf_of(link)) return vrf->vrf_table;
    return traits.default_table;
  }
  /// Some interfaces' traffic is sent there, so that a wildcard in it means these.
  [[nodiscard]] bool has_interfaces_of_its_own(TableId table) const {
    const bool declared = std::ranges::any_of(
        rules.tables, [&](const TableText& t) { return t.id == table.value && !t.iifs.empty(); });
    return declared || is_of_a_vrf(table);
  }

  [[nodiscard]] bool is_of_a_vrf(TableId table) const {
    return std::ranges::any_of(links, [&](const auto& entry) {
      return is_vrf(entry.second.link) && entry.second.link.vrf_table == table;
    });
  }

  [[nodiscard]] bool accepts(const TableRoute& rule, TableId table, const Link& from) const {
    if (!means(rule.route.iif, from) || !may_be_in(from, table)) return false;
    if (rule.domain.name.empty()) return traffic_table(from) == table;
    if (rule.domain.is_vrf) {
      const Link* vrf = vrf_of(from);
      return vrf != nullptr && vrf->has_name(rule.domain.name);
    }
    return !is_wildcard(rule.route.iif) || !has_interfaces_of_its_own(table) ||
           traffic_table(from) == table;
  }

  struct Places {
    std::set<TableId> sure;
    std::set<TableId> perhaps;  ///< where the rule may live as nothing tells it where else
  };
  [[nodiscard]] Places places_of(const TableRoute& rule) const {
    if (!rule.domain.name.empty() && !rule.domain.is_vrf) {
      return {{TableId(static_cast<std::uint32_t>(std::stoul(rule.domain.name)))}, {}};
    }
    if (rule.domain.is_vrf) {
      const Link* found = vrf(rule.domain.name);
      return found == nullptr ? Places{} : Places{{found->vrf_table}, {}};
    }
    Places places;
    for (const auto& [index, present] : links) {
      if (!means(rule.route.iif, present.link)) continue;
      (counts(present.link) ? places.sure : places.perhaps).insert(traffic_table(present.link));
    }
    if (places.sure.empty()) {
      Link absent;
      absent.name = rule.route.iif;
      absent.fib = traits.default_table;
      places.perhaps.insert(traffic_table(absent));
      places.perhaps.insert(traits.default_table);
    }
    return places;
  }
  [[nodiscard]] bool may_be_in(const Link& link, TableId table) const {
    return !has_fibs || link.fib == table;
  }
  [[nodiscard]] bool can_have_slot(const Link& link, TableId table) const {
    return counts(link) && link.index.value <= traits.max_ifindex && may_be_in(link, table);
  }
  /// An oif pattern of a rule that takes in packets on `from`.
  [[nodiscard]] bool goes_out(const std::string& oif, const Present& from,
                              const Present& to) const {
    if (!means(oif, to.link)) return false;
    if (!is_wildcard(oif)) return true;
    return to.device != from.device && vrf_of(to.link) == vrf_of(from.link);
  }
};

using RulesInTable = std::vector<const TableRoute*>;

Intent::Answers answers_in(const Scene& scene, TableId table, const RulesInTable& rules,
                           const FlowKey& flow) {
  using Rank = std::tuple<unsigned, unsigned, bool>;
  Intent::Answers answers;
  for (const auto& [index, from] : scene.links) {
    if (!scene.can_have_slot(from.link, table)) continue;
    RulesInTable best;
    Rank best_rank{};
    for (const TableRoute* rule : rules) {
      const Prefix group = prefix_of(rule->route.group, scene.family);
      const Prefix source = prefix_of(rule->route.source, scene.family);
      if (!group.contains(flow.group) || !source.contains(flow.source)) continue;
      if (!scene.accepts(*rule, table, from.link)) continue;
      const Rank rank{group.length(), source.length(), !is_wildcard(rule->route.iif)};
      if (!best.empty() && rank < best_rank) continue;
      if (best.empty() || rank > best_rank) best.clear();
      best_rank = rank;
      best.push_back(rule);
    }
    if (best.empty()) continue;
    Intent::Answer answer;
    answer.exact = std::get<0>(best_rank) == Prefix(flow.group).length() &&
                   std::get<1>(best_rank) == Prefix(flow.source).length();
    for (const auto& [to_index, to] : scene.links) {
      if (!scene.can_have_slot(to.link, table)) continue;
      const bool meant = std::ranges::any_of(best, [&](const TableRoute* rule) {
        return std::ranges::any_of(rule->route.oifs, [&](const std::string& oif) {
          return scene.goes_out(oif, from, to);
        });
      });
      if (meant) answer.out.push_back(to.device);
    }
    std::ranges::sort(answer.out);
    answers.emplace(from.device, std::move(answer));
  }
  return answers;
}

/// Slots that a rule asks for in a table where it lives.
void add_slots(const Scene& scene, TableId id, const TableRoute& rule,
               TablesIntent::OneTable& table) {
  for (const auto& [index, to] : scene.links) {
    if (!scene.can_have_slot(to.link, id)) continue;
    if (scene.accepts(rule, id, to.link)) table.due.insert(to.device);
    // Those that belong to the table by themselves may be ready for interfaces that join them.
    const Link* vrf = scene.vrf_of(to.link);
    const bool belongs = vrf == nullptr ? !scene.is_of_a_vrf(id) : vrf->vrf_table == id;
    for (const std::string& oif : rule.route.oifs) {
      if (!means(oif, to.link)) continue;
      if (belongs || !is_wildcard(oif)) table.may.insert(to.device);
      for (const auto& [from_index, from] : scene.links) {
        if (!scene.accepts(rule, id, from.link) || !scene.goes_out(oif, from, to)) continue;
        (scene.can_have_slot(from.link, id) ? table.due : table.may).insert(to.device);
      }
    }
  }
}

std::set<MulticastRule> multicast_rules_for(const Scene& scene) {
  std::set<MulticastRule> wanted;
  if (scene.has_fibs) return wanted;
  const auto add = [&](std::uint32_t table, const std::string& interface) {
    for (const auto match : {MulticastRule::Match::inbound, MulticastRule::Match::sent}) {
      wanted.insert({{scene.family, TableId(table)}, match, interface});
    }
  };
  for (const TableText& table : scene.rules.tables) {
    for (const std::string& pattern : table.iifs) {
      if (!is_wildcard(pattern)) add(table.id, pattern);
    }
  }
  for (const auto& [index, present] : scene.links) {
    if (const TableText* table = scene.claiming(present.link)) add(table->id, present.link.name);
  }
  return wanted;
}

std::set<FakeKernel::Membership> joins_in(const Scene& scene) {
  std::set<FakeKernel::Membership> joins;
  for (const TableJoin& rule : scene.rules.joins) {
    const Prefix groups = prefix_of(rule.join.group, scene.family);
    if (groups.family() != scene.family) continue;
    for (const auto& [index, present] : scene.links) {
      const Link& link = present.link;
      if (!counts(link) || !means(rule.join.iif, link)) continue;
      if (rule.domain.is_vrf) {
        const Link* vrf = scene.vrf_of(link);
        if (vrf == nullptr || !vrf->has_name(rule.domain.name)) continue;
      }
      for (std::uint64_t g = 0; g < groups.size(); ++g) {
        const auto source = rule.join.source.empty()
                                ? std::nullopt
                                : std::optional(Address::parse(rule.join.source).value());
        joins.insert({present.device, source, groups.at(g)});
      }
    }
  }
  return joins;
}

}  // namespace

bool is_plain(const TablesText& rules) {
  const auto has_domain = [](const auto& rule) { return !rule.domain.name.empty(); };
  return rules.tables.empty() && std::ranges::none_of(rules.routes, has_domain) &&
         std::ranges::none_of(rules.joins, has_domain);
}

TablesIntent::TablesIntent(const TablesText& rules, bool plain, const Links& links,
                           const std::vector<FlowKey>& flows, const KernelTraits& traits) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const bool has_fibs = traits.table_choice == TableChoice::interface;
    const Scene scene{family, traits.of(family), has_fibs, rules, links};
    for (const auto& [index, present] : links) {
      traffic_[{family, present.device}] = scene.traffic_table(present.link);
    }
    std::map<TableId, RulesInTable> residents;
    const auto at = [&](TableId id) -> OneTable& { return tables_[{family, id}]; };
    for (const TableText& table : rules.tables) at(TableId(table.id)).needed = true;
    OneTable& usual = at(traits.of(family).default_table);
    usual.needed = usual.needed || plain;
    // Joins ask for slots where traffic of their interfaces goes.
    usual.acceptable = !rules.joins.empty();
    for (const TableRoute& rule : rules.routes) {
      if (prefix_of(rule.route.group, family).family() != family) continue;
      const auto places = scene.places_of(rule);
      for (const TableId id : places.sure) at(id).needed = true;
      for (const TableId id : places.perhaps) at(id).acceptable = true;
      std::set<TableId> all = places.sure;
      all.insert(places.perhaps.begin(), places.perhaps.end());
      for (const TableId id : all) {
        residents[id].push_back(&rule);
        add_slots(scene, id, rule, at(id));
      }
    }
    for (const auto& [id, own] : residents) {
      for (const FlowKey& flow : flows) {
        if (flow.family() == family) at(id).answers[flow] = answers_in(scene, id, own, flow);
      }
    }
    for (const TableJoin& rule : rules.joins) {
      for (const auto& [index, present] : links) {
        if (!means(rule.join.iif, present.link)) continue;
        for (auto& [key, table] : tables_) {
          if (key.family != family || !scene.can_have_slot(present.link, key.id)) continue;
          table.may.insert(present.device);
        }
      }
    }
    multicast_rules_.merge(multicast_rules_for(scene));
    joins_.merge(joins_in(scene));
  }
}

const TablesIntent::OneTable* TablesIntent::table(TableKey key) const {
  const auto found = tables_.find(key);
  return found == tables_.end() ? nullptr : &found->second;
}

const Intent::Answer* TablesIntent::answer(TableKey key, const FlowKey& flow, Device from) const {
  const OneTable* one = table(key);
  if (one == nullptr) return nullptr;
  const auto answers = one->answers.find(flow);
  if (answers == one->answers.end()) return nullptr;
  const auto found = answers->second.find(from);
  return found == answers->second.end() ? nullptr : &found->second;
}

}  // namespace mcast::testing
