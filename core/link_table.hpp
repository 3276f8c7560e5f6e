// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/config.hpp"
#include "core/interface_pattern.hpp"
#include "core/link.hpp"
#include "core/traits.hpp"

namespace mcast {

/// Whether a pattern means this interface. Alternative names count like the name itself; the
/// loopback is never meant by a wildcard.
[[nodiscard]] bool matches(const InterfacePattern& pattern, const Link& link);

/// How specific a pattern is: an exact name beats every wildcard, a longer stem a shorter one.
[[nodiscard]] std::size_t specificity(const InterfacePattern& pattern);

/// Whether both are enslaved to the same VRF, or neither to one.
[[nodiscard]] bool in_same_vrf(const Link& a, const Link& b);

/// No routing table: where a rule is kept that belongs nowhere. 0 is one on FreeBSD.
inline constexpr TableId kNoTable{0xffffffffU};

/// The interfaces that exist, what `phyint` lines say about them, and which routing table the
/// traffic of each goes to.
class LinkTable {
 public:
  /// Returns whether anything differs from what was known.
  bool put(const Link& link);
  bool remove(IfIndex index);
  [[nodiscard]] const Link* find(IfIndex index) const;
  [[nodiscard]] const Link* find(std::string_view name) const;
  /// By index.
  [[nodiscard]] const std::map<IfIndex, Link>& all() const { return links_; }
  /// An address that no other interface has; none if there is no such one of the family.
  [[nodiscard]] std::optional<Address> own_address(const Link& link, Family family) const;
  /// Another interface that has the address; null if there is none.
  [[nodiscard]] const Link* other_holder(const Address& address, IfIndex link) const;

  void set_rules(std::vector<InterfaceRule> rules) { rules_ = std::move(rules); }
  [[nodiscard]] const std::vector<InterfaceRule>& rules() const { return rules_; }

  /// What `phyint` says, the most specific pattern deciding each setting. Lines for a table count
  /// for `table`, or where none is given for the one that the interface's traffic goes to.
  [[nodiscard]] bool is_enabled(const Link& link, std::optional<TableId> table = {}) const;
  [[nodiscard]] std::uint8_t ttl_threshold(const Link& link,
                                           std::optional<TableId> table = {}) const;
  /// Some `phyint` line wants this host announced there as a multicast router.
  [[nodiscard]] bool is_announced(const Link& link) const;
  /// Exists, is multicast capable and is not disabled.
  [[nodiscard]] bool counts(const Link& link, std::optional<TableId> table = {}) const {
    return link.usable() && is_enabled(link, table);
  }

  // --- Routing tables (link_domains.cpp) ---
  /// What decides about the table of a packet, and where those go that nothing sends elsewhere.
  void set_tables(TableChoice choice, TableId ipv4, TableId ipv6);
  void declare_tables(std::vector<TableRule> tables);
  [[nodiscard]] const std::vector<TableRule>& declared_tables() const { return declared_; }
  /// The tables of `tables auto` by name of interface; kNoTable where there was no room.
  using Allotment = std::map<std::string, TableId, std::less<>>;
  void set_allotment(Allotment allotment) { allotted_ = std::move(allotment); }
  [[nodiscard]] const Allotment& allotment() const { return allotted_; }

  [[nodiscard]] TableId default_table(Family family) const {
    return family == Family::ipv4 ? default_ipv4_ : default_ipv6_;
  }
  /// The table by which the kernel routes what arrives on the interface.
  [[nodiscard]] TableId traffic_table(const Link& link, Family family) const;
  /// The same, of an interface that does not exist.
  [[nodiscard]] TableId traffic_table_of_absent(std::string_view name, Family family) const;
  /// The table that is declared to take the interface's traffic; kNoTable if none is.
  [[nodiscard]] TableId claiming_table(const Link& link) const;
  [[nodiscard]] TableId claiming_table_of_absent(std::string_view name) const;
  /// A VRF by its name, or by its table; null if there is none.
  [[nodiscard]] const Link* find_vrf(std::string_view name) const;
  [[nodiscard]] const Link* find_vrf(TableId table) const;
  /// The VRF that it is enslaved to; null if it is to none.
  [[nodiscard]] const Link* vrf_of(const Link& link) const;
  [[nodiscard]] bool has_vrfs() const;
  /// Whether all traffic goes to the default tables.
  [[nodiscard]] bool has_one_table() const;
  /// Whether the kernel lets the interface be part of the table.
  [[nodiscard]] bool may_be_in(const Link& link, TableKey table) const {
    return choice_ != TableChoice::interface || traffic_table(link, table.family) == table.id;
  }
  /// Whether something known here sends the traffic of some interfaces to this table.
  [[nodiscard]] bool is_chosen(TableId table) const;

  /// Whether the path, as part of `table`, is for what arrives on the interface.
  [[nodiscard]] bool accepts(const Path& path, const Link& arrival, TableKey table) const;
  /// Whether the pattern in a line of this domain means the interface.
  [[nodiscard]] bool means(const Domain& domain, const InterfacePattern& pattern,
                           const Link& link) const;

 private:
  void forget_addresses(const Link& link);

  std::map<IfIndex, Link> links_;
  /// Who has each address: hardly ever more than one interface.
  std::unordered_multimap<Address, IfIndex> holders_;
  std::vector<InterfaceRule> rules_;
  std::vector<TableRule> declared_;
  Allotment allotted_;
  TableChoice choice_ = TableChoice::rules;
  TableId default_ipv4_;
  TableId default_ipv6_;
  /// Answers of claiming_table: many interfaces may be declared, and each is asked about often.
  mutable std::unordered_map<std::string, TableId> claims_;
};

}  // namespace mcast
