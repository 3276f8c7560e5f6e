// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "core/engine.hpp"
#include "platform/converge.hpp"
#include "tests/contract/kernel_under_test.hpp"

namespace mcast::testing {

using Names = std::set<std::string>;

/// The engine on a kernel under test, as the daemon runs it; nothing happens but in await() and
/// settle().
class Router final : private platform::LinkSink, private platform::UpcallSink {
 public:
  explicit Router(Family of);
  /// Gives the tables up before interfaces go: not every kernel lets go of slots by itself.
  ~Router() override;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  [[nodiscard]] const FamilyTraits& traits() { return kernel().traits().of(family); }
  platform::MrouteKernel& kernel() { return under_test->kernel(); }
  [[nodiscard]] TableKey table() { return {family, traits().default_table}; }

  /// Replaces all rules.
  void configure(const std::string& text);
  /// A line for group() or one of its likes; without a source for any.
  [[nodiscard]] std::string rule(const std::string& from, const std::string& to,
                                 const std::string& source = {}, unsigned which = 0) const;
  [[nodiscard]] std::string source(const std::string& name) const {
    return under_test->host_address(name, family).to_string();
  }
  [[nodiscard]] Address group(unsigned which = 0) const;
  /// All of the groups above.
  [[nodiscard]] std::string groups() const;

  /// Reads what waits, takes the steps that follow, and answers what the kernel asks.
  void settle();
  /// Does so until it holds, waiting for events of interfaces in between.
  void await(const std::function<bool()>& holds);
  /// Awaits that so many slots are in use, and that nothing is left to do.
  void await_slots(std::size_t count);
  /// Awaits that packets which arrive on `from` leave by these.
  void await_flow(const std::string& from, const Names& to, unsigned which = 0);
  Names send(const std::string& from, unsigned which = 0) {
    return under_test->send(from, group(which));
  }
  /// Whether nothing more is to be done.
  [[nodiscard]] bool is_at_rest();
  [[nodiscard]] std::size_t slots_bound();

  std::unique_ptr<KernelUnderTest> under_test = make_kernel_under_test();
  Family family;
  unsigned relearned = 0;  ///< how often events were lost, and the start
  std::uint64_t upcalls = 0;

 private:
  void link_changed(const Link& link) override { engine_.link_changed(link); }
  void link_removed(IfIndex index) override { engine_.link_removed(index); }
  void links_relearned(std::span<const Link> links) override {
    ++relearned;
    engine_.links_relearned(links);
  }
  void upcall(const Upcall& upcall) override {
    ++upcalls;
    engine_.upcall(upcall, now_);
  }
  void converge();

  Engine engine_;
  Milliseconds now_ = 0;
};

/// For families of which `about` holds.
template <class Case>
void route_families(bool (*about)(const FamilyTraits&), Case run) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    INFO(to_string(family));
    Router router(family);
    if (about(router.traits())) run(router);
  }
}

template <class Case>
void route_both_families(Case run) {
  route_families([](const FamilyTraits&) { return true; }, run);
}

}  // namespace mcast::testing
