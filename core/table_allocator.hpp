// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/ids.hpp"

namespace mcast {

/// What an inbound interface takes up in whichever table its traffic is routed.
struct TableNeed {
  std::string interface;
  /// Interfaces that rules with it as inbound name as outbound, whether or not they exist; in the
  /// order of the configuration. It need not name itself, nor anything once only.
  std::vector<std::string> named;
  /// Those that outbound wildcards of such rules mean now.
  std::vector<std::string> matched;
  bool operator==(const TableNeed&) const = default;
};

/// Spreads inbound interfaces over the tables of `tables auto`, so that each table has slots for
/// all that its interfaces need.
///
/// Few tables, since the kernel walks them all for every packet: interfaces that send to the same
/// others share a table. What needs more slots than a table has gets one for itself, where slots
/// are then given as in any table that is short of them.
///
/// An interface keeps its table while its need fits there beside the others', and the table is kept
/// for it while it has no need at all, until somebody has to have the room. That goes for as many
/// as ever had needs at once and a table's worth more, so that names which never return do not
/// spread the others over ever more tables.
class TableAllocator {
 public:
  /// `slots`: of one table.
  explicit TableAllocator(std::size_t slots) : slots_(slots) {}

  /// `taken` are tables of the range that others have. Takes effect with the next update; only
  /// interfaces whose table is no longer there move.
  void set_range(const std::optional<AutoTables>& range, std::set<TableId> taken = {});
  /// All needs there are now, one for each interface, in the order of the configuration. Costs a
  /// comparison for each that is as it was, and for others and those without a table no more than
  /// their number times that of the tables and the size of a need.
  void update(std::span<const TableNeed> needs);

  /// None for an interface without need, and where `why_not` says so.
  [[nodiscard]] std::optional<TableId> table_of(std::string_view interface) const;
  /// Why the interface has no table, or why its table cannot hold all that its rules name; empty if
  /// neither.
  [[nodiscard]] std::string why_not(std::string_view interface) const;
  /// The tables that some interface with a need has, ascending.
  [[nodiscard]] std::vector<TableId> tables() const;

 private:
  struct Place {
    TableNeed need;                  ///< as it was given
    std::vector<std::string> names;  ///< each once, the interface first, then the named ones
    std::size_t named = 0;           ///< how many of them wildcards have no part in
    std::optional<TableId> table;
    bool needed = true;        ///< otherwise the table is only kept for it
    std::uint64_t seen = 0;    ///< the last update that brought its need
    std::uint64_t placed = 0;  ///< the last update that had to find it a table
  };
  using Places = std::map<std::string, Place, std::less<>>;
  struct Uses {
    std::size_t needed = 0;  ///< by how many interfaces with a need
    std::size_t kept = 0;    ///< by how many others
  };
  struct Table {
    std::map<std::string, Uses, std::less<>> names;
    std::size_t needed = 0;  ///< names that somebody needs
  };
  /// How a need and a table go together.
  struct Fit {
    std::size_t shared = 0;  ///< names that are needed there already
    bool full = false;
    bool full_of_kept = false;  ///< there is room if nothing is kept for the absent
  };
  using Pending = std::vector<Places::iterator>;

  [[nodiscard]] static Place place_of(const TableNeed& need);
  static void count(Table& table, const std::string& name, std::size_t Uses::* kind, bool more);
  [[nodiscard]] Fit fit(const Place& place, TableId id) const;
  [[nodiscard]] bool is_usable(TableId id) const;
  [[nodiscard]] std::vector<TableId> unused_tables() const;

  void settle(TableId id, Places::iterator place);
  /// Leaves the table, which is still noted.
  void leave(Places::iterator place);
  void forget(Places::iterator kept);
  void make_room(TableId id);

  Pending take_over(std::span<const TableNeed> needs);
  void keep_for_the_absent();
  void stay(Pending& pending);
  void join(Pending& pending, bool instead_of_kept);
  void fill_unused(Pending& pending);
  void forget_the_oldest();

  std::size_t slots_;
  std::optional<AutoTables> range_;
  std::set<TableId> taken_;
  Places places_;
  std::map<TableId, Table> tables_;
  std::set<std::pair<std::uint64_t, std::string>> kept_;  ///< by the update that left them out
  std::size_t most_needs_ = 0;                            ///< at once, so far
  std::uint64_t update_ = 0;
  bool range_changed_ = false;
};

}  // namespace mcast
