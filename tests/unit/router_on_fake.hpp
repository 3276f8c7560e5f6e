// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <doctest/doctest.h>

#include <span>
#include <utility>

#include "core/engine.hpp"
#include "platform/converge.hpp"
#include "tests/fake/fake_kernel.hpp"
#include "tests/unit/memory_files.hpp"

namespace mcast::testing {

inline FlowKey flow(const char* source, const char* group) {
  return {.source = *Address::parse(source), .group = *Address::parse(group)};
}

/// An engine over a fake kernel with one interface, where unwanted flows become stop filters.
class Router : private platform::LinkSink, private platform::UpcallSink {
 public:
  Router() {
    engine.set_config(
        parse_text("mroute from eth0 source 10.0.0.9 group 239.9.9.9 to eth0\n").config);
    auto socket = kernel.open_table(table);
    REQUIRE(socket);
    REQUIRE(kernel.adopt_table(std::move(*socket)));
    engine.table_opened(table);
    Link eth0;
    eth0.name = "eth0";
    eth0.up = eth0.multicast = true;
    eth0.addresses = {*Address::parse("10.0.0.1")};
    device = kernel.add_link(eth0);
    REQUIRE(kernel.start(*this));
    turn();
  }

  void turn() { platform::converge(engine, kernel, 0); }
  void send(const FlowKey& key) {
    kernel.send(device, key);
    REQUIRE(kernel.read_upcalls(table, 100, *this));
    turn();
  }
  [[nodiscard]] bool knows(const FlowKey& key) const {
    bool found = false;
    engine.for_each_learned([&](TableKey, const FlowKey& learned) {
      if (learned == key) found = true;
    });
    return found;
  }
  [[nodiscard]] bool installed(const FlowKey& key) const {
    return kernel.entries(table).contains(key);
  }

  const TableKey table{Family::ipv4, linux_traits().ipv4.default_table};
  FakeKernel kernel{linux_traits()};
  Engine engine{linux_traits(),
                {.default_ipv4 = linux_traits().ipv4.default_table,
                 .default_ipv6 = linux_traits().ipv6.default_table}};
  Device device;

 private:
  void link_changed(const Link& link) override { engine.link_changed(link); }
  void link_removed(IfIndex index) override { engine.link_removed(index); }
  void links_relearned(std::span<const Link> links) override { engine.links_relearned(links); }
  void upcall(const Upcall& upcall) override { engine.upcall(upcall, 0); }
};

}  // namespace mcast::testing
