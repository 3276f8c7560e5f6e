// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/contract/kernel_under_test.hpp"

namespace mcast::testing {

using Names = std::set<std::string>;

inline VifIndex slot(unsigned number) {
  return slot_number(number);
}

inline MfcShape shape(unsigned parent, std::initializer_list<unsigned> outputs) {
  MfcShape made;
  made.parent = slot(parent);
  for (const unsigned output : outputs) made.ttls[output] = 1;
  return made;
}

class Upcalls final : public platform::UpcallSink {
 public:
  std::vector<Upcall> all;
  void upcall(const Upcall& upcall) override { all.push_back(upcall); }
};

/// A kernel with one open table and the interfaces a, b and c in slots 0, 1 and 2.
struct Lab {
  explicit Lab(Family family)
      : table{family, {}},
        group(*Address::parse(family == Family::ipv4 ? "225.1.2.3" : "ff0e::1:3")) {
    table.id = kernel().traits().of(family).default_table;
    REQUIRE(kernel().adopt_table(under_test->keeper().open_table(table).value()));
    unsigned next = 0;
    for (const char* name : {"a", "b", "c"}) {
      under_test->add_link(name);
      REQUIRE(bind(next++, name));
    }
  }

  /// Before interfaces go: not every kernel lets go of their slots by itself.
  ~Lab() { kernel().close_table(table); }
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  platform::MrouteKernel& kernel() { return under_test->kernel(); }
  [[nodiscard]] const FamilyTraits& traits() { return kernel().traits().of(table.family); }
  /// The step by which an interface takes a slot, of the default table if not another is named.
  [[nodiscard]] BindVif bind_step(unsigned number, const std::string& name) {
    BindVif step{table, slot(number), under_test->index_of(name), 1, {}};
    if (traits().bind_needs_address) {
      step.address = under_test->router_address(name, table.family);
    }
    return step;
  }
  Result<void> bind(unsigned number, const std::string& name) {
    return kernel().apply(bind_step(number, name));
  }
  Result<void> unbind(unsigned number) { return kernel().apply(UnbindVif{table, slot(number)}); }
  [[nodiscard]] FlowKey flow(const std::string& from = "a") const {
    return {under_test->host_address(from, table.family), group};
  }
  Result<void> put(const MfcShape& made) { return kernel().apply(PutMfc{table, flow(), made}); }
  Result<void> drop() { return kernel().apply(DropMfc{table, flow(), slot(0)}); }
  bool is_bound(unsigned number) { return kernel().slot_is_bound(table, slot(number)).value(); }
  /// Whether the kernel survives packets of entries which list slots that are not bound.
  [[nodiscard]] bool may_send_unbound() { return traits().unbound_output != UnboundOutput::fatal; }
  Names send(const std::string& from = "a") { return under_test->send(from, group); }
  std::vector<Upcall> upcalls() {
    Upcalls sink;
    REQUIRE(kernel().read_upcalls(table, 1000, sink));
    return sink.all;
  }

  std::unique_ptr<KernelUnderTest> under_test = make_kernel_under_test();
  TableKey table;
  Address group;
};

/// For families of which `about` holds: what kernels do in different ways is told case by case.
template <class Case>
void for_families(bool (*about)(const FamilyTraits&), Case run) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    INFO(to_string(family));
    Lab lab(family);
    if (about(lab.traits())) run(lab);
  }
}

template <class Case>
void for_both_families(Case run) {
  for_families([](const FamilyTraits&) { return true; }, run);
}

/// Families for which an interface may be destroyed while it has a slot.
template <class Case>
void for_families_that_unbind(Case run) {
  for_families([](const FamilyTraits& traits) { return traits.departure_unbinds; }, run);
}

}  // namespace mcast::testing
