// SPDX-License-Identifier: BSD-2-Clause
//
// The bytes of one connection, as a client sends them, against the protocol with a daemon behind
// it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ipc/session.hpp"
#include "tests/unit/ipc_stub.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mcast::testing::StubHandler daemon;
  daemon.many = 5;
  daemon.pending = {{}};
  mcast::ipc::Session session(daemon, 2);
  std::string_view input(reinterpret_cast<const char*>(data), size);
  while (!input.empty() && !session.hopeless()) {
    const auto end = input.find('\0');
    session.call(input.substr(0, end));
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    while (const auto reply = session.next_reply()) {
      // Whatever was asked, what is answered is one message.
      if (reply->find('\0') != reply->size() - 1) std::abort();
    }
  }
  return 0;
}
