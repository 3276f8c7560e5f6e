// SPDX-License-Identifier: BSD-2-Clause
#include "platform/posix/socket_mroute_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

#include "platform/upcall_codec.hpp"

namespace mcast::platform {

// There are few tables, and most often one is used many times in a row.
const SocketMrouteKernel::OpenTable* SocketMrouteKernel::find(TableKey key) const {
  const auto it = std::ranges::find_if(
      tables_, [&](const OpenTable& table) { return table.socket.table == key; });
  return it == tables_.end() ? nullptr : &*it;
}

SocketMrouteKernel::OpenTable* SocketMrouteKernel::find(TableKey key) {
  return const_cast<OpenTable*>(std::as_const(*this).find(key));
}

Result<void> SocketMrouteKernel::adopt_table(TableSocket socket) {
  if (find(socket.table) != nullptr) {
    return fail(ErrorCode::already_exists,
                fmt::format("{}: it is open already", describe(socket.table)));
  }
  tables_.push_back({std::move(socket)});
  return {};
}

void SocketMrouteKernel::close_table(TableKey key) {
  std::erase_if(tables_, [&](const OpenTable& t) { return t.socket.table == key; });
}

Result<void> SocketMrouteKernel::apply(const Op& op) {
  return std::visit(
      [&]<class Step>(const Step& step) -> Result<void> {
        if constexpr (std::is_same_v<Step, JoinGroup>) {
          return memberships_.join(step);
        } else if constexpr (std::is_same_v<Step, LeaveGroup>) {
          return memberships_.leave(step);
        } else if constexpr (std::is_same_v<Step, PutMfc> || std::is_same_v<Step, DropMfc> ||
                             std::is_same_v<Step, BindVif> || std::is_same_v<Step, UnbindVif>) {
          return carry_out(step);
        } else {
          return fail(ErrorCode::internal, "not a step of this port: " + to_string(op));
        }
      },
      op);
}

int SocketMrouteKernel::upcall_descriptor(TableKey key) const {
  const auto* table = find(key);
  return table == nullptr ? -1 : table->fd();
}

Result<std::size_t> SocketMrouteKernel::read_upcalls(TableKey key, std::size_t limit,
                                                     UpcallSink& sink) {
  // The sink may close the table, so it is looked up anew for each message.
  for (std::size_t read = 0; read < limit; ++read) {
    OpenTable* const table = find(key);
    if (table == nullptr) return read;
    std::array<std::uint8_t, 128> buffer{};  // upcalls are short; the rest of others is of no use
    const ssize_t length = ::recv(table->fd(), buffer.data(), buffer.size(), 0);
    if (length < 0) {
      const int error = errno;
      if (error == EAGAIN) return read;
      if (error == EINTR) continue;
      if (error == ENOBUFS) {  // asked for with SO_RERROR: what came here found no room
        ++table->upcalls.lost;
        continue;
      }
      return failure(MrouteCall::receive, key, error, "upcall");
    }
    const auto upcall =
        decode_upcall(std::span(buffer).first(static_cast<std::size_t>(length)), key);
    if (!upcall) continue;
    ++table->upcalls.read;
    if (admits(*upcall)) sink.upcall(*upcall);
  }
  return limit;
}

std::unexpected<Error> SocketMrouteKernel::failure(MrouteCall call, TableKey table, int error,
                                                   const std::string& what) {
  const std::string subject = fmt::format("{}: {}", describe(table), what);
  if (error == EBADF) return fail(ErrorCode::internal, subject + ": the table is not open");
  return std::unexpected(mroute_error(call, table.family, error, subject));
}

Result<void> SocketMrouteKernel::check_index(const BindVif& op) const {
  const std::uint32_t most = traits_.of(op.table.family).max_ifindex;
  if (op.link.value <= most) return {};
  return fail(ErrorCode::limit_reached,
              fmt::format("{}: {} has index {}, but {} multicast routing takes none above {}; "
                          "re-create it to get a lower one",
                          describe(op.table), describe(op.link), op.link.value,
                          to_string(op.table.family), most));
}

}  // namespace mcast::platform
