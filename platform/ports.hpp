// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/link.hpp"
#include "core/ops.hpp"
#include "core/result.hpp"
#include "core/router_discovery.hpp"
#include "core/traits.hpp"
#include "platform/posix/unique_fd.hpp"

/// The contract a backend fulfils. Nothing here blocks except for the kernel's own locks, and
/// nothing throws. File descriptors are owned by the port; a caller only polls them.
namespace mcast::platform {

/// Receives what the kernel asks through the table sockets.
class UpcallSink {
 public:
  virtual ~UpcallSink() = default;
  virtual void upcall(const Upcall& upcall) = 0;
};

/// An opened, initialised table socket with the label that a descriptor itself cannot tell: the
/// kernel does not say which table a socket was opened for.
struct TableSocket {
  TableKey table;
  UniqueFd descriptor;
};

/// Opens table sockets, which needs privilege; using them needs none. This is the seam between the
/// small privileged keeper and everything else.
class TableKeeper {
 public:
  virtual ~TableKeeper() = default;
  /// Takes a table for this process. Errors: table_in_use (another program owns it; the message
  /// names the table and, where it can be found, the holder), no_permission, no_kernel_support,
  /// invalid_argument (an id out of the family's range).
  virtual Result<TableSocket> open_table(TableKey table) = 0;
};

/// The kernel's multicast rules (`ip mrule`), which choose the table of a packet.
class MulticastRuleSocket {
 public:
  virtual ~MulticastRuleSocket() = default;
  /// Carries out AddMulticastRule or DropMulticastRule. What is so already succeeds, and rules of
  /// other makers stay as they are, identical ones included.
  virtual Result<void> apply(const Op& op) = 0;
  /// In the order in which the kernel asks them, of both families: those that take all packets of
  /// one interface or of every one. What takes only some of them (fwmark) is left out, as is what
  /// takes those of VRFs. One that takes packets that arrive and that are sent is listed twice.
  virtual Result<std::vector<KernelMulticastRule>> list() = 0;
  /// Whether another program has this table; if not, its rules are of one that has died. Not to be
  /// asked about tables of this process, which are found held.
  virtual bool is_held_elsewhere(TableKey table) = 0;
  /// Readable when rules have changed.
  [[nodiscard]] virtual int descriptor() const = 0;
  /// Reads all that waits: whether somebody else has changed multicast rules, or may have.
  virtual bool read_changes() = 0;
};

/// What has come from a table socket since it was opened.
struct UpcallCounts {
  std::uint64_t read = 0;
  /// The kernel had no room for them, since too many waited to be read. It has dropped the packet
  /// with each, and asks again at the flow's next one.
  std::uint64_t lost = 0;
};

/// The kernel's multicast forwarding: tables, slots, entries, memberships.
class MrouteKernel {
 public:
  virtual ~MrouteKernel() = default;

  [[nodiscard]] virtual const KernelTraits& traits() const = 0;

  /// Uses a table through a socket that a keeper opened, now or in an earlier life of the process.
  virtual Result<void> adopt_table(TableSocket socket) = 0;
  /// Gives it up: the kernel removes its slots and entries. Closing an unknown table does nothing.
  virtual void close_table(TableKey table) = 0;

  /// Carries out one step. Joins and leaves need no table. Memberships are spread over as many
  /// sockets as the kernel's limits ask for. What is so already succeeds: joining what is joined,
  /// leaving what is not, dropping an entry or unbinding a slot that the kernel does not have. An
  /// entry of a table that is not open is an internal error.
  virtual Result<void> apply(const Op& op) = 0;

  /// Asks the kernel whether the slot is bound; used after events were lost.
  virtual Result<bool> slot_is_bound(TableKey table, VifIndex slot) = 0;
  /// Counters of an installed entry (SIOCGETSGCNT); not_found if there is none.
  virtual Result<FlowCounters> counters(TableKey table, const FlowKey& flow) = 0;

  /// The descriptor that is readable when upcalls wait; -1 if the table is not open.
  [[nodiscard]] virtual int upcall_descriptor(TableKey table) const = 0;
  /// Reads what waits, at most `limit` messages, and hands upcalls to the sink; other packets the
  /// socket sees and malformed messages are dropped. Returns how many messages were read.
  virtual Result<std::size_t> read_upcalls(TableKey table, std::size_t limit, UpcallSink& sink) = 0;
  /// Costs a kernel call.
  [[nodiscard]] virtual Result<UpcallCounts> upcall_counts(TableKey table) const = 0;

  /// How many kernel calls that change state were made (MRT_* and joins), for tests and `show`.
  [[nodiscard]] virtual std::uint64_t change_count() const = 0;
};

/// Receives link changes in the order the kernel made them.
class LinkSink {
 public:
  virtual ~LinkSink() = default;
  /// The link is new or something about it changed.
  virtual void link_changed(const Link& link) = 0;
  virtual void link_removed(IfIndex index) = 0;
  /// Everything that exists now: after start, and whenever events were lost. Links not in the list
  /// are gone, and a link may have been re-created unseen.
  virtual void links_relearned(std::span<const Link> links) = 0;
};

/// The kernel's event stream about interfaces and their addresses.
class LinkSource {
 public:
  virtual ~LinkSource() = default;
  /// Subscribes and learns what exists: the sink has got links_relearned once when this returns.
  virtual Result<void> start(LinkSink& sink) = 0;
  /// Readable when events wait.
  [[nodiscard]] virtual int descriptor() const = 0;
  /// Others that are, where no single socket hears of everything.
  [[nodiscard]] virtual std::vector<int> further_descriptors() const { return {}; }
  /// Reads all that waits. A loss of events is handled inside: everything is learned anew and
  /// reported by links_relearned. An error here means that the source is unusable.
  virtual Result<void> read(LinkSink& sink) = 0;
  /// In how many milliseconds read() should be called again although nothing new came: a relearn
  /// was interrupted by further changes and has to be repeated, or not all that waited was read.
  /// -1: all that the kernel had sent has been passed on.
  [[nodiscard]] virtual Milliseconds retry_in() const = 0;
  /// The same, though all has been passed on: the kernel may have lost events without saying so,
  /// which read() then looks for. -1: it never does.
  [[nodiscard]] virtual Milliseconds recheck_in() const { return -1; }
};

/// Receives what hosts and switches ask by Multicast Router Discovery.
class SolicitationSink {
 public:
  virtual ~SolicitationSink() = default;
  virtual void solicited(RouterLink link) = 0;
};

/// Messages of Multicast Router Discovery (RFC 4286). What needs privilege is done when it is made;
/// a family that cannot be used then fails in each step, with the reason.
class DiscoverySocket {
 public:
  virtual ~DiscoverySocket() = default;
  /// Sends a message, or begins or ceases to hear solicitations. Errors: no_such_interface for one
  /// that is gone. What is so already succeeds.
  virtual Result<void> apply(const AnnounceStep& step) = 0;
  /// Readable when solicitations wait, and for nothing else; -1 if the family cannot be used.
  [[nodiscard]] virtual int descriptor(Family family) const = 0;
  /// Reads at most `limit` of them; malformed ones are dropped.
  virtual Result<void> read(Family family, std::size_t limit, SolicitationSink& sink) = 0;
};

struct Platform {
  std::unique_ptr<TableKeeper> keeper;
  std::unique_ptr<MulticastRuleSocket> multicast_rules;  ///< null where the system has none
  std::unique_ptr<MrouteKernel> kernel;
  std::unique_ptr<LinkSource> links;
  std::unique_ptr<DiscoverySocket> discovery;
};

/// The backend this program was built with. Fails with no_kernel_support or no_permission only for
/// what every table needs; tables themselves are opened later.
Result<Platform> open_platform();

}  // namespace mcast::platform
