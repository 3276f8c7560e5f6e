// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/multicast_rules.hpp"

#include <fmt/format.h>

#include <linux/rtnetlink.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>

#include <functional>
#include <memory>
#include <stdexcept>

namespace mcast::testing {
namespace {

using Socket = std::unique_ptr<nl_sock, void (*)(nl_sock*)>;
using Cache = std::unique_ptr<nl_cache, void (*)(nl_cache*)>;
using Rule = std::unique_ptr<rtnl_rule, void (*)(rtnl_rule*)>;

void require(int result) {
  if (result < 0) throw std::runtime_error(fmt::format("ip mrule: {}", nl_geterror(result)));
}

Socket connect(const NetNamespace& net) {
  Socket socket(nl_socket_alloc(), &nl_socket_free);
  net.run([&] { require(nl_connect(socket.get(), NETLINK_ROUTE)); });
  return socket;
}

void for_each_rule(nl_sock* socket, const std::function<void(rtnl_rule*)>& visit) {
  for (const int family : {RTNL_FAMILY_IPMR, RTNL_FAMILY_IP6MR}) {
    nl_cache* filled = nullptr;
    require(rtnl_rule_alloc_cache(socket, family, &filled));
    const Cache cache(filled, &nl_cache_free);
    for (nl_object* at = nl_cache_get_first(filled); at != nullptr; at = nl_cache_get_next(at)) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libnl's objects begin so
      auto* rule = reinterpret_cast<rtnl_rule*>(at);
      if (rtnl_rule_get_family(rule) == family) visit(rule);
    }
  }
}

}  // namespace

void change_multicast_rule(const NetNamespace& net, const ForeignRule& rule, bool add) {
  const Socket socket = connect(net);
  const Rule made(rtnl_rule_alloc(), &rtnl_rule_put);
  rtnl_rule_set_family(made.get(), rule.ipv6 ? RTNL_FAMILY_IP6MR : RTNL_FAMILY_IPMR);
  rtnl_rule_set_action(made.get(), FR_ACT_TO_TBL);
  rtnl_rule_set_table(made.get(), rule.table);
  rtnl_rule_set_prio(made.get(), rule.priority);
  rtnl_rule_set_protocol(made.get(), rule.protocol);
  if (!rule.iif.empty()) require(rtnl_rule_set_iif(made.get(), rule.iif.c_str()));
  if (!rule.oif.empty()) require(rtnl_rule_set_oif(made.get(), rule.oif.c_str()));
  if (rule.mark != 0) rtnl_rule_set_mark(made.get(), rule.mark);
  require(add ? rtnl_rule_add(socket.get(), made.get(), NLM_F_EXCL)
              : rtnl_rule_delete(socket.get(), made.get(), 0));
}

void flush_multicast_rules(const NetNamespace& net) {
  const Socket socket = connect(net);
  const Socket changes = connect(net);
  for_each_rule(socket.get(),
                [&](rtnl_rule* rule) { require(rtnl_rule_delete(changes.get(), rule, 0)); });
}

std::vector<std::string> list_multicast_rules(const NetNamespace& net) {
  std::vector<std::string> lines;
  for_each_rule(connect(net).get(), [&](rtnl_rule* rule) {
    std::string line = rtnl_rule_get_family(rule) == RTNL_FAMILY_IPMR ? "ipv4" : "ipv6";
    if (const char* iif = rtnl_rule_get_iif(rule)) line += fmt::format(" iif {}", iif);
    if (const char* oif = rtnl_rule_get_oif(rule)) line += fmt::format(" oif {}", oif);
    std::uint8_t protocol = 0;
    rtnl_rule_get_protocol(rule, &protocol);
    lines.push_back(line + fmt::format(" table {} pref {} proto {}", rtnl_rule_get_table(rule),
                                       rtnl_rule_get_prio(rule), protocol));
  });
  return lines;
}

}  // namespace mcast::testing
