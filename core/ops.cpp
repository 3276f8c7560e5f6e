// SPDX-License-Identifier: BSD-2-Clause
#include "core/ops.hpp"

#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace mcast {
namespace {

std::string name(TableKey table) {
  return fmt::format("{} table {}", to_string(table.family), table.id.value);
}

struct Printer {
  std::string operator()(const PutMfc& op) const {
    std::string text = fmt::format("put {} in {}: parent {}, outputs", op.flow.to_string(),
                                   name(op.table), op.shape.parent.value);
    bool none = true;
    for (std::size_t slot = 0; slot < op.shape.ttls.size(); ++slot) {
      const unsigned ttl = op.shape.ttls[slot];
      if (ttl == 0) continue;
      none = false;
      fmt::format_to(std::back_inserter(text), " {}", slot);
      if (ttl != 1) fmt::format_to(std::back_inserter(text), "(ttl>{})", ttl);
    }
    return none ? text + " none" : text;
  }
  std::string operator()(const DropMfc& op) const {
    return fmt::format("drop {} from {}: parent {}", op.flow.to_string(), name(op.table),
                       op.parent.value);
  }
  std::string operator()(const BindVif& op) const {
    const std::string address = op.address ? ", address " + op.address->to_string() : "";
    return fmt::format("bind slot {} of {} to ifindex {}, threshold {}{}", op.slot.value,
                       name(op.table), op.link.value, op.threshold, address);
  }
  std::string operator()(const UnbindVif& op) const {
    return fmt::format("unbind slot {} of {}", op.slot.value, name(op.table));
  }
  std::string operator()(const JoinGroup& op) const { return membership("join", op); }
  std::string operator()(const LeaveGroup& op) const { return membership("leave", op); }
  std::string operator()(const OpenTable& op) const { return "open " + name(op.table); }
  std::string operator()(const CloseTable& op) const { return "close " + name(op.table); }
  std::string operator()(const AddMulticastRule& op) const { return "add " + rule(op.rule); }
  std::string operator()(const DropMulticastRule& op) const { return "drop " + rule(op.rule); }

 private:
  static std::string rule(const MulticastRule& rule) {
    const bool inbound = rule.match == MulticastRule::Match::inbound;
    return fmt::format("the rule that what {} {} goes to {}",
                       inbound ? "arrives on" : "this host sends on", rule.interface,
                       name(rule.table));
  }
  template <class Membership>
  static std::string membership(std::string_view verb, const Membership& op) {
    return fmt::format("{} ({}, {}) on ifindex {}", verb, op.source ? op.source->to_string() : "*",
                       op.group.to_string(), op.link.value);
  }
};

}  // namespace

std::string to_string(const Op& op) {
  return std::visit(Printer(), op);
}

}  // namespace mcast
