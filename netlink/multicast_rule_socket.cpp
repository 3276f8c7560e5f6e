// SPDX-License-Identifier: BSD-2-Clause
#include "netlink/multicast_rule_socket.hpp"

#include <fmt/format.h>

#include <sys/socket.h>
#include <sys/time.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "netlink/multicast_rule_codec.hpp"
#include "platform/posix/os_error.hpp"

namespace mcast::netlink {
namespace {

/// Dumps tried before one that others' changes interrupted has to do.
constexpr int kDumpAttempts = 10;

struct SocketDeleter {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
using Socket = std::unique_ptr<nl_sock, SocketDeleter>;
struct RuleDeleter {
  void operator()(rtnl_rule* rule) const { rtnl_rule_put(rule); }
};
using Rule = std::unique_ptr<rtnl_rule, RuleDeleter>;

std::uint8_t family_number(Family family) {
  return family == Family::ipv4 ? RTNL_FAMILY_IPMR : RTNL_FAMILY_IP6MR;
}

/// libnl folds several errnos into one number; the kernel's own is kept on the way (KernelError).
int errno_of(int libnl_error) {
  switch (-libnl_error) {
    case NLE_NOMEM:
      return ENOMEM;
    case NLE_AGAIN:
      return ETIMEDOUT;
    case NLE_BAD_SOCK:
      return EBADF;
    default:
      return EPROTO;
  }
}

Error failure(std::string_view call, Family family, int error) {
  Error made = platform::os_error(call, error,
                                  fmt::format("{} multicast rules (ip mrule)", to_string(family)));
  switch (error) {
    case EPERM:
    case EACCES:
      made.message += "; run it as root or with CAP_NET_ADMIN";
      break;
    case EAFNOSUPPORT:
    case EOPNOTSUPP:
      made.code = ErrorCode::no_kernel_support;
      made.message += fmt::format("; this kernel has only the default table ({})",
                                  family == Family::ipv4 ? "CONFIG_IP_MROUTE_MULTIPLE_TABLES"
                                                         : "CONFIG_IPV6_MROUTE_MULTIPLE_TABLES");
      break;
    default:
      break;
  }
  return made;
}

/// A kernel without several tables knows no rules that choose one.
bool has_no_rules(int error) {
  return error == EAFNOSUPPORT || error == EOPNOTSUPP;
}

Rule make_rule(const MulticastRule& rule) {
  Rule made(rtnl_rule_alloc());
  if (!made) return made;
  rtnl_rule_set_family(made.get(), family_number(rule.table.family));
  rtnl_rule_set_action(made.get(), FR_ACT_TO_TBL);
  rtnl_rule_set_table(made.get(), rule.table.id.value);
  rtnl_rule_set_prio(made.get(), priority_of(rule.match));
  rtnl_rule_set_protocol(made.get(), kMulticastRuleProtocol);
  const bool fits = rule.match == MulticastRule::Match::inbound
                        ? rtnl_rule_set_iif(made.get(), rule.interface.c_str()) == 0
                        : rtnl_rule_set_oif(made.get(), rule.interface.c_str()) == 0;
  return fits ? std::move(made) : nullptr;
}

class RtnetlinkMulticastRuleSocket final : public platform::MulticastRuleSocket {
 public:
  RtnetlinkMulticastRuleSocket(Socket events, Socket requests,
                               std::function<bool(TableKey)> is_held)
      : events_(std::move(events)), requests_(std::move(requests)), is_held_(std::move(is_held)) {
    // Callbacks are given the address of this object, which is why it never moves.
    nl_socket_modify_cb(requests_.get(), NL_CB_VALID, NL_CB_CUSTOM, take_rule, this);
    nl_socket_modify_err_cb(requests_.get(), NL_CB_CUSTOM, take_error, this);
    nl_socket_modify_cb(events_.get(), NL_CB_VALID, NL_CB_CUSTOM, take_event, this);
  }

  Result<void> apply(const Op& op) override;
  Result<std::vector<KernelMulticastRule>> list() override;
  bool is_held_elsewhere(TableKey table) override { return is_held_(table); }
  int descriptor() const override { return nl_socket_get_fd(events_.get()); }
  bool read_changes() override;

 private:
  static int take_rule(nl_msg* message, void* self);
  static int take_error(sockaddr_nl* from, nlmsgerr* error, void* self);
  static int take_event(nl_msg* message, void* self);

  Result<void> change(const MulticastRule& rule, bool add);
  /// The errno of the last request, as the kernel said it or from libnl's own failure.
  int outcome(int libnl_result) {
    if (libnl_result >= 0) return 0;
    return kernel_error_ != 0 ? kernel_error_ : errno_of(libnl_result);
  }
  Result<bool> holds(const MulticastRule& rule);
  Result<void> list_family(Family family);

  Socket events_;
  Socket requests_;
  std::function<bool(TableKey)> is_held_;
  int kernel_error_ = 0;
  bool changed_ = false;
  std::vector<KernelMulticastRule> listed_;
};

int RtnetlinkMulticastRuleSocket::take_rule(nl_msg* message, void* self) {
  auto& listed = static_cast<RtnetlinkMulticastRuleSocket*>(self)->listed_;
  for (auto& rule : decode_multicast_rule(*nlmsg_hdr(message))) listed.push_back(std::move(rule));
  return NL_OK;
}

int RtnetlinkMulticastRuleSocket::take_error(sockaddr_nl* /*from*/, nlmsgerr* error, void* self) {
  static_cast<RtnetlinkMulticastRuleSocket*>(self)->kernel_error_ = -error->error;
  return NL_STOP;
}

/// The kernel names the socket whose request it was; what comes of our own is known already.
int RtnetlinkMulticastRuleSocket::take_event(nl_msg* message, void* self) {
  auto& socket = *static_cast<RtnetlinkMulticastRuleSocket*>(self);
  const nlmsghdr& header = *nlmsg_hdr(message);
  if (is_multicast_rule(header) &&
      header.nlmsg_pid != nl_socket_get_local_port(socket.requests_.get())) {
    socket.changed_ = true;
  }
  return NL_OK;
}

Result<void> RtnetlinkMulticastRuleSocket::apply(const Op& op) {
  if (const auto* add = std::get_if<AddMulticastRule>(&op)) return change(add->rule, true);
  if (const auto* drop = std::get_if<DropMulticastRule>(&op)) return change(drop->rule, false);
  return fail(ErrorCode::internal, "not a step of this port: " + to_string(op));
}

Result<void> RtnetlinkMulticastRuleSocket::change(const MulticastRule& rule, bool add) {
  const Rule request = make_rule(rule);
  if (!request) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("\"{}\" cannot be the name of an interface", rule.interface));
  }
  kernel_error_ = 0;
  const int error = outcome(add ? rtnl_rule_add(requests_.get(), request.get(), NLM_F_EXCL)
                                : rtnl_rule_delete(requests_.get(), request.get(), 0));
  if (error == 0 || (!add && error == ENOENT)) return {};
  // The maker is a part of a rule's identity (rule_exists in net/core/fib_rules.c), so this one is
  // ours, save for kernels that do not know of makers.
  if (add && error == EEXIST && TRY(holds(rule))) return {};
  return std::unexpected(failure(add ? "RTM_NEWRULE" : "RTM_DELRULE", rule.table.family, error));
}

Result<bool> RtnetlinkMulticastRuleSocket::holds(const MulticastRule& rule) {
  const auto rules = TRY(list());
  return std::ranges::any_of(
      rules, [&](const KernelMulticastRule& held) { return held.ours && held.rule == rule; });
}

Result<std::vector<KernelMulticastRule>> RtnetlinkMulticastRuleSocket::list() {
  listed_.clear();
  TRY(list_family(Family::ipv4));
  TRY(list_family(Family::ipv6));
  return std::exchange(listed_, {});
}

Result<void> RtnetlinkMulticastRuleSocket::list_family(Family family) {
  const std::size_t before = listed_.size();
  for (int attempt = 1;; ++attempt) {
    fib_rule_hdr header{};
    header.family = family_number(family);
    kernel_error_ = 0;
    int result = nl_send_simple(requests_.get(), RTM_GETRULE, NLM_F_DUMP, &header, sizeof header);
    if (result >= 0) result = nl_recvmsgs_default(requests_.get());
    if (result == -NLE_DUMP_INTR) {
      if (attempt == kDumpAttempts) return {};
      listed_.resize(before);
      continue;
    }
    const int error = outcome(result);
    if (error == 0 || has_no_rules(error)) return {};
    return std::unexpected(failure("RTM_GETRULE", family, error));
  }
}

bool RtnetlinkMulticastRuleSocket::read_changes() {
  for (;;) {
    const int result = nl_recvmsgs_default(events_.get());
    if (result >= 0) continue;
    if (result == -NLE_AGAIN) break;
    changed_ = true;
    // Messages were lost (ENOBUFS); what still waits is read all the same.
    if (result != -NLE_NOMEM) break;
  }
  return std::exchange(changed_, false);
}

/// libnl says what went wrong as a number of its own.
Error open_failure(int result) {
  return {ErrorCode::os, fmt::format("rtnetlink: {}", nl_geterror(result)), 0};
}

}  // namespace

Result<std::unique_ptr<platform::MulticastRuleSocket>> open_multicast_rule_socket(
    std::function<bool(TableKey)> is_held) {
  Socket events(nl_socket_alloc());
  Socket requests(nl_socket_alloc());
  if (!events || !requests) return std::unexpected(open_failure(-NLE_NOMEM));
  if (const int result = nl_connect(requests.get(), NETLINK_ROUTE); result < 0) {
    return std::unexpected(open_failure(result));
  }
  // An answer waits only for the kernel's network lock; a guard against waiting for ever.
  const timeval patience{10, 0};
  ::setsockopt(nl_socket_get_fd(requests.get()), SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof patience);
  nl_socket_disable_seq_check(events.get());
  int result = nl_connect(events.get(), NETLINK_ROUTE);
  if (result >= 0) {
    result = nl_socket_add_memberships(events.get(), RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, 0);
  }
  if (result >= 0) result = nl_socket_set_nonblocking(events.get());
  if (result < 0) return std::unexpected(open_failure(result));
  return std::make_unique<RtnetlinkMulticastRuleSocket>(std::move(events), std::move(requests),
                                                        std::move(is_held));
}

}  // namespace mcast::netlink
