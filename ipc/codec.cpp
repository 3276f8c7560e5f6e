// SPDX-License-Identifier: BSD-2-Clause
#include "ipc/codec.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "ipc/json_shapes.hpp"

namespace mcast::ipc {

namespace {

std::string dump(const Json& value) {
  // An interface name may hold any bytes: what is no UTF-8 is replaced instead of thrown about.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string reply(Json parameters, bool continues = false) {
  Json message = {{"parameters", std::move(parameters)}};
  if (continues) message["continues"] = true;
  return dump(message);
}

std::string error_reply(std::string_view interface, std::string_view name, Json parameters) {
  return dump(
      {{"error", fmt::format("{}.{}", interface, name)}, {"parameters", std::move(parameters)}});
}

/// Why the text must not be given to the JSON parser, in one pass that needs no memory.
std::optional<std::string> excess(std::string_view text) {
  std::size_t depth = 0;
  std::size_t values = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':
        in_string = !in_string;
        break;
      case '\\':
        i += in_string ? 1 : 0;
        break;
      case '[':
      case '{':
        if (!in_string && ++depth > kMaxNesting) {
          return fmt::format("it is nested deeper than {} levels", kMaxNesting);
        }
        [[fallthrough]];
      case ',':
        if (!in_string && ++values > kMaxValues) {
          return fmt::format("it has more than {} values; send it in parts", kMaxValues);
        }
        break;
      case ']':
      case '}':
        if (!in_string && depth > 0) --depth;
        break;
      default:
        break;
    }
  }
  return std::nullopt;
}

Result<Json> parse_object(std::string_view text) {
  if (const auto reason = excess(text)) {
    return fail(ErrorCode::limit_reached, "malformed message: " + *reason);
  }
  Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_object()) {
    return fail(ErrorCode::usage,
                "malformed message: a Varlink message is a JSON object ended by a NUL byte");
  }
  return value;
}

Json write(const Selection& selection) {
  if (!selection) return nullptr;
  return {{"kind", name_of(selection->kind)}, {"name", selection->name}};
}

Json write(const Command& command) {
  return {{"verb", name_of(command.verb)}, {"words", command.words}};
}

Json write(const InterfaceRow& row) {
  return {{"index", row.index.value}, {"name", row.name},   {"vif", nullable(row.vif)},
          {"mif", nullable(row.mif)}, {"state", row.state}, {"table", nullable(row.table)}};
}

Json write(const TableRow& row) {
  return {{"family", name_of(row.family)},
          {"table", row.table},
          {"slots", row.slots},
          {"slots_used", row.slots_used},
          {"entries", row.entries},
          {"learned", row.learned},
          {"stop_filters", row.stop_filters},
          {"upcalls", row.upcalls},
          {"upcalls_lost", row.upcalls_lost},
          {"why_not", row.why_not},
          {"name", row.name},
          {"default", row.is_default}};
}

Json write(const GroupRow& row) {
  return {{"source", nullable(row.source)},
          {"group", row.group},
          {"iif", row.iif},
          {"table", nullable(row.table)}};
}

Json write(const RouteRow& row) {
  Json object = {{"source", nullable(row.source)},
                 {"group", row.group},
                 {"iif", row.iif},
                 {"oifs", row.oifs},
                 {"state", name_of(row.state)},
                 {"reason", row.reason},
                 {"table", nullable(row.table)}};
  if (row.counters) {
    object["counters"] = {{"packets", row.counters->packets},
                          {"bytes", row.counters->bytes},
                          {"wrong_interface", row.counters->wrong_interface}};
  }
  return object;
}

Json write(const PendingRow& row) {
  return {{"kind", name_of(row.kind)},
          {"iif", row.iif},
          {"source", nullable(row.source)},
          {"group", row.group},
          {"oifs", row.oifs},
          {"reason", row.reason},
          {"table", nullable(row.table)},
          {"domain", write(row.domain)}};
}

template <class Row>
Json write(const std::vector<Row>& rows) {
  Json array = Json::array();
  for (const auto& row : rows) array.push_back(write(row));
  return array;
}

/// The member of a reply's parameters that holds the list.
template <class Row>
constexpr const char* kListName = nullptr;
template <>
constexpr const char* kListName<InterfaceRow> = "interfaces";
template <>
constexpr const char* kListName<TableRow> = "tables";
template <>
constexpr const char* kListName<GroupRow> = "groups";
template <>
constexpr const char* kListName<RouteRow> = "routes";
template <>
constexpr const char* kListName<PendingRow> = "pending";

template <class Row>
std::string encode_list(const std::vector<Row>& rows, bool continues) {
  return reply({{kListName<Row>, write(rows)}}, continues);
}

using Parameters = const Json&;
using Decoded = std::expected<Request, std::string>;  // or the parameter at fault

/// `read` fills the request from the members it asks for.
template <class Kind, class Read>
Decoded decode(Parameters parameters, Read read) {
  Kind request;
  Members members(parameters);
  read(members, request);
  members.no_others();
  if (members.fault()) return std::unexpected(*members.fault());
  return request;
}

template <class Kind>
Decoded without_parameters(Parameters parameters) {
  return decode<Kind>(parameters, [](Members&, Kind&) {});
}

Decoded decode_description_call(Parameters parameters) {
  return decode<GetInterfaceDescription>(parameters, [](Members& members, auto& request) {
    members.required("interface", request.interface);
  });
}

Decoded decode_apply(Parameters parameters) {
  auto decoded = decode<Apply>(parameters, [](Members& members, Apply& request) {
    members.required("commands", request.commands);
  });
  if (decoded && std::get<Apply>(*decoded).commands.empty()) return std::unexpected("commands");
  return decoded;
}

/// What has no other parameter.
template <class Kind>
Decoded decode_selection(Parameters parameters) {
  return decode<Kind>(
      parameters, [](Members& members, Kind& request) { members.optional("only", request.only); });
}

Decoded decode_show_groups(Parameters parameters) {
  return decode<ShowGroups>(parameters, [](Members& members, ShowGroups& request) {
    members.required("list", request.list).optional("only", request.only);
  });
}

Decoded decode_show_routes(Parameters parameters) {
  return decode<ShowRoutes>(parameters, [](Members& members, ShowRoutes& request) {
    members.required("list", request.list)
        .required("counters", request.counters)
        .optional("only", request.only);
  });
}

struct Method {
  std::string_view interface;
  std::string_view name;
  Decoded (*decode)(Parameters);
};

/// In the order of the alternatives of Request.
constexpr std::array<Method, std::variant_size_v<Request>> kMethods{{
    {kServiceName, "GetInfo", without_parameters<GetInfo>},
    {kServiceName, "GetInterfaceDescription", decode_description_call},
    {kInterfaceName, "Apply", decode_apply},
    {kInterfaceName, "Reload", without_parameters<Reload>},
    {kInterfaceName, "Flush", decode_selection<Flush>},
    {kInterfaceName, "Kill", without_parameters<Kill>},
    {kInterfaceName, "ShowInterfaces", decode_selection<ShowInterfaces>},
    {kInterfaceName, "ShowTables", decode_selection<ShowTables>},
    {kInterfaceName, "ShowGroups", decode_show_groups},
    {kInterfaceName, "ShowRoutes", decode_show_routes},
    {kInterfaceName, "ShowPending", decode_selection<ShowPending>},
}};

std::string unknown_interface(std::string_view name) {
  return error_reply(kServiceName, "InterfaceNotFound", {{"interface", name}});
}

std::string unknown_method(std::string_view method) {
  const auto dot = method.rfind('.');
  const std::string_view interface = method.substr(0, dot == std::string_view::npos ? 0 : dot);
  if (interface == kServiceName || interface == kInterfaceName) {
    return error_reply(kServiceName, "MethodNotFound", {{"method", method}});
  }
  return unknown_interface(interface);
}

struct Parametrised {
  Json operator()(const GetInterfaceDescription& r) const { return {{"interface", r.interface}}; }
  Json operator()(const Apply& r) const { return {{"commands", write(r.commands)}}; }
  Json operator()(const ShowGroups& r) const { return only(r, {{"list", name_of(r.list)}}); }
  Json operator()(const ShowRoutes& r) const {
    return only(r, {{"list", name_of(r.list)}, {"counters", r.counters}});
  }
  template <class Plain>
  Json operator()(const Plain& r) const {
    if constexpr (requires { r.only; }) return only(r, Json::object());
    return Json::object();
  }
  /// Daemons that do not know the parameter refuse it.
  template <class Request>
  static Json only(const Request& r, Json parameters) {
    if (r.only) parameters["only"] = write(r.only);
    return parameters;
  }
};

/// The parameters of a reply from the server, with whether more follows, or the error it reports.
struct Reply {
  Json parameters;
  bool continues = false;
};

Failure unexpected_reply() {
  return {{ErrorCode::connection,
           "the daemon's answer is not understood; are daemon and client of one version?"},
          {},
          {}};
}

Failure decode_error(const std::string& name, const Json& parameters) {
  const auto own = fmt::format("{}.Failed", kInterfaceName);
  if (name == own) {
    Failure failure;
    const bool complete = Members(parameters)
                              .required("code", failure.error.code)
                              .required("message", failure.error.message)
                              .optional("details", failure.details)
                              .optional("command", failure.command)
                              .ok();
    return complete ? failure : unexpected_reply();
  }
  return {
      {ErrorCode::internal,
       fmt::format("the daemon does not understand the request: {} {}; are daemon and client of "
                   "one version?",
                   name, dump(parameters))},
      {},
      {}};
}

std::expected<Reply, Failure> decode_reply(std::string_view message) {
  auto parsed = parse_object(message);
  if (!parsed) return std::unexpected(unexpected_reply());
  Json parameters = Json::object();
  if (const auto found = parsed->find("parameters"); found != parsed->end()) {
    parameters = std::move(*found);
  }
  std::optional<std::string> error;
  bool continues = false;
  if (!Members(*parsed).optional("error", error).optional("continues", continues).ok()) {
    return std::unexpected(unexpected_reply());
  }
  if (error) return std::unexpected(decode_error(*error, parameters));
  return Reply{std::move(parameters), continues};
}

}  // namespace

std::expected<Call, BadCall> decode_call(std::string_view message) {
  const auto parsed = parse_object(message);
  if (!parsed) return std::unexpected(BadCall{encode_failure({parsed.error(), {}, {}}), true});

  Call call;
  std::string method;
  // A client that may not be told of its error still is dropped with the message that has it.
  Members(*parsed).optional("oneway", call.oneway);
  const auto bad = [&](std::string reply_text) {
    return std::unexpected(BadCall{call.oneway ? std::string() : std::move(reply_text), false});
  };
  const auto invalid = [&](const std::string& name) {
    return bad(error_reply(kServiceName, "InvalidParameter", {{"parameter", name}}));
  };
  Members envelope(*parsed);
  envelope.required("method", method).optional("oneway", call.oneway).optional("more", call.more);
  if (envelope.fault()) return invalid(*envelope.fault());

  static const Json kNone = Json::object();
  const auto found = parsed->find("parameters");
  const Json& parameters = found == parsed->end() || found->is_null() ? kNone : *found;
  for (const auto& candidate : kMethods) {
    if (method.size() != candidate.interface.size() + 1 + candidate.name.size() ||
        !method.starts_with(candidate.interface) || !method.ends_with(candidate.name)) {
      continue;
    }
    auto request = candidate.decode(parameters);
    if (!request) return invalid(request.error());
    call.request = std::move(*request);
    return call;
  }
  return bad(unknown_method(method));
}

std::string encode_call(const Call& call) {
  const auto& method = kMethods[call.request.index()];
  Json message = {{"method", fmt::format("{}.{}", method.interface, method.name)},
                  {"parameters", std::visit(Parametrised{}, call.request)}};
  if (call.oneway) message["oneway"] = true;
  if (call.more) message["more"] = true;
  return dump(message);
}

std::string encode_info() {
  return reply({{"vendor", "mcastd"},
                {"product", "mcastd"},
                {"version", MCASTD_VERSION},
                {"url", ""},
                {"interfaces", {kServiceName, kInterfaceName}}});
}

std::string encode_description(std::string_view interface) {
  if (interface == kInterfaceName) return reply({{"description", control_description()}});
  if (interface == kServiceName) return reply({{"description", service_description()}});
  return unknown_interface(interface);
}

std::string encode_outcome(const Outcome& outcome) {
  return outcome ? reply({{"remarks", *outcome}}) : encode_failure(outcome.error());
}

std::string encode_failure(const Failure& failure) {
  return error_reply(kInterfaceName, "Failed",
                     {{"code", name_of(failure.error.code)},
                      {"message", failure.error.message},
                      {"details", failure.details},
                      {"command", nullable(failure.command)}});
}

std::string encode_expected_more() {
  return error_reply(kServiceName, "ExpectedMore", Json::object());
}

std::string encode_rows(const std::vector<InterfaceRow>& rows, bool continues) {
  return encode_list(rows, continues);
}
std::string encode_rows(const std::vector<TableRow>& rows, bool continues) {
  return encode_list(rows, continues);
}
std::string encode_rows(const std::vector<GroupRow>& rows, bool continues) {
  return encode_list(rows, continues);
}
std::string encode_rows(const std::vector<RouteRow>& rows, bool continues) {
  return encode_list(rows, continues);
}
std::string encode_rows(const std::vector<PendingRow>& rows, bool continues) {
  return encode_list(rows, continues);
}

Outcome decode_outcome(std::string_view message) {
  auto decoded = decode_reply(message);
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  Remarks remarks;
  if (!Members(decoded->parameters).optional("remarks", remarks).ok()) {
    return std::unexpected(unexpected_reply());
  }
  return remarks;
}

template <class Row>
std::expected<RowsReply<Row>, Failure> decode_rows(std::string_view message) {
  auto decoded = decode_reply(message);
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  RowsReply<Row> out{{}, decoded->continues};
  if (!Members(decoded->parameters).required(kListName<Row>, out.rows).ok()) {
    return std::unexpected(unexpected_reply());
  }
  return out;
}

template std::expected<RowsReply<InterfaceRow>, Failure> decode_rows(std::string_view);
template std::expected<RowsReply<TableRow>, Failure> decode_rows(std::string_view);
template std::expected<RowsReply<GroupRow>, Failure> decode_rows(std::string_view);
template std::expected<RowsReply<RouteRow>, Failure> decode_rows(std::string_view);
template std::expected<RowsReply<PendingRow>, Failure> decode_rows(std::string_view);

}  // namespace mcast::ipc
