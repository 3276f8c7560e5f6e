// SPDX-License-Identifier: BSD-2-Clause
#include "ipc/session.hpp"

#include <memory>
#include <utility>
#include <variant>

namespace mcast::ipc {

namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

}  // namespace

void Session::call(std::string_view message) {
  auto decoded = decode_call(message);
  if (!decoded) {
    hopeless_ = decoded.error().hopeless;
    if (!decoded.error().reply.empty()) reply_ = std::move(decoded.error().reply);
    return;
  }
  const bool oneway = decoded->oneway;
  carry_out(std::move(*decoded));
  if (oneway) {
    reply_.reset();
    list_ = nullptr;
  }
}

void Session::carry_out(Call call) {
  std::visit(
      Overloaded{
          [&](const GetInfo&) { reply_ = encode_info(); },
          [&](const GetInterfaceDescription& request) {
            reply_ = encode_description(request.interface);
          },
          [&](const Apply& request) { reply_ = encode_outcome(handler_.apply(request.commands)); },
          [&](const Reload&) { reply_ = encode_outcome(handler_.reload()); },
          [&](const Flush& request) { reply_ = encode_outcome(handler_.flush(request.only)); },
          [&](const Kill&) { reply_ = encode_outcome(handler_.kill()); },
          [&](const ShowInterfaces& request) {
            start_list(call.more, [&] { return handler_.show_interfaces(request.only); });
          },
          [&](const ShowTables& request) {
            start_list(call.more, [&] { return handler_.show_tables(request.only); });
          },
          [&](const ShowGroups& request) {
            start_list(call.more, [&] { return handler_.show_groups(request.list, request.only); });
          },
          [&](const ShowRoutes& request) {
            start_list(call.more, [&] {
              return handler_.show_routes(request.list, request.counters, request.only);
            });
          },
          [&](const ShowPending& request) {
            start_list(call.more, [&] { return handler_.show_pending(request.only); });
          },
      },
      call.request);
}

template <class Open>
void Session::start_list(bool more, Open open) {
  if (!more) {
    reply_ = encode_expected_more();
    return;
  }
  auto listing = open();
  if (!listing) {
    reply_ = encode_failure(listing.error());
    return;
  }
  // std::function wants to be copied.
  list_ = [rows = std::shared_ptr(std::move(*listing)), limit = rows_per_reply_] {
    const auto page = rows->next(limit);
    using Page = typename std::decay_t<decltype(page)>::value_type;
    return std::pair(encode_rows(page.value_or(Page()), page.has_value()), !page);
  };
}

std::optional<std::string> Session::next_reply() {
  std::optional<std::string> message = std::exchange(reply_, std::nullopt);
  if (!message && list_) {
    auto [text, last] = list_();
    if (last) list_ = nullptr;
    message = std::move(text);
  }
  if (message) message->push_back('\0');
  return message;
}

}  // namespace mcast::ipc
