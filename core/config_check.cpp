// SPDX-License-Identifier: BSD-2-Clause
#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/config_parser.hpp"

namespace mcast {
namespace {

std::size_t combine(std::size_t seed, std::size_t value) {
  return (seed ^ value) * 0x9e3779b97f4a7c15U;
}

/// The first rule equal to each one, by open addressing over rule numbers: four bytes per slot,
/// gone when the check is done.
class FirstSeen {
 public:
  explicit FirstSeen(std::size_t rules) : slots_(std::bit_ceil(2 * rules + 1), kFree) {}

  /// The earlier rule for which `equal(earlier)` holds; otherwise `number`, which is kept.
  template <class Equal>
  std::uint32_t find_or_add(std::size_t hash, std::uint32_t number, const Equal& equal) {
    const std::size_t mask = slots_.size() - 1;
    // The upper bits of a product are its good ones.
    std::size_t at = (hash ^ hash >> 32) & mask;
    while (slots_[at] != kFree) {
      if (equal(slots_[at])) return slots_[at];
      at = (at + 1) & mask;
    }
    return slots_[at] = number;
  }

 private:
  static constexpr std::uint32_t kFree = 0xffffffff;
  std::vector<std::uint32_t> slots_;
};

std::size_t hash_of(const Prefix& source, const Prefix& group) {
  const std::size_t flow = std::hash<FlowKey>{}({source.address(), group.address()});
  return combine(flow, source.length() << 8 | group.length());
}

std::size_t hash_of(const RouteRule& rule) {
  return combine(hash_of(rule.source, rule.group), rule.path.value);
}

bool same(const RouteRule& a, const RouteRule& b) {
  return a.path == b.path && a.group == b.group && a.source == b.source;
}

std::size_t hash_of(const JoinRule& rule) {
  const std::size_t flow = hash_of(rule.source.value_or(Prefix()), rule.group);
  const std::size_t inbound = combine(flow, std::hash<std::string>{}(rule.iif.stem()));
  return combine(inbound, std::hash<std::string>{}(rule.domain.vrf) + rule.domain.table.value);
}

bool same(const JoinRule& a, const JoinRule& b) {
  return std::tie(a.iif, a.source, a.group, a.domain) ==
         std::tie(b.iif, b.source, b.group, b.domain);
}

/// Rules that come of a line which says more, and which has to stay.
bool is_part_of_another(const RouteRule& rule) {
  return rule.exception;
}
bool is_part_of_another(const JoinRule& rule) {
  return rule.by_route;
}

class Checker {
 public:
  Checker(Config& config, DiagnosticList& diagnostics)
      : config_(config), diagnostics_(diagnostics) {}

  void run() {
    find_repetitions(config_.routes);
    find_repetitions(config_.joins);
    find_blocked_routes();
    find_one_sided_exceptions();
    settle_interfaces();
    find_unheeded_thresholds();
  }

 private:
  template <class Rule>
  void find_repetitions(const std::vector<Rule>& rules) {
    FirstSeen seen(rules.size());
    for (std::uint32_t i = 0; i < rules.size(); ++i) {
      if (is_part_of_another(rules[i])) continue;
      const auto first = seen.find_or_add(
          hash_of(rules[i]), i, [&](std::uint32_t other) { return same(rules[other], rules[i]); });
      if (first != i) {
        warn(rules[i].where, "the same as {}; one of the lines can go", rules[first].where);
      }
    }
  }

  /// Lines that block what others forward: the outputs win, which may not be what was meant.
  void find_blocked_routes() {
    const auto blocks = [&](const RouteRule& rule) {
      return config_.paths[rule.path].oifs.empty();
    };
    const auto count = std::ranges::count_if(config_.routes, blocks);
    if (count == 0 || static_cast<std::size_t>(count) == config_.routes.size()) return;

    const std::vector<std::uint32_t> inbound = inbound_numbers();
    const auto hash = [&](const RouteRule& rule) {
      return combine(hash_of(rule.source, rule.group), inbound[rule.path.value]);
    };
    const auto equal = [&](const RouteRule& a, const RouteRule& b) {
      return inbound[a.path.value] == inbound[b.path.value] && a.group == b.group &&
             a.source == b.source;
    };
    FirstSeen seen(config_.routes.size());
    for (const bool blocking : {true, false}) {
      for (std::uint32_t i = 0; i < config_.routes.size(); ++i) {
        const RouteRule& rule = config_.routes[i];
        if (blocks(rule) != blocking) continue;
        const RouteRule& first =
            config_.routes[seen.find_or_add(hash(rule), i, [&](std::uint32_t other) {
              return equal(config_.routes[other], rule);
            })];
        if (blocking || !blocks(first)) continue;
        warn(std::max(rule.where, first.where),
             "blocks and forwards the same traffic together with {}; it is forwarded",
             std::min(rule.where, first.where));
      }
    }
  }

  /// Several lines that forward the same, of which some leave out what others do not.
  void find_one_sided_exceptions() {
    using Route = std::tuple<std::uint32_t, Prefix, Prefix>;
    struct Lines {
      std::vector<std::uint32_t> routes;
      std::map<std::pair<Prefix, Prefix>, std::vector<std::uint32_t>> exceptions;
    };
    const auto& routes = config_.routes;
    if (std::ranges::none_of(routes, &RouteRule::exception)) return;
    const std::vector<std::uint32_t> inbound = inbound_numbers();
    const auto route_of = [&](const RouteRule& rule) {
      return Route{inbound[rule.path.value], rule.source, rule.group};
    };
    std::map<Route, Lines> by_route;
    std::uint32_t owner = 0;
    for (std::uint32_t i = 0; i < routes.size(); ++i) {
      if (!routes[i].exception) {
        owner = i;
      } else {
        by_route[route_of(routes[owner])].exceptions[{routes[i].source, routes[i].group}].push_back(
            owner);
      }
    }
    for (std::uint32_t i = 0; i < routes.size(); ++i) {
      if (routes[i].exception || config_.paths[routes[i].path].oifs.empty()) continue;
      const auto found = by_route.find(route_of(routes[i]));
      if (found != by_route.end()) found->second.routes.push_back(i);
    }
    for (const auto& [route, lines] : by_route) {
      for (const auto& [exception, owners] : lines.exceptions) {
        if (owners.size() != lines.routes.size())
          warn_of_one_sided(exception, owners, lines.routes);
      }
    }
  }

  /// Both lists of lines are in ascending order.
  void warn_of_one_sided(const std::pair<Prefix, Prefix>& exception,
                         const std::vector<std::uint32_t>& owners,
                         const std::vector<std::uint32_t>& all) {
    const auto [owner, other] = std::ranges::mismatch(owners, all);
    const RouteRule& lacks = config_.routes[*other];
    const RouteRule& has = config_.routes[owners.front()];
    const bool by_source = exception.first != lacks.source;
    if (!diagnostics_.keeps_warnings()) return diagnostics_.drop_warning();
    diagnostics_.warning(
        config_.files[has.where.file], has.where.line, 0,
        fmt::format("blocks {} for {} too, which forwards the same group from the same interface",
                    (by_source ? exception.first : exception.second).to_string(),
                    place(lacks.where)));
  }

  /// For each path a number that is equal where the inbound pattern and the domain are.
  [[nodiscard]] std::vector<std::uint32_t> inbound_numbers() const {
    std::map<std::pair<InterfacePattern, Domain>, std::uint32_t> numbers;
    std::vector<std::uint32_t> of_path;
    for (std::uint32_t id = 0; id < config_.paths.size(); ++id) {
      const auto next = static_cast<std::uint32_t>(numbers.size());
      const Path& path = config_.paths[PathId(id)];
      of_path.push_back(numbers.try_emplace({path.iif, path.domain}, next).first->second);
    }
    return of_path;
  }

  struct Stated {
    const InterfaceRule* enable = nullptr;
    const InterfaceRule* disable = nullptr;
    const InterfaceRule* threshold = nullptr;
  };

  void settle_interfaces() {
    std::map<std::pair<InterfacePattern, Domain>, Stated> stated;
    std::map<std::tuple<InterfacePattern, Domain, std::optional<bool>, bool,
                        std::optional<std::uint8_t>>,
             Location>
        lines;
    for (const InterfaceRule& rule : config_.interfaces) {
      const auto [first, added] = lines.try_emplace(
          {rule.interface, rule.domain, rule.enable, rule.mrdisc, rule.ttl_threshold}, rule.where);
      if (added) {
        compare(stated[{rule.interface, rule.domain}], rule);
      } else {
        warn(rule.where, "the same as {}; one of the lines can go", first->second);
      }
    }
    for (InterfaceRule& rule : config_.interfaces) {
      if (rule.enable) continue;
      rule.enable = stated[{rule.interface, rule.domain}].disable == nullptr;
    }
  }

  void compare(Stated& stated, const InterfaceRule& rule) {
    const std::string name = in_quotes(rule.interface.to_string());
    if (rule.enable) {
      const InterfaceRule*& own = *rule.enable ? stated.enable : stated.disable;
      const InterfaceRule* other = *rule.enable ? stated.disable : stated.enable;
      if (own == nullptr) own = &rule;
      if (other != nullptr) {
        fail_line(rule.where,
                  fmt::format("{}: {} here, but {} at {}; keep one of them", name,
                              *rule.enable ? "enabled" : "disabled",
                              *rule.enable ? "disabled" : "enabled", place(other->where)));
      }
    }
    if (!rule.ttl_threshold) return;
    if (stated.threshold == nullptr) stated.threshold = &rule;
    if (stated.threshold->ttl_threshold != rule.ttl_threshold) {
      fail_line(rule.where, fmt::format("{}: ttl-threshold {} here, but {} at {}; keep one of them",
                                        name, *rule.ttl_threshold, *stated.threshold->ttl_threshold,
                                        place(stated.threshold->where)));
    }
  }

  using Outputs = std::map<InterfacePattern, Location>;
  struct OutputsByDomain {
    std::map<Domain, Outputs> of;
    Outputs all;
  };
  /// Where IPv6 routes first use each outbound pattern.
  [[nodiscard]] OutputsByDomain ipv6_outputs() const {
    std::vector<bool> done(config_.paths.size());
    OutputsByDomain outputs;
    for (const RouteRule& rule : config_.routes) {
      if (done[rule.path.value] || rule.group.family() != Family::ipv6) continue;
      done[rule.path.value] = true;
      const Path& path = config_.paths[rule.path];
      Outputs& own = outputs.of[path.domain];
      for (const auto& oif : path.oifs) {
        own.try_emplace(oif, rule.where);
        outputs.all.try_emplace(oif, rule.where);
      }
    }
    return outputs;
  }

  /// Where an IPv6 route first uses an interface that the line is about. Which tables a line of no
  /// domain is about, the host decides.
  static std::optional<Location> first_use(const OutputsByDomain& outputs,
                                           const InterfaceRule& rule) {
    if (rule.domain == Domain()) return overlapping(outputs.all, rule.interface);
    std::optional<Location> first;
    for (const Domain& domain : {Domain(), rule.domain}) {
      const auto own = outputs.of.find(domain);
      if (own == outputs.of.end()) continue;
      const auto use = overlapping(own->second, rule.interface);
      if (use && (!first || *use < *first)) first = use;
    }
    return first;
  }

  /// Kernels apply thresholds to IPv4 only.
  void find_unheeded_thresholds() {
    const auto is_set = [](const InterfaceRule& rule) {
      return rule.ttl_threshold.value_or(1) > 1;
    };
    if (std::ranges::none_of(config_.interfaces, is_set)) return;
    const auto outputs = ipv6_outputs();
    for (const InterfaceRule& rule : config_.interfaces) {
      if (!is_set(rule)) continue;
      if (const auto use = first_use(outputs, rule)) {
        if (!diagnostics_.keeps_warnings()) return diagnostics_.drop_warning();
        diagnostics_.warning(
            config_.files[rule.where.file], rule.where.line, 0,
            fmt::format("{}: the ttl-threshold applies to IPv4 only; the kernel ignores it for the "
                        "IPv6 route at {}",
                        in_quotes(rule.interface.to_string()), place(*use)));
      }
    }
  }

  /// The place of some pattern that can mean the same interface as this one.
  static std::optional<Location> overlapping(const Outputs& patterns,
                                             const InterfacePattern& pattern) {
    const std::string& stem = pattern.stem();
    if (const auto same = patterns.find(pattern); same != patterns.end()) return same->second;
    for (std::size_t length = 0; length <= stem.size(); ++length) {
      const auto shorter =
          patterns.find(InterfacePattern::wildcard(std::string_view(stem).substr(0, length)));
      if (shorter != patterns.end()) return shorter->second;
    }
    if (!pattern.is_wildcard()) return std::nullopt;
    const auto longer = patterns.lower_bound(InterfacePattern::exact(stem));
    if (longer == patterns.end() || !longer->first.stem().starts_with(stem)) return std::nullopt;
    return longer->second;
  }

  [[nodiscard]] std::string place(Location where) const {
    return fmt::format("{}:{}", printable(config_.files[where.file]), where.line);
  }
  void warn(Location at, fmt::format_string<std::string> text, Location other) {
    if (!diagnostics_.keeps_warnings()) return diagnostics_.drop_warning();
    diagnostics_.warning(config_.files[at.file], at.line, 0, fmt::format(text, place(other)));
  }
  void fail_line(Location at, std::string message) {
    diagnostics_.error(config_.files[at.file], at.line, 0, std::move(message));
  }

  Config& config_;
  DiagnosticList& diagnostics_;
};

}  // namespace

void check_config(Config& config, DiagnosticList& diagnostics) {
  Checker(config, diagnostics).run();
}

}  // namespace mcast
