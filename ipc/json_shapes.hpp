// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "ipc/control.hpp"
#include "ipc/json_reader.hpp"

/// How our types look in messages.
namespace mcast::ipc {

template <>
struct EnumNames<Verb> {
  static constexpr std::array<std::pair<Verb, std::string_view>, 4> kValues{{
      {Verb::add, "add"},
      {Verb::remove, "remove"},
      {Verb::join, "join"},
      {Verb::leave, "leave"},
  }};
};
template <>
struct EnumNames<DomainWords::Kind> {
  static constexpr std::array<std::pair<DomainWords::Kind, std::string_view>, 2> kValues{{
      {DomainWords::Kind::table, "table"},
      {DomainWords::Kind::vrf, "vrf"},
  }};
};
template <>
struct EnumNames<GroupList> {
  static constexpr std::array<std::pair<GroupList, std::string_view>, 2> kValues{{
      {GroupList::configured, "configured"},
      {GroupList::kernel, "kernel"},
  }};
};
template <>
struct EnumNames<Family> {
  static constexpr std::array<std::pair<Family, std::string_view>, 2> kValues{{
      {Family::ipv4, "ipv4"},
      {Family::ipv6, "ipv6"},
  }};
};
template <>
struct EnumNames<RouteList> {
  static constexpr std::array<std::pair<RouteList, std::string_view>, 3> kValues{{
      {RouteList::any_source, "any_source"},
      {RouteList::exact, "exact"},
      {RouteList::kernel, "kernel"},
  }};
};
template <>
struct EnumNames<RouteState> {
  static constexpr std::array<std::pair<RouteState, std::string_view>, 3> kValues{{
      {RouteState::active, "active"},
      {RouteState::waiting, "waiting"},
      {RouteState::refused, "refused"},
  }};
};
template <>
struct EnumNames<PendingKind> {
  static constexpr std::array<std::pair<PendingKind, std::string_view>, 3> kValues{{
      {PendingKind::mroute, "mroute"},
      {PendingKind::mgroup, "mgroup"},
      {PendingKind::phyint, "phyint"},
  }};
};
template <>
struct EnumNames<ErrorCode> {
  static constexpr std::array<std::pair<ErrorCode, std::string_view>, 16> kValues{{
      {ErrorCode::usage, "usage"},
      {ErrorCode::config, "config"},
      {ErrorCode::invalid_argument, "invalid_argument"},
      {ErrorCode::not_found, "not_found"},
      {ErrorCode::no_such_interface, "no_such_interface"},
      {ErrorCode::already_exists, "already_exists"},
      {ErrorCode::no_permission, "no_permission"},
      {ErrorCode::no_kernel_support, "no_kernel_support"},
      {ErrorCode::table_in_use, "table_in_use"},
      {ErrorCode::no_slots, "no_slots"},
      {ErrorCode::limit_reached, "limit_reached"},
      {ErrorCode::overflow, "overflow"},
      {ErrorCode::would_block, "would_block"},
      {ErrorCode::connection, "connection"},
      {ErrorCode::os, "os"},
      {ErrorCode::internal, "internal"},
  }};
};

template <>
struct ObjectShape<DomainWords> {
  static bool read(const Json& value, DomainWords& out) {
    return Members(value).required("kind", out.kind).required("name", out.name).no_others().ok();
  }
};
template <>
struct ObjectShape<Command> {
  static bool read(const Json& value, Command& out) {
    return Members(value).required("verb", out.verb).required("words", out.words).no_others().ok();
  }
};
template <>
struct ObjectShape<InterfaceRow> {
  static bool read(const Json& value, InterfaceRow& out) {
    return Members(value)
        .required("index", out.index.value)
        .required("name", out.name)
        .optional("vif", out.vif)
        .optional("mif", out.mif)
        .required("state", out.state)
        .optional("table", out.table)
        .ok();
  }
};
template <>
struct ObjectShape<TableRow> {
  static bool read(const Json& value, TableRow& out) {
    return Members(value)
        .required("family", out.family)
        .required("table", out.table)
        .required("slots", out.slots)
        .required("slots_used", out.slots_used)
        .required("entries", out.entries)
        .required("learned", out.learned)
        .required("stop_filters", out.stop_filters)
        .required("upcalls", out.upcalls)
        .required("upcalls_lost", out.upcalls_lost)
        .required("why_not", out.why_not)
        .optional("name", out.name)
        .optional("default", out.is_default)
        .ok();
  }
};
template <>
struct ObjectShape<GroupRow> {
  static bool read(const Json& value, GroupRow& out) {
    return Members(value)
        .optional("source", out.source)
        .required("group", out.group)
        .required("iif", out.iif)
        .optional("table", out.table)
        .ok();
  }
};
template <>
struct ObjectShape<FlowCounters> {
  static bool read(const Json& value, FlowCounters& out) {
    return Members(value)
        .required("packets", out.packets)
        .required("bytes", out.bytes)
        .required("wrong_interface", out.wrong_interface)
        .ok();
  }
};
template <>
struct ObjectShape<RouteRow> {
  static bool read(const Json& value, RouteRow& out) {
    return Members(value)
        .optional("source", out.source)
        .required("group", out.group)
        .required("iif", out.iif)
        .required("oifs", out.oifs)
        .optional("counters", out.counters)
        .required("state", out.state)
        .required("reason", out.reason)
        .optional("table", out.table)
        .ok();
  }
};
template <>
struct ObjectShape<PendingRow> {
  static bool read(const Json& value, PendingRow& out) {
    return Members(value)
        .required("kind", out.kind)
        .required("iif", out.iif)
        .optional("source", out.source)
        .required("group", out.group)
        .required("oifs", out.oifs)
        .required("reason", out.reason)
        .optional("table", out.table)
        .optional("domain", out.domain)
        .ok();
  }
};

}  // namespace mcast::ipc
