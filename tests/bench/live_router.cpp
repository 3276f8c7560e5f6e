// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/live_router.hpp"

#include <poll.h>

#include <stdexcept>
#include <utility>

#include "platform/converge.hpp"
#include "platform/posix/file_reader.hpp"

namespace mcast::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

template <class T>
T require(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

/// Passes everything on and remembers the steps.
class LiveRouter::Recorder final : public platform::MrouteKernel {
 public:
  explicit Recorder(platform::MrouteKernel& kernel) : kernel_(kernel) {}
  std::vector<Op> steps;

  const KernelTraits& traits() const override { return kernel_.traits(); }
  Result<void> adopt_table(platform::TableSocket socket) override {
    return kernel_.adopt_table(std::move(socket));
  }
  void close_table(TableKey table) override { kernel_.close_table(table); }
  Result<void> apply(const Op& op) override {
    steps.push_back(op);
    return kernel_.apply(op);
  }
  Result<bool> slot_is_bound(TableKey table, VifIndex slot) override {
    return kernel_.slot_is_bound(table, slot);
  }
  Result<FlowCounters> counters(TableKey table, const FlowKey& flow) override {
    return kernel_.counters(table, flow);
  }
  int upcall_descriptor(TableKey table) const override { return kernel_.upcall_descriptor(table); }
  Result<std::size_t> read_upcalls(TableKey table, std::size_t limit,
                                   platform::UpcallSink& sink) override {
    return kernel_.read_upcalls(table, limit, sink);
  }
  Result<platform::UpcallCounts> upcall_counts(TableKey table) const override {
    return kernel_.upcall_counts(table);
  }
  std::uint64_t change_count() const override { return kernel_.change_count(); }

 private:
  platform::MrouteKernel& kernel_;
};

LiveRouter::LiveRouter(const testing::NetNamespace& router) {
  router.run([&] {
    platform_ = require(platform::open_platform());
    const KernelTraits& traits = platform_.kernel->traits();
    EngineOptions options;
    options.default_ipv4 = traits.ipv4.default_table;
    options.default_ipv6 = traits.ipv6.default_table;
    engine_ = std::make_unique<Engine>(traits, options);
    for (const TableKey table :
         {TableKey{Family::ipv4, options.default_ipv4}, {Family::ipv6, options.default_ipv6}}) {
      require(platform_.kernel->adopt_table(require(platform_.keeper->open_table(table))));
      engine_->table_opened(table);
    }
    require(platform_.links->start(*this));
  });
}

LiveRouter::~LiveRouter() = default;

LiveRouter::Load LiveRouter::load(const std::string& file) {
  Load load;
  platform::PosixFileReader files;
  const Stopwatch parsing;
  ParsedConfig parsed = parse_config(files, file);
  load.parse = parsing.cost();
  if (!parsed.valid()) throw std::runtime_error(parsed.diagnostics.front().to_string());
  const Stopwatch taking_over;
  engine_->set_config(std::move(parsed.config));
  load.take_over = taking_over.cost();
  const Stopwatch installing;
  converge(*platform_.kernel);
  load.install = installing.cost();
  return load;
}

void LiveRouter::converge(platform::MrouteKernel& kernel) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch());
  // As the daemon does: what was put is trusted when no departure waits to be heard of.
  do {
    link_events_ = 0;
    platform::converge(*engine_, {.keeper = platform_.keeper.get(), .kernel = &kernel},
                       now.count());
    require(platform::read_links(*engine_, *platform_.links, *this));
  } while (link_events_ != 0);
}

bool LiveRouter::events_wait() const {
  pollfd ready{.fd = platform_.links->descriptor(), .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, 0) > 0;
}

LiveRouter::Reaction LiveRouter::follow() {
  Reaction reaction;
  Recorder recorder(*platform_.kernel);
  double spent = 0;
  while (events_wait()) {
    const std::uint64_t before = change_count();
    const auto began = Clock::now();
    require(platform::read_links(*engine_, *platform_.links, *this));
    converge(recorder);
    spent += seconds_since(began);
    if (change_count() == before) continue;
    reaction.calls += change_count() - before;
    reaction.seconds = spent;
  }
  reaction.steps = std::move(recorder.steps);
  return reaction;
}

double LiveRouter::repeat(const std::vector<Op>& steps) {
  double spent = 0;
  for (const Op& step : steps) {
    if (const auto* bind = std::get_if<BindVif>(&step)) {
      require(platform_.kernel->apply(UnbindVif{bind->table, bind->slot}));
    } else if (!std::holds_alternative<PutMfc>(step)) {
      throw std::runtime_error("cannot be repeated: " + to_string(step));
    }
    const auto began = Clock::now();
    require(platform_.kernel->apply(step));
    spent += seconds_since(began);
  }
  return spent;
}

void LiveRouter::link_changed(const Link& link) {
  ++link_events_;
  engine_->link_changed(link);
}
void LiveRouter::link_removed(IfIndex index) {
  ++link_events_;
  engine_->link_removed(index);
}
void LiveRouter::links_relearned(std::span<const Link> links) {
  ++link_events_;
  engine_->links_relearned(links);
}

}  // namespace mcast::bench
