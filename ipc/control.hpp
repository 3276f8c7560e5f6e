// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ops.hpp"
#include "core/result.hpp"

/// What can be asked of a running daemon: implemented by the daemon, called by ipc::Server, and
/// offered to programs as the Varlink interface net.mcastd.control.
namespace mcast::ipc {

enum class Verb : std::uint8_t { add, remove, join, leave };

/// `table NAME` or `vrf NAME`, unchecked; the name of a table may be its number.
struct DomainWords {
  enum class Kind : std::uint8_t { table, vrf };
  Kind kind = Kind::table;
  std::string name;
  bool operator==(const DomainWords&) const = default;
};
/// Of which routing table something is asked; none: of all.
using Selection = std::optional<DomainWords>;

/// One change as a user writes it: the verb, then [table T|vrf V] IIF [SOURCE] GROUP [OIF...],
/// unchecked.
struct Command {
  Verb verb = Verb::add;
  std::vector<std::string> words;
  bool operator==(const Command&) const = default;
};

struct Failure {
  Error error;
  /// One line each, where a single message does not say it all: the diagnostics of a configuration
  /// file ("FILE:LINE:COLUMN: MESSAGE").
  std::vector<std::string> details;
  /// Which command of a batch, from 0.
  std::optional<std::size_t> command;
};

/// What was done but deserves a remark, one line each; mostly none.
using Remarks = std::vector<std::string>;
using Outcome = std::expected<Remarks, Failure>;

struct InterfaceRow {
  IfIndex index;
  std::string name;
  std::optional<std::uint16_t> vif;
  std::optional<std::uint16_t> mif;
  /// For a person: "up", "down", "disabled", what it waits for; may be empty.
  std::string state;
  std::optional<std::uint32_t> table{};  ///< where IPv4 traffic that arrives on it is routed
  bool operator==(const InterfaceRow&) const = default;
};

/// Addresses and prefixes are text as Prefix::to_string() gives it; no source means any source.
struct GroupRow {
  std::optional<std::string> source;
  std::string group;
  std::string iif;
  std::optional<std::uint32_t> table{};  ///< none if its interfaces do not all belong to one
  bool operator==(const GroupRow&) const = default;
};

enum class RouteState : std::uint8_t {
  active,   ///< installed, or a template that can match
  waiting,  ///< for an interface; `reason` names it
  refused,  ///< it cannot be installed; `reason` says why
};

struct RouteRow {
  std::optional<std::string> source;
  std::string group;
  std::string iif;
  std::vector<std::string> oifs;
  /// Of an installed (S,G), when asked for.
  std::optional<FlowCounters> counters;
  RouteState state = RouteState::active;
  std::string reason;                    ///< what does not work of it; empty if all does
  std::optional<std::uint32_t> table{};  ///< none while it belongs nowhere
};

enum class PendingKind : std::uint8_t { mroute, mgroup, phyint };

/// A rule that is not in effect.
struct PendingRow {
  PendingKind kind = PendingKind::mroute;
  std::string iif;
  std::optional<std::string> source;
  std::string group;  ///< empty for a phyint
  std::vector<std::string> oifs;
  std::string reason;
  std::optional<std::uint32_t> table{};  ///< none while it belongs nowhere
  std::optional<DomainWords> domain{};   ///< as written
  bool operator==(const PendingRow&) const = default;
};

/// How full a routing table is.
struct TableRow {
  Family family = Family::ipv4;
  std::uint32_t table = 0;
  std::uint64_t slots = 0;         ///< VIFs or MIFs there are
  std::uint64_t slots_used = 0;    ///< bound, or kept for an interface that departed
  std::uint64_t entries = 0;       ///< in the kernel
  std::uint64_t learned = 0;       ///< of these: by an upcall
  std::uint64_t stop_filters = 0;  ///< of these: for flows that match nothing
  std::uint64_t upcalls = 0;       ///< the kernel's questions and reports about flows so far
  std::uint64_t upcalls_lost = 0;  ///< such that came faster than they were read
  std::string why_not;             ///< why it is not in use; empty if it is
  std::string name{};              ///< the configuration's or its VRF's; empty: none
  bool is_default = false;         ///< rules are its family's that nothing else is said of
  bool operator==(const TableRow&) const = default;
};

/// A list that is read piece by piece while the daemon goes on working. Rules, links and flows may
/// change between two calls: a row that stays throughout is given exactly once, any other at most
/// once, and each is as of the call that gives it.
template <class Row>
class Rows {
 public:
  virtual ~Rows() = default;
  /// At most `limit` (at least 1) further rows, perhaps none yet; nullopt at the end. Must be
  /// quick: proportional to `limit`, not to what was given or passed over before.
  virtual std::optional<std::vector<Row>> next(std::size_t limit) = 0;
};

template <class Row>
using RowsPtr = std::unique_ptr<Rows<Row>>;
/// A list, or why there is none: what it should be of does not exist.
template <class Row>
using Listing = std::expected<RowsPtr<Row>, Failure>;

/// Rows of a list that is small enough to be made at once.
template <class Row>
class FixedRows final : public Rows<Row> {
 public:
  explicit FixedRows(std::vector<Row> rows) : rows_(std::move(rows)) {}
  std::optional<std::vector<Row>> next(std::size_t limit) override {
    if (position_ == rows_.size()) return std::nullopt;
    std::vector<Row> page;
    while (position_ < rows_.size() && page.size() < limit) {
      page.push_back(std::move(rows_[position_++]));
    }
    return page;
  }

 private:
  std::vector<Row> rows_;
  std::size_t position_ = 0;
};

enum class RouteList : std::uint8_t {
  any_source,  ///< templates as written: any source, or a range
  exact,       ///< one source and one group, as written
  kernel,      ///< what is installed, stop filters included
};
enum class GroupList : std::uint8_t {
  configured,  ///< as written
  kernel,      ///< what is joined, each group of a range by itself
};

/// The daemon's side. Everything is called from the loop the server runs on, one call at a time,
/// and has to return soon: a client that waits keeps the daemon from its work. Must outlive the
/// server.
class ControlHandler {
 public:
  virtual ~ControlHandler() = default;

  /// Carries out all commands as one transaction: on failure nothing has changed and
  /// `Failure::command` says which one was at fault. Never called without commands.
  virtual Outcome apply(const std::vector<Command>& commands) = 0;
  /// Reads the configuration again. All or nothing: ErrorCode::config with details if the file has
  /// errors.
  virtual Outcome reload() = 0;
  /// Drops learned flows.
  virtual Outcome flush(const Selection& only) = 0;
  /// Asks the daemon to end. Must only note the wish: the reply is sent when this returns. The
  /// client waits until its connection is closed, so the server should be closed last.
  virtual Outcome kill() = 0;

  virtual Listing<InterfaceRow> show_interfaces(const Selection& only) = 0;
  virtual Listing<TableRow> show_tables(const Selection& only) = 0;
  virtual Listing<GroupRow> show_groups(GroupList list, const Selection& only) = 0;
  /// `counters` asks for the counters of installed flows, which costs a kernel call each.
  virtual Listing<RouteRow> show_routes(RouteList list, bool counters, const Selection& only) = 0;
  virtual Listing<PendingRow> show_pending(const Selection& only) = 0;

  /// Something about clients that belongs in the log: a line without program name.
  virtual void note(std::string_view text) = 0;
};

}  // namespace mcast::ipc
