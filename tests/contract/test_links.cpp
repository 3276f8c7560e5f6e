// SPDX-License-Identifier: BSD-2-Clause
//
// What a link source tells of interfaces.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/contract/kernel_under_test.hpp"

using namespace mcast;

namespace {

struct Belief final : platform::LinkSink {
  std::map<IfIndex, Link> links;
  unsigned relearned = 0;
  unsigned removed = 0;

  void link_changed(const Link& link) override { links[link.index] = link; }
  void link_removed(IfIndex index) override {
    ++removed;
    CHECK(links.erase(index) == 1);
  }
  void links_relearned(std::span<const Link> all) override {
    ++relearned;
    links.clear();
    for (const auto& link : all) links[link.index] = link;
  }
  [[nodiscard]] const Link* find(const std::string& name) const {
    for (const auto& [index, link] : links) {
      if (link.name == name) return &link;
    }
    return nullptr;
  }
};

struct Lab {
  std::unique_ptr<mcast::testing::KernelUnderTest> under_test =
      mcast::testing::make_kernel_under_test();
  Belief belief;

  void start() { REQUIRE(under_test->links().start(belief)); }
  void await(const std::function<bool()>& holds) {
    constexpr int kEnough = 1000;
    for (int i = 0; !holds(); ++i) {
      REQUIRE(i < kEnough);
      under_test->await_event();
      REQUIRE(under_test->links().read(belief));
    }
  }
};

}  // namespace

TEST_CASE("start tells what exists") {
  Lab lab;
  lab.under_test->add_link("a");
  lab.start();
  CHECK(lab.belief.relearned == 1);
  const Link* link = lab.belief.find("a");
  REQUIRE(link != nullptr);
  CHECK(link->index == lab.under_test->index_of("a"));
  CHECK(link->usable());
}

TEST_CASE("an interface is followed through its life") {
  Lab lab;
  lab.start();
  lab.under_test->add_link("a");
  lab.await([&] { return lab.belief.find("a") != nullptr; });
  const IfIndex index = lab.under_test->index_of("a");
  CHECK(lab.belief.find("a")->index == index);
  lab.under_test->rename_link("a", "b");
  lab.await([&] { return lab.belief.find("b") != nullptr; });
  CHECK(lab.belief.find("a") == nullptr);
  CHECK(lab.belief.find("b")->index == index);
  lab.under_test->remove_link("b");
  lab.await([&] { return lab.belief.find("b") == nullptr; });
  // A kernel may tell a rename as one that goes and one that comes.
  const bool renamed_is_removed = lab.under_test->kernel().traits().ipv4.rename_is_departure;
  CHECK(lab.belief.removed >= 1);
  CHECK(lab.belief.removed <= (renamed_is_removed ? 2 : 1));
}

TEST_CASE("an interface re-created unread is told as gone and as another one") {
  Lab lab;
  lab.under_test->add_link("a");
  lab.start();
  const IfIndex old = lab.under_test->index_of("a");
  const auto incarnation = lab.belief.find("a")->incarnation;
  lab.under_test->remove_link("a");
  lab.under_test->add_link("a");
  lab.await([&] {
    const Link* link = lab.belief.find("a");
    return link != nullptr && link->incarnation != incarnation;
  });
  const IfIndex now = lab.under_test->index_of("a");
  CHECK(lab.belief.find("a")->index == now);
  // A kernel may give the same index again at once.
  CHECK(lab.belief.links.contains(old) == (now == old));
}

TEST_CASE("up, down and addresses are told") {
  Lab lab;
  lab.under_test->add_link("a");
  lab.start();
  const IfIndex index = lab.under_test->index_of("a");
  const auto holds = [&](Family family) {
    const Link* link = lab.belief.find("a");
    return link != nullptr &&
           std::ranges::count(link->addresses, lab.under_test->router_address("a", family)) == 1;
  };
  CHECK(lab.belief.find("a")->up);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    INFO(to_string(family));
    CHECK(holds(family));
    lab.under_test->remove_address("a", family);
    lab.await([&] { return !holds(family); });
    lab.under_test->add_address("a", family);
    lab.await([&] { return holds(family); });
  }
  lab.under_test->set_up("a", false);
  lab.await([&] { return !lab.belief.find("a")->up; });
  // The addresses of IPv4 are still there, whatever the kernel tells of their routes.
  CHECK(holds(Family::ipv4));
  lab.under_test->set_up("a", true);
  lab.await([&] { return lab.belief.find("a")->up && holds(Family::ipv6); });
  CHECK(holds(Family::ipv4));
  CHECK(lab.under_test->index_of("a") == index);
}

TEST_CASE("an interface that is lent is gone until it is returned") {
  Lab lab;
  lab.under_test->add_link("a");
  lab.start();
  lab.under_test->lend_link("a");
  lab.await([&] { return lab.belief.find("a") == nullptr; });
  lab.under_test->return_link("a");
  const Address address = lab.under_test->router_address("a", Family::ipv4);
  lab.await([&] {
    const Link* link = lab.belief.find("a");
    return link != nullptr && link->up && std::ranges::count(link->addresses, address) == 1;
  });
}

TEST_CASE("events that are lost make the source learn anew") {
  Lab lab;
  lab.under_test->add_link("a");
  lab.start();
  lab.under_test->overflow_events();
  lab.await([&] { return lab.belief.relearned > 1; });
  CHECK(lab.belief.find("a")->index == lab.under_test->index_of("a"));
  lab.under_test->add_link("b");
  lab.under_test->remove_link("a");
  lab.under_test->overflow_events();
  lab.await([&] { return lab.belief.find("a") == nullptr && lab.belief.find("b") != nullptr; });
}
