// SPDX-License-Identifier: BSD-2-Clause
#include "tests/property/intent.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace mcast::testing {

std::string to_string(const InterfaceText& rule) {
  std::string text = fmt::format("phyint {} {}", rule.name, rule.enable ? "enable" : "disable");
  if (rule.threshold != 1) text += fmt::format(" ttl-threshold {}", rule.threshold);
  return text;
}

std::string to_string(const RouteText& rule) {
  std::string text = "mroute from " + rule.iif;
  if (!rule.source.empty()) text += " source " + rule.source;
  return text + fmt::format(" group {} {}to {}", rule.group, rule.native ? "native " : "",
                            fmt::join(rule.oifs, " "));
}

std::string to_string(const JoinText& rule) {
  std::string text = "mgroup from " + rule.iif;
  if (!rule.source.empty()) text += " source " + rule.source;
  return text + " group " + rule.group;
}

std::string to_string(const RulesText& rules) {
  std::string text;
  for (const auto& rule : rules.interfaces) text += to_string(rule) + '\n';
  for (const auto& rule : rules.routes) text += to_string(rule) + '\n';
  for (const auto& rule : rules.joins) text += to_string(rule) + '\n';
  return text;
}

std::vector<std::string> words(const RouteText& rule) {
  std::vector<std::string> list{rule.iif};
  if (!rule.source.empty()) list.push_back(rule.source);
  list.push_back(rule.group);
  list.insert(list.end(), rule.oifs.begin(), rule.oifs.end());
  return list;
}

std::vector<std::string> words(const JoinText& rule) {
  return words(RouteText{rule.iif, rule.source, rule.group, {}, false});
}

bool is_wildcard(const std::string& pattern) {
  return pattern.back() == '+';
}

bool means(const std::string& pattern, const Link& link) {
  std::vector<std::string> names = link.altnames;
  names.push_back(link.name);
  return std::ranges::any_of(names, [&](const std::string& name) {
    if (!is_wildcard(pattern)) return name == pattern;
    return !link.loopback && name.starts_with(pattern.substr(0, pattern.size() - 1));
  });
}

Prefix prefix_of(const std::string& text, Family family) {
  return text.empty() ? Prefix::any(family) : Prefix::parse(text).value();
}

namespace {

/// The `phyint` line that decides a setting of a link: an exact name before wildcards, a longer one
/// before a shorter one, the first of equals; lines that do not have the setting do not count.
template <class Has>
const InterfaceText* phyint_of(const RulesText& rules, const Link& link, Has has) {
  const InterfaceText* best = nullptr;
  const auto rank = [](const InterfaceText& rule) {
    return is_wildcard(rule.name) ? rule.name.size() : std::size_t{1000};
  };
  for (const auto& rule : rules.interfaces) {
    if (!has(rule) || !means(rule.name, link)) continue;
    if (best == nullptr || rank(rule) > rank(*best)) best = &rule;
  }
  return best;
}

bool is_enabled(const RulesText& rules, const Link& link) {
  const auto* line = phyint_of(rules, link, [](const InterfaceText&) { return true; });
  return line == nullptr || line->enable;
}

unsigned threshold_of(const RulesText& rules, const Link& link) {
  const auto* line =
      phyint_of(rules, link, [](const InterfaceText& rule) { return rule.threshold != 1; });
  return line == nullptr ? 1 : line->threshold;
}

struct Candidate {
  Device device;
  Link link;
  unsigned threshold;
};

std::size_t holders(const Intent::Links& links, const Address& address) {
  return static_cast<std::size_t>(std::ranges::count_if(links, [&](const auto& entry) {
    return std::ranges::count(entry.second.link.addresses, address) != 0;
  }));
}

/// One family's rules and interfaces.
struct View {
  Family family;
  const FamilyTraits& traits;
  const RulesText& rules;
  std::vector<FakeKernel::Present> counting;  ///< exist, are multicast capable and not disabled
  std::vector<Candidate> links;               ///< of these, those that can have a slot, by index

  View(Family f, const KernelTraits& t, const RulesText& r, const Intent::Links& all,
       const std::set<Device>& bound)
      : family(f), traits(t.of(f)), rules(r) {
    for (const auto& [index, present] : all) {
      const Link& link = present.link;
      if (!is_enabled(r, link) || !(link.multicast || link.loopback)) continue;
      counting.push_back(present);
      if (index.value > traits.max_ifindex) continue;
      const bool has_address = std::ranges::any_of(link.addresses, [&](const Address& address) {
        return address.family() == family && holders(all, address) == 1;
      });
      if (traits.bind_needs_address && !has_address && !bound.contains(present.device)) continue;
      links.push_back({present.device, link, threshold_of(r, link)});
    }
  }

  [[nodiscard]] std::vector<const RouteText*> routes() const {
    std::vector<const RouteText*> own;
    for (const auto& rule : rules.routes) {
      if (Prefix::parse(rule.group)->family() == family) own.push_back(&rule);
    }
    return own;
  }

  [[nodiscard]] bool names(const RouteText& rule, const Link& link) const {
    const auto exactly = [&](const std::string& p) { return !is_wildcard(p) && means(p, link); };
    return exactly(rule.iif) || std::ranges::any_of(rule.oifs, exactly);
  }
  [[nodiscard]] bool mentions(const RouteText& rule, const Link& link) const {
    const auto in = [&](const std::string& pattern) { return means(pattern, link); };
    return in(rule.iif) || std::ranges::any_of(rule.oifs, in);
  }
};

/// Rules that can be carried out and the devices that have slots for them.
struct Share {
  std::vector<const RouteText*> rules;
  std::set<Device> devices;
};

Share everything(const View& view) {
  Share share{view.routes(), {}};
  for (const auto& link : view.links) share.devices.insert(link.device);
  return share;
}

/// In configuration order: a rule that names more interfaces than fit is refused whole, a wildcard
/// takes what fits, interfaces that were there first before others.
Share what_fits(const View& view) {
  Share share;
  for (const RouteText* rule : view.routes()) {
    std::vector<Device> named;
    std::vector<Device> others;
    for (const auto& link : view.links) {
      if (share.devices.contains(link.device)) continue;
      if (view.names(*rule, link.link)) {
        named.push_back(link.device);
      } else if (view.mentions(*rule, link.link)) {
        others.push_back(link.device);
      }
    }
    if (share.devices.size() + named.size() > view.traits.slots) continue;
    share.rules.push_back(rule);
    share.devices.insert(named.begin(), named.end());
    for (const Device device : others) {
      if (share.devices.size() < view.traits.slots) share.devices.insert(device);
    }
  }
  return share;
}

/// The rules that decide about a flow from one interface: longest group, then longest source, then
/// an exact name over a wildcard; equals merge.
std::vector<const RouteText*> deciding(const View& view, const Share& share, const FlowKey& flow,
                                       const Link& from) {
  using Rank = std::tuple<unsigned, unsigned, bool>;
  std::vector<const RouteText*> best;
  Rank best_rank{};
  for (const RouteText* rule : share.rules) {
    const Prefix group = prefix_of(rule->group, view.family);
    const Prefix source = prefix_of(rule->source, view.family);
    if (!group.contains(flow.group) || !source.contains(flow.source)) continue;
    if (!means(rule->iif, from)) continue;
    const Rank rank{group.length(), source.length(), !is_wildcard(rule->iif)};
    if (!best.empty() && rank < best_rank) continue;
    if (best.empty() || rank > best_rank) best.clear();
    best_rank = rank;
    best.push_back(rule);
  }
  return best;
}

Intent::Answers answers_for(const View& view, const Share& share, const FlowKey& flow,
                            unsigned ttl) {
  Intent::Answers answers;
  for (const auto& from : view.links) {
    if (!share.devices.contains(from.device)) continue;
    const auto rules = deciding(view, share, flow, from.link);
    if (rules.empty()) continue;
    Intent::Answer answer;
    answer.exact = prefix_of(rules.front()->source, view.family).is_host() &&
                   prefix_of(rules.front()->group, view.family).is_host();
    answer.native = std::ranges::all_of(rules, [](const RouteText* rule) { return rule->native; });
    for (const auto& to : view.links) {
      if (!share.devices.contains(to.device)) continue;
      if (ttl <= (view.traits.ttl_thresholds ? to.threshold : 1)) continue;
      const bool meant = std::ranges::any_of(rules, [&](const RouteText* rule) {
        return std::ranges::any_of(rule->oifs, [&](const std::string& oif) {
          // A wildcard never sends back where the packet came from.
          return means(oif, to.link) && !(is_wildcard(oif) && to.device == from.device);
        });
      });
      if (meant) answer.out.push_back(to.device);
    }
    std::ranges::sort(answer.out);
    answers.emplace(from.device, std::move(answer));
  }
  return answers;
}

bool is_named(const View& view, const FlowKey& flow) {
  return std::ranges::any_of(view.routes(), [&](const RouteText* rule) {
    return prefix_of(rule->group, view.family) == Prefix(flow.group) &&
           prefix_of(rule->source, view.family) == Prefix(flow.source);
  });
}

std::set<Address> surely_native_groups(const View& view) {
  std::set<Address> groups;
  for (const RouteText* rule : view.routes()) {
    if (!rule->native || is_wildcard(rule->iif) || !view.traits.native_any_source) continue;
    const Address group = prefix_of(rule->group, view.family).address();
    const auto concerned = std::ranges::count_if(view.routes(), [&](const RouteText* other) {
      return prefix_of(other->group, view.family).contains(group);
    });
    const bool returns = std::ranges::any_of(view.links, [&](const Candidate& link) {
      return means(rule->iif, link.link) &&
             std::ranges::any_of(rule->oifs, [&](const std::string& oif) {
               return !is_wildcard(oif) && means(oif, link.link);
             });
    });
    if (concerned == 1 && !returns) groups.insert(group);
  }
  return groups;
}

std::set<Device> meant_devices(const View& view) {
  std::set<Device> meant;
  for (const auto& link : view.links) {
    bool used = std::ranges::any_of(
        view.routes(), [&](const RouteText* rule) { return view.mentions(*rule, link.link); });
    for (const auto& rule : view.rules.interfaces) {
      used = used || (rule.enable && means(rule.name, link.link));
    }
    for (const auto& rule : view.rules.joins) {
      const bool own = Prefix::parse(rule.group)->family() == view.family;
      used = used || (own && means(rule.iif, link.link));
    }
    if (used) meant.insert(link.device);
  }
  return meant;
}

std::set<FakeKernel::Membership> joins_of(const View& view) {
  std::set<FakeKernel::Membership> joins;
  for (const auto& rule : view.rules.joins) {
    const Prefix groups = prefix_of(rule.group, view.family);
    if (groups.family() != view.family) continue;
    for (const auto& link : view.counting) {
      if (!means(rule.iif, link.link)) continue;
      for (std::uint64_t g = 0; g < groups.size(); ++g) {
        if (rule.source.empty()) {
          joins.insert({link.device, std::nullopt, groups.at(g)});
          continue;
        }
        const Prefix sources = prefix_of(rule.source, view.family);
        for (std::uint64_t s = 0; s < sources.size(); ++s) {
          joins.insert({link.device, sources.at(s), groups.at(g)});
        }
      }
    }
  }
  return joins;
}

}  // namespace

Intent::Intent(const RulesText& rules, const Links& links, const std::set<Device>& bound,
               const std::vector<FlowKey>& flows, const KernelTraits& traits) {
  constexpr unsigned kProbeTtl = 64;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const View view(family, traits, rules, links, bound);
    const Share all = everything(view);
    const Share fitting = what_fits(view);
    for (const FlowKey& flow : flows) {
      if (flow.family() != family) continue;
      if (is_named(view, flow)) named_flows_.insert(flow);
      wanted_[flow] = answers_for(view, all, flow, kProbeTtl);
      possible_[flow] = answers_for(view, fitting, flow, kProbeTtl);
    }
    for (const RouteText* rule : view.routes()) {
      if (rule->native && view.traits.native_any_source)
        to_be_native_.insert(prefix_of(rule->group, family).address());
    }
    surely_native_.merge(surely_native_groups(view));
    joins_.merge(joins_of(view));
    (family == Family::ipv4 ? meant_ipv4_ : meant_ipv6_) = meant_devices(view);
  }
}

}  // namespace mcast::testing
