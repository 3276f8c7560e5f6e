// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.hpp"
#include "platform/converge.hpp"
#include "tests/fake/fake_kernel.hpp"
#include "tests/unit/memory_files.hpp"

namespace mcast::testing {

/// The semantics that a run of the tests is about: each program with an engine runs once for every
/// kernel, and cases without traits of their own are about any.
[[nodiscard]] inline const KernelTraits& traits_under_test() {
  static const KernelTraits traits = [] {
    const char* name = std::getenv("MCAST_TRAITS");
    if (name == nullptr || std::string_view(name) != "freebsd") return linux_traits();
    KernelTraits freebsd = freebsd_traits();
    // Of cases about other things either family's table may be taken at once; see
    // test_engine_fibs.cpp.
    freebsd.ipv6.table_is_the_kernels = false;
    return freebsd;
  }();
  return traits;
}

/// An engine on a fake kernel with both default tables open; every change is followed by
/// convergence.
class EngineOnFake : private platform::LinkSink, private platform::UpcallSink {
 public:
  explicit EngineOnFake(const KernelTraits& traits = traits_under_test(),
                        EngineOptions options = {})
      : kernel(traits), engine(traits, with_default_tables(traits, options)) {
    for (const TableKey table : kernel.open_tables()) {
      static_cast<void>(kernel.adopt_table(kernel.open_table(table).value()));
      engine.table_opened(table);
    }
    static_cast<void>(kernel.start(*this));
  }

  EngineOnFake(const EngineOnFake&) = delete;
  EngineOnFake& operator=(const EngineOnFake&) = delete;
  virtual ~EngineOnFake() { CHECK(kernel.violations() == std::vector<std::string>{}); }

  /// IPv4's part of the kernel under test, for cases that say what it costs.
  [[nodiscard]] const FamilyTraits& ipv4() const { return kernel.traits().ipv4; }
  /// Calls to change one IPv4 entry: it is dropped first where outputs might else stay.
  [[nodiscard]] std::uint64_t calls_per_change() const {
    return ipv4().update_clears_outputs ? 1 : 2;
  }
  [[nodiscard]] TableKey table_v4() const {
    return {Family::ipv4, kernel.traits().ipv4.default_table};
  }
  [[nodiscard]] TableKey table_v6() const {
    return {Family::ipv6, kernel.traits().ipv6.default_table};
  }

  /// Returns the number of kernel calls it took.
  std::uint64_t settle() {
    const auto before = kernel.change_count();
    static_cast<void>(platform::read_links(engine, kernel, *this));
    platform::converge(engine, {.keeper = &kernel, .kernel = &kernel, .multicast_rules = &kernel},
                       now);
    static_cast<void>(platform::read_links(engine, kernel, *this));
    return kernel.change_count() - before;
  }
  std::uint64_t configure(const std::string& text) {
    engine.set_config(parse_text(text).config);
    return settle();
  }
  /// With addresses of its own.
  Device add(const std::string& name, IfIndex index = {}) {
    ++added_;
    const auto octet = [&](unsigned shift) { return static_cast<std::uint8_t>(added_ >> shift); };
    Link link;
    link.addresses = {
        Address::from_v4(std::array<std::uint8_t, 4>{192, octet(16), octet(8), octet(0)}),
        Address::parse(fmt::format("fe80::{:x}", added_)).value()};
    link.name = name;
    link.index = index;
    link.up = true;
    link.multicast = name != "lo";
    link.loopback = name == "lo";
    const Device device = kernel.add_link(std::move(link));
    calls = settle();
    return device;
  }
  void remove(const std::string& name) {
    kernel.remove_link(kernel.find_link(name)->link.index);
    calls = settle();
  }
  void rename(const std::string& from, const std::string& to) {
    kernel.rename_link(kernel.find_link(from)->link.index, to);
    calls = settle();
  }
  /// A packet arrives; what the kernel asks is answered.
  void send(Device from, const FlowKey& flow) {
    kernel.send(from, flow);
    answer_upcalls();
  }
  void answer_upcalls() {
    for (const TableKey table : kernel.open_tables()) {
      static_cast<void>(kernel.read_upcalls(table, 100, *this));
    }
    calls = settle();
  }
  [[nodiscard]] Devices out(Device from, const FlowKey& flow, unsigned ttl = 64) const {
    return kernel.outputs({flow.family(), kernel.traits().of(flow.family()).default_table}, from,
                          flow, ttl);
  }
  [[nodiscard]] static RouteWords route(const std::vector<std::string>& words) {
    return parse_route_words(words).value();
  }

  FakeKernel kernel;
  Engine engine;
  Milliseconds now = 0;
  std::uint64_t calls = 0;  ///< that the last change took

 private:
  [[nodiscard]] static EngineOptions with_default_tables(const KernelTraits& traits,
                                                         EngineOptions options) {
    options.default_ipv4 = traits.ipv4.default_table;
    options.default_ipv6 = traits.ipv6.default_table;
    return options;
  }
  void link_changed(const Link& link) override { engine.link_changed(link); }
  void link_removed(IfIndex index) override { engine.link_removed(index); }
  void links_relearned(std::span<const Link> links) override { engine.links_relearned(links); }
  void upcall(const Upcall& upcall) override { engine.upcall(upcall, now); }

  unsigned added_ = 0;
};

[[nodiscard]] inline FlowKey flow(const std::string& source, const std::string& group) {
  return {Address::parse(source).value(), Address::parse(group).value()};
}

}  // namespace mcast::testing
