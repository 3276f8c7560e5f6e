// SPDX-License-Identifier: BSD-2-Clause
//
// What a link source tells of interfaces.
#include <doctest/doctest.h>

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
  CHECK(lab.belief.removed == 1);
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
  CHECK_FALSE(lab.belief.links.contains(old));
  CHECK(lab.belief.find("a")->index == lab.under_test->index_of("a"));
}
