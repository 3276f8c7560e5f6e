// SPDX-License-Identifier: BSD-2-Clause
// The inner loops by themselves, for whoever works on them: no budget is judged here.
#include <benchmark/benchmark.h>

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/engine.hpp"
#include "netlink/link_codec.hpp"

namespace {

using namespace mcast;

class OneFile final : public FileReader {
 public:
  explicit OneFile(const std::string& text) : text_(text) {}
  Result<std::string> read(const std::string& /*path*/, std::size_t /*limit*/) override {
    return text_;
  }
  Result<std::vector<std::string>> glob(const std::string& /*pattern*/) override {
    return std::vector<std::string>{};
  }

 private:
  const std::string& text_;
};

std::string lines(std::size_t count, std::size_t paths) {
  std::string text;
  for (std::size_t n = 0; n < count; ++n) {
    text += fmt::format("mroute from eth0 source 10.1.0.2 group 239.{}.{}.{} to eth1 lan{}+\n",
                        1 + (n >> 16), (n >> 8) & 255, n & 255, n % paths);
  }
  return text;
}

void parse_lines(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::string text = lines(count, 1);
  OneFile file(text);
  for (auto _ : state) benchmark::DoNotOptimize(parse_config(file, "routes.conf"));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(parse_lines)->Arg(1'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

/// Everything that is planned succeeds.
void carry_out(Engine& engine) {
  for (Plan plan = engine.plan(0); !plan.empty(); plan = engine.plan(0)) {
    for (const Op& op : plan) engine.acknowledge(op, {}, 0);
  }
}

Link interface(std::uint32_t index, std::string name) {
  Link link;
  link.index = IfIndex(index);
  link.name = std::move(name);
  link.up = link.multicast = true;
  return link;
}

/// An outbound interface leaves and returns while `range(0)` distinct fanouts exist.
void resolve_fanouts(benchmark::State& state) {
  const auto fanouts = static_cast<std::size_t>(state.range(0));
  const std::string text = lines(10'000, fanouts);
  OneFile file(text);
  const KernelTraits traits = linux_traits();
  EngineOptions options;
  options.default_ipv4 = traits.ipv4.default_table;
  options.default_ipv6 = traits.ipv6.default_table;
  Engine engine(traits, options);
  engine.table_opened({Family::ipv4, options.default_ipv4});
  engine.table_opened({Family::ipv6, options.default_ipv6});
  engine.set_config(parse_config(file, "routes.conf").config);
  const std::vector<Link> links{interface(2, "eth0"), interface(3, "eth1")};
  engine.links_relearned(links);
  carry_out(engine);
  for (auto _ : state) {
    engine.link_removed(IfIndex(3));
    carry_out(engine);
    engine.link_changed(links[1]);
    carry_out(engine);
  }
}
BENCHMARK(resolve_fanouts)->Arg(1)->Arg(10)->Arg(100)->Arg(1'000)->Unit(benchmark::kMicrosecond);

/// One datagram of RTM_NEWLINK messages as a dump holds them.
std::vector<std::uint8_t> link_messages(unsigned count) {
  std::vector<std::uint8_t> datagram(std::size_t{count} * 256);
  std::size_t used = 0;
  for (unsigned n = 0; n < count; ++n) {
    nlmsghdr* message = mnl_nlmsg_put_header(datagram.data() + used);
    message->nlmsg_type = RTM_NEWLINK;
    auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
    header->ifi_index = static_cast<int>(n + 1);
    header->ifi_flags = IFF_UP | IFF_MULTICAST;
    mnl_attr_put_strz(message, IFLA_IFNAME, fmt::format("veth{}", n).c_str());
    mnl_attr_put_u32(message, IFLA_MTU, 1500);
    mnl_attr_put_u32(message, IFLA_MASTER, 0);
    const std::uint8_t mac[] = {
        2, 0, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
    mnl_attr_put(message, IFLA_ADDRESS, sizeof mac, mac);
    nlattr* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
    mnl_attr_nest_end(message, info);
    used += NLMSG_ALIGN(std::size_t{message->nlmsg_len});
  }
  datagram.resize(used);
  return datagram;
}

void decode_links(benchmark::State& state) {
  const auto datagram = link_messages(static_cast<unsigned>(state.range(0)));
  for (auto _ : state) {
    netlink::for_each_message(datagram, [](const nlmsghdr& message) {
      benchmark::DoNotOptimize(netlink::decode_link(message));
    });
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_links)->Arg(1'000)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
