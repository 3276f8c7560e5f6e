// SPDX-License-Identifier: BSD-2-Clause
// The inner loops by themselves, for whoever works on them: no budget is judged here.
#include <benchmark/benchmark.h>

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/engine.hpp"
#include "tests/bench/bursts.hpp"

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

void decode_links(benchmark::State& state) {
  const auto burst = bench::rtnetlink_burst(static_cast<unsigned>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(bench::decode_rtnetlink(burst));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_links)->Arg(1'000)->Unit(benchmark::kMicrosecond);

void decode_route_messages(benchmark::State& state) {
  const auto burst = bench::routing_socket_burst(static_cast<unsigned>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(bench::decode_routing_socket(burst));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_route_messages)->Arg(1'000)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
