// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "netlink/link_source.hpp"
#include "tests/contract/linux/rtnetlink_request.hpp"
#include "tests/support/net_namespace.hpp"

using namespace mcast;
using mcast::testing::NetNamespace;

namespace {

/// What an attentive reader of the port would believe.
class Belief final : public platform::LinkSink {
 public:
  std::map<IfIndex, Link> links;
  std::vector<std::string> events;
  unsigned relearned = 0;

  void link_changed(const Link& link) override {
    events.push_back("changed " + link.name);
    links[link.index] = link;
  }
  void link_removed(IfIndex index) override {
    REQUIRE(links.contains(index));
    events.push_back("removed " + links.at(index).name);
    links.erase(index);
  }
  void links_relearned(std::span<const Link> all) override {
    ++relearned;
    events.emplace_back("relearned");
    links.clear();
    for (const auto& link : all) links.emplace(link.index, link);
  }

  [[nodiscard]] const Link* find(const std::string& name) const {
    for (const auto& [index, link] : links) {
      if (link.name == name) return &link;
    }
    return nullptr;
  }
};

struct Watched {
  explicit Watched(const NetNamespace& watched, const netlink::LinkSourceOptions& options = {})
      : net(watched) {
    net.run([&] {
      auto opened = netlink::open_link_source(options);
      REQUIRE(opened);
      source = std::move(*opened);
      REQUIRE(source->start(belief));
    });
  }

  /// Reads what the kernel sends until the condition holds.
  void await(const std::function<bool()>& holds) {
    while (!holds()) {
      pollfd waiting{source->descriptor(), POLLIN, 0};
      const auto owed = source->retry_in();
      const int limit = owed < 0 ? 10'000 : static_cast<int>(owed);
      const int ready = ::poll(&waiting, 1, limit);
      REQUIRE_MESSAGE((ready > 0 || owed >= 0), "the kernel sent nothing that makes it true");
      REQUIRE(source->read(belief));
    }
  }
  /// Reads all that is there already.
  void catch_up() {
    for (;;) {
      REQUIRE(source->read(belief));
      pollfd waiting{source->descriptor(), POLLIN, 0};
      const auto owed = source->retry_in();
      if (owed < 0 && ::poll(&waiting, 1, 0) == 0) return;
      if (owed > 0) ::poll(&waiting, 1, static_cast<int>(owed));
    }
  }

  const NetNamespace& net;
  std::unique_ptr<platform::LinkSource> source;
  Belief belief;
};

/// What a newcomer learns, without what only a history tells.
std::map<IfIndex, Link> truth(const NetNamespace& net) {
  Watched fresh(net);
  for (auto& [index, link] : fresh.belief.links) link.incarnation = 0;
  return fresh.belief.links;
}

/// The kernel may still be at work: addresses of IPv6 come with the carrier.
void await_truth(Watched& watched) {
  watched.await([&] {
    auto believed = watched.belief.links;
    for (auto& [index, link] : believed) link.incarnation = 0;
    return believed == truth(watched.net);
  });
}

std::vector<Address> addresses(std::initializer_list<const char*> texts) {
  std::vector<Address> list;
  for (const char* text : texts) list.push_back(*Address::parse(text));
  std::ranges::sort(list);
  return list;
}

bool holds_v4(const Link* link, std::initializer_list<const char*> texts) {
  if (link == nullptr) return false;
  std::vector<Address> v4;
  std::ranges::copy_if(link->addresses, std::back_inserter(v4),
                       [](const Address& a) { return a.family() == Family::ipv4; });
  return v4 == addresses(texts);
}

}  // namespace

TEST_CASE("start tells what exists already, with addresses and attributes") {
  NetNamespace net;
  net.add_veth("a0", net, "a1");
  net.add_address("a0", "10.1.0.1/24");
  Watched watched(net);
  CHECK(watched.belief.relearned == 1);
  const Link* lo = watched.belief.find("lo");
  REQUIRE(lo != nullptr);
  CHECK(lo->loopback);
  const Link* a0 = watched.belief.find("a0");
  REQUIRE(a0 != nullptr);
  CHECK(a0->up);
  CHECK(a0->multicast);
  CHECK(a0->kind == "veth");
  CHECK(a0->incarnation != 0);
  CHECK(holds_v4(a0, {"10.1.0.1"}));
  CHECK(watched.source->retry_in() == -1);
}

TEST_CASE("an interface that is created, renamed and deleted is followed") {
  NetNamespace net;
  Watched watched(net);
  net.add_veth("a0", net, "a1");
  watched.await([&] { return watched.belief.find("a1") != nullptr; });
  const IfIndex index(net.index_of("a0"));
  net.rename_link("a0", "b0");
  watched.await([&] { return watched.belief.find("b0") != nullptr; });
  CHECK(watched.belief.find("a0") == nullptr);
  CHECK(watched.belief.find("b0")->index == index);
  net.remove_link("b0");
  watched.await([&] { return watched.belief.find("b0") == nullptr; });
  watched.await([&] { return watched.belief.find("a1") == nullptr; });
  await_truth(watched);
  CHECK(watched.belief.relearned == 1);
}

TEST_CASE("an interface re-created at once under the same name is another one") {
  NetNamespace net;
  add_bridge_with_index(net, "br", 77);
  Watched watched(net);
  const auto before = watched.belief.find("br")->incarnation;
  net.remove_link("br");
  add_bridge_with_index(net, "br", 77);
  watched.await([&] {
    const Link* link = watched.belief.find("br");
    return link != nullptr && link->incarnation != before;
  });
  CHECK(watched.belief.find("br")->index == IfIndex(77));
  CHECK(std::ranges::count(watched.belief.events, "removed br") == 1);
}

TEST_CASE("a change of name between two interfaces arrives in order") {
  NetNamespace net;
  net.add_bridge("x");
  net.add_bridge("y");
  Watched watched(net);
  const IfIndex x(net.index_of("x"));
  net.rename_link("x", "t");
  net.rename_link("y", "x");
  net.rename_link("t", "y");
  watched.await([&] {
    const Link* y = watched.belief.find("y");
    return y != nullptr && y->index == x;
  });
  await_truth(watched);
}

TEST_CASE("alternative names come and go") {
  NetNamespace net;
  net.add_bridge("br");
  Watched watched(net);
  const std::string longer_than_a_name = "uplink-to-the-second-building";
  add_altname(net, "br", longer_than_a_name);
  watched.await([&] { return watched.belief.find("br")->has_name(longer_than_a_name); });
  remove_altname(net, "br", longer_than_a_name);
  watched.await([&] { return watched.belief.find("br")->altnames.empty(); });
}

TEST_CASE("joining and leaving a bridge changes the master and removes nothing") {
  NetNamespace net;
  net.add_bridge("br");
  net.add_veth("a0", net, "a1");
  Watched watched(net);
  const IfIndex bridge(net.index_of("br"));
  net.enslave("a0", "br");
  watched.await([&] { return watched.belief.find("a0")->master == bridge; });
  CHECK_FALSE(watched.belief.find("a0")->master_is_vrf);
  net.release("a0");
  watched.await([&] { return watched.belief.find("a0")->master == IfIndex(); });
  watched.catch_up();
  CHECK(std::ranges::count(watched.belief.events, "removed a0") == 0);
  await_truth(watched);
}

TEST_CASE("a bridge that takes over the address of its port stays the same interface") {
  NetNamespace net;
  net.add_bridge("br");
  Watched watched(net);
  const auto before = watched.belief.find("br")->incarnation;
  net.add_veth("a0", net, "a1");
  net.enslave("a0", "br");
  watched.await([&] {
    const Link* port = watched.belief.find("a0");
    return port != nullptr && port->master == IfIndex(net.index_of("br"));
  });
  watched.catch_up();
  CHECK(watched.belief.find("br")->incarnation == before);
}

TEST_CASE("the flags UP and MULTICAST are followed") {
  NetNamespace net;
  net.add_bridge("br");
  Watched watched(net);
  net.set_multicast("br", false);
  watched.await([&] { return !watched.belief.find("br")->multicast; });
  CHECK_FALSE(watched.belief.find("br")->usable());
  net.set_multicast("br", true);
  watched.await([&] { return watched.belief.find("br")->multicast; });
  net.set_down("br");
  watched.await([&] { return !watched.belief.find("br")->up; });
}

TEST_CASE("addresses are followed, one held twice until both are gone") {
  NetNamespace net;
  net.add_bridge("br");
  Watched watched(net);
  net.add_address("br", "10.2.0.1/24");
  net.add_address("br", "10.2.0.1/16");
  net.add_address("br", "10.2.0.9/24");
  net.add_address("br", "fd00:2::1/64");
  watched.await([&] {
    const auto& held = watched.belief.find("br")->addresses;
    return std::ranges::find(held, *Address::parse("fd00:2::1")) != held.end();
  });
  CHECK(holds_v4(watched.belief.find("br"), {"10.2.0.1", "10.2.0.9"}));
  net.remove_address("br", "10.2.0.9/24");
  net.remove_address("br", "10.2.0.1/16");
  watched.await([&] { return holds_v4(watched.belief.find("br"), {"10.2.0.1"}); });
  watched.catch_up();
  CHECK(holds_v4(watched.belief.find("br"), {"10.2.0.1"}));
  net.remove_address("br", "10.2.0.1/24");
  watched.await([&] { return holds_v4(watched.belief.find("br"), {}); });
}

TEST_CASE("an interface that moves to another namespace is gone, and back is another one") {
  NetNamespace net;
  NetNamespace elsewhere;
  net.add_veth("a0", elsewhere, "a1");
  Watched watched(net);
  const auto before = watched.belief.find("a0")->incarnation;
  net.move_link("a0", elsewhere);
  watched.await([&] { return watched.belief.find("a0") == nullptr; });
  elsewhere.move_link("a0", net);
  watched.await([&] { return watched.belief.find("a0") != nullptr; });
  CHECK(watched.belief.find("a0")->incarnation != before);
}

TEST_CASE("what does not concern us wakes nobody") {
  NetNamespace net;
  net.add_bridge("br");
  Watched watched(net);
  watched.catch_up();
  watched.belief.events.clear();
  set_queue_length(net, "br", 77);
  pollfd waiting{watched.source->descriptor(), POLLIN, 0};
  REQUIRE_MESSAGE(::poll(&waiting, 1, 0) == 1, "the kernel was expected to announce this");
  watched.catch_up();
  CHECK(watched.belief.events.empty());
}

TEST_CASE("lost messages end in the truth, told as a relearn") {
  NetNamespace net;
  net.add_bridge("stays");
  net.add_bridge("goes");
  net.add_bridge("renamed");
  Watched watched(net, {.receive_buffer = 4096});
  const auto kept = watched.belief.find("stays")->incarnation;
  for (int i = 0; i < 30; ++i) net.add_bridge("new" + std::to_string(i));
  for (int i = 0; i < 30; i += 2) net.remove_link("new" + std::to_string(i));
  net.remove_link("goes");
  net.rename_link("renamed", "other");
  net.add_address("other", "10.3.0.1/24");
  watched.catch_up();
  CHECK(watched.belief.relearned >= 2);
  await_truth(watched);
  CHECK(watched.belief.find("stays")->incarnation == kept);
  CHECK(watched.belief.find("goes") == nullptr);
  // And it goes on by events.
  const auto relearned = watched.belief.relearned;
  net.set_down("other");
  watched.await([&] { return !watched.belief.find("other")->up; });
  CHECK(watched.belief.relearned == relearned);
}

TEST_CASE("an interface re-created while messages are lost is another one") {
  NetNamespace net;
  NetNamespace elsewhere;
  net.add_veth("a0", elsewhere, "a1");
  Watched watched(net, {.receive_buffer = 4096});
  const auto before = watched.belief.find("a0")->incarnation;
  for (int i = 0; i < 10; ++i) net.add_bridge("noise" + std::to_string(i));
  net.remove_link("a0");
  net.add_veth("a0", elsewhere, "a1");
  watched.catch_up();
  CHECK(watched.belief.relearned == 2);
  CHECK(watched.belief.find("a0")->incarnation != before);
  await_truth(watched);
}
