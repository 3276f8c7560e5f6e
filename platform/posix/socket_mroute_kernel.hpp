// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "platform/ports.hpp"
#include "platform/posix/memberships.hpp"
#include "platform/posix/mroute_error.hpp"
#include "platform/posix/mroute_requests.hpp"

namespace mcast::platform {

/// What every kernel with MROUTING's socket options has in common: tables are sockets, each change
/// is one option, upcalls are read from the socket. The structures differ.
class SocketMrouteKernel : public MrouteKernel {
 public:
  const KernelTraits& traits() const override { return traits_; }

  Result<void> adopt_table(TableSocket socket) override;
  void close_table(TableKey key) override;

  Result<void> apply(const Op& op) override;

  int upcall_descriptor(TableKey key) const override;
  Result<std::size_t> read_upcalls(TableKey key, std::size_t limit, UpcallSink& sink) override;

  std::uint64_t change_count() const override { return changes_ + memberships_.change_count(); }

 protected:
  struct OpenTable {
    TableSocket socket;
    UpcallCounts upcalls = {};  ///< so far; only what reading shows of losses
    [[nodiscard]] int fd() const { return socket.descriptor.get(); }
  };

  /// The most sources as in Memberships.
  SocketMrouteKernel(const KernelTraits& traits, std::optional<std::size_t> most_sources)
      : traits_(traits), memberships_(most_sources) {}

  virtual Result<void> carry_out(const PutMfc& op) = 0;
  virtual Result<void> carry_out(const DropMfc& op) = 0;
  virtual Result<void> carry_out(const BindVif& op) = 0;
  virtual Result<void> carry_out(const UnbindVif& op) = 0;

  /// Whether the sink is to hear of it.
  virtual bool admits(const Upcall& /*upcall*/) { return true; }

  /// Null if it is not open.
  [[nodiscard]] const OpenTable* find(TableKey key) const;
  [[nodiscard]] OpenTable* find(TableKey key);

  /// Sets an option of the table's socket: 0 or an errno, EBADF for a table that is not open.
  template <class Value>
  [[nodiscard]] int change(TableKey key, int option, const Value& value) {
    const auto* table = find(key);
    if (table == nullptr) return EBADF;
    ++changes_;
    const int result =
        ::setsockopt(table->fd(), mroute_level(key.family), option, &value, sizeof value);
    return result == 0 ? 0 : errno;
  }

  /// The counters of an entry, by the system's structures and commands for IPv4 and IPv6.
  template <class Request4, class Request6>
  [[nodiscard]] Result<FlowCounters> counters_by(TableKey key, const FlowKey& flow,
                                                 unsigned long command4, unsigned long command6) {
    const auto* table = find(key);
    std::expected<FlowCounters, int> counters = std::unexpected(EBADF);
    if (table != nullptr && key.family == Family::ipv4) {
      counters = request_counters<Request4>(table->fd(), command4, flow);
    } else if (table != nullptr) {
      counters = request_counters<Request6>(table->fd(), command6, flow);
    }
    if (counters) return *counters;
    return failure(MrouteCall::get_counters, key, counters.error(), flow.to_string());
  }

  [[nodiscard]] static std::unexpected<Error> failure(MrouteCall call, TableKey table, int error,
                                                      const std::string& what);
  /// The kernel would see the index cut to what mif6ctl has room for, which may be another
  /// interface's.
  [[nodiscard]] Result<void> check_index(const BindVif& op) const;

 private:
  const KernelTraits traits_;
  std::vector<OpenTable> tables_;
  Memberships memberships_;
  std::uint64_t changes_ = 0;
};

}  // namespace mcast::platform
