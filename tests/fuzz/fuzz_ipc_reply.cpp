// SPDX-License-Identifier: BSD-2-Clause
//
// One message from a daemon, as each kind of answer the client may expect.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "ipc/codec.hpp"

namespace {

template <class Row>
void check(std::string_view message) {
  const auto reply = mcast::ipc::decode_rows<Row>(message);
  if (!reply) return;
  // What was understood can be said again, and means the same.
  const auto again =
      mcast::ipc::decode_rows<Row>(mcast::ipc::encode_rows(reply->rows, reply->continues));
  if (!again || again->rows.size() != reply->rows.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  check<mcast::ipc::InterfaceRow>(message);
  check<mcast::ipc::TableRow>(message);
  check<mcast::ipc::GroupRow>(message);
  check<mcast::ipc::RouteRow>(message);
  check<mcast::ipc::PendingRow>(message);
  static_cast<void>(mcast::ipc::decode_outcome(message));
  return 0;
}
