// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.hpp"
#include "ipc/control.hpp"

/// Varlink messages (https://varlink.org) as text, without the NUL that ends each on the wire. Pure
/// functions; none throws, whatever the text.
namespace mcast::ipc {

inline constexpr std::string_view kInterfaceName = "net.mcastd.control";
inline constexpr std::string_view kServiceName = "org.varlink.service";
/// The texts of the .varlink files of these interfaces.
[[nodiscard]] std::string_view control_description();
[[nodiscard]] std::string_view service_description();

/// How deep arrays and objects may be nested in a message; ours need six.
inline constexpr std::size_t kMaxNesting = 16;
/// How many values a message may hold. A value of three bytes costs a hundred in memory, so the
/// size of a message alone is no bound.
inline constexpr std::size_t kMaxValues = 2'000'000;

struct GetInfo {};
struct GetInterfaceDescription {
  std::string interface;
};
struct Apply {
  std::vector<Command> commands;
};
struct Reload {};
struct Flush {
  Selection only{};
};
struct Kill {};
struct ShowInterfaces {
  Selection only{};
};
struct ShowTables {
  Selection only{};
};
struct ShowGroups {
  GroupList list = GroupList::configured;
  Selection only{};
};
struct ShowRoutes {
  RouteList list = RouteList::kernel;
  bool counters = false;
  Selection only{};
};
struct ShowPending {
  Selection only{};
};
using Request = std::variant<GetInfo, GetInterfaceDescription, Apply, Reload, Flush, Kill,
                             ShowInterfaces, ShowTables, ShowGroups, ShowRoutes, ShowPending>;

struct Call {
  Request request;
  bool oneway = false;  ///< the client wants no reply
  bool more = false;    ///< the client takes several replies
};

/// Why a message is no call that can be carried out.
struct BadCall {
  std::string reply;      ///< the error to send; empty if the client wants none
  bool hopeless = false;  ///< nothing sensible can follow: close the connection
};

[[nodiscard]] std::expected<Call, BadCall> decode_call(std::string_view message);
[[nodiscard]] std::string encode_call(const Call& call);

/// Replies of the server.
[[nodiscard]] std::string encode_info();
/// The description of an interface, or the error that there is no such interface.
[[nodiscard]] std::string encode_description(std::string_view interface);
[[nodiscard]] std::string encode_outcome(const Outcome& outcome);
[[nodiscard]] std::string encode_failure(const Failure& failure);
/// The list can only be sent in several replies, but the call was made without "more".
[[nodiscard]] std::string encode_expected_more();
/// One piece of a list.
[[nodiscard]] std::string encode_rows(const std::vector<InterfaceRow>& rows, bool continues);
[[nodiscard]] std::string encode_rows(const std::vector<TableRow>& rows, bool continues);
[[nodiscard]] std::string encode_rows(const std::vector<GroupRow>& rows, bool continues);
[[nodiscard]] std::string encode_rows(const std::vector<RouteRow>& rows, bool continues);
[[nodiscard]] std::string encode_rows(const std::vector<PendingRow>& rows, bool continues);

/// Replies as the client reads them. A reply that is not what the call promises is a Failure with
/// ErrorCode::connection.
template <class Row>
struct RowsReply {
  std::vector<Row> rows;
  bool continues = false;
};
[[nodiscard]] Outcome decode_outcome(std::string_view message);
template <class Row>
[[nodiscard]] std::expected<RowsReply<Row>, Failure> decode_rows(std::string_view message);

}  // namespace mcast::ipc
