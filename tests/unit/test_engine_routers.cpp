// SPDX-License-Identifier: BSD-2-Clause
// On which interfaces this host is announced as a multicast router.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "tests/unit/engine_on_fake.hpp"

namespace mcast::testing {
namespace {

using What = RouterLinkChange::What;

/// Keeps account of what the engine tells.
class Announced : public EngineOnFake {
 public:
  Announced() { static_cast<void>(engine.take_router_links()); }

  IfIndex plug(const std::string& name, const std::vector<std::string>& addresses,
               bool multicast = true) {
    Link link;
    link.name = name;
    link.up = true;
    link.multicast = multicast;
    for (const auto& text : addresses) link.addresses.push_back(Address::parse(text).value());
    kernel.add_link(std::move(link));
    settle();
    return kernel.find_link(name)->link.index;
  }
  void edit(const std::string& name, const std::function<void(Link&)>& change) {
    kernel.change_link(kernel.find_link(name)->link.index, change);
    settle();
  }
  /// The interfaces announced now: "eth0/4 eth1/6".
  std::string announced() {
    for (const RouterLinkChange& change : engine.take_router_links()) {
      if (change.what == What::departed) ++departures;
      if (change.what == What::announces) {
        now_[change.link] = change.name;
      } else {
        now_.erase(change.link);
      }
    }
    std::string text;
    for (const auto& [link, name] : now_) {
      text += (text.empty() ? "" : " ") + name + (link.family == Family::ipv4 ? "/4" : "/6");
    }
    return text;
  }
  /// One that no interface has yet.
  std::string next_address() { return "10.0.5." + std::to_string(++addresses_); }
  int departures = 0;

 private:
  int addresses_ = 0;
  std::map<RouterLink, std::string> now_;
};

const std::vector<std::string> kBoth{"10.0.0.1", "fe80::1", "fd00::1"};

TEST_CASE("an interface is announced in the families in which it has an address to speak from") {
  Announced it;
  it.configure("phyint eth+ mrdisc\n");
  it.plug("eth0", {"10.0.4.1"});
  it.plug("eth1", {"fe80::1"});
  it.plug("eth2", {"fd00::1"});
  it.plug("eth3", {});
  it.plug("eth4", kBoth);
  CHECK(it.announced() == "eth0/4 eth1/6 eth4/4 eth4/6");
  it.edit("eth3", [](Link& link) { link.addresses.push_back(*Address::parse("10.0.3.1")); });
  it.edit("eth4", [](Link& link) { std::erase(link.addresses, *Address::parse("fe80::1")); });
  CHECK(it.announced() == "eth0/4 eth1/6 eth3/4 eth4/4");
}

TEST_CASE("only what a phyint line with mrdisc means, and none disables, is announced") {
  Announced it;
  for (const char* name : {"eth0", "eth1", "lan0", "lan1"}) it.plug(name, {it.next_address()});
  it.configure("phyint eth0\nphyint lan+ mrdisc\nphyint lan1 disable\nphyint tun0 mrdisc\n");
  CHECK(it.announced() == "lan0/4");
  // Another statement about the same interface takes nothing back.
  it.configure("phyint lan+ mrdisc\nphyint lan0 ttl-threshold 3\n");
  CHECK(it.announced() == "lan0/4 lan1/4");
  it.configure("phyint lan+\nphyint eth1 mrdisc\n");
  CHECK(it.announced() == "eth1/4");
  it.configure("mroute from eth0 source 10.0.0.9 group 225.1.2.3 to eth1\n");
  CHECK(it.announced().empty());
}

TEST_CASE("an interface that is down or not capable of multicast is not announced") {
  Announced it;
  it.configure("phyint eth+ mrdisc\nphyint lo mrdisc\n");
  it.plug("eth0", kBoth);
  it.plug("eth1", {"10.0.1.1", "fe80::2", "fd00::2"}, false);
  it.add("lo");
  CHECK(it.announced() == "eth0/4 eth0/6");
  it.edit("eth0", [](Link& link) { link.up = false; });
  CHECK(it.announced().empty());
  it.edit("eth0", [](Link& link) { link.up = true; });
  CHECK(it.announced() == "eth0/4 eth0/6");
  CHECK(it.departures == 0);
}

TEST_CASE("an interface that is made anew between two looks is told as departed first") {
  Announced it;
  it.configure("phyint eth0 mrdisc\n");
  const IfIndex index = it.plug("eth0", {"10.0.0.1"});
  CHECK(it.announced() == "eth0/4");
  it.departures = 0;
  it.remove("eth0");
  Link link;
  link.name = "eth0";
  link.index = index;
  link.up = link.multicast = true;
  link.addresses.push_back(*Address::parse("10.0.0.1"));
  it.kernel.add_link(link);
  it.settle();
  CHECK(it.announced() == "eth0/4");
  CHECK(it.departures == 2);  // one for each family
}

TEST_CASE("a moment in which an interface cannot speak is noticed although it is over") {
  Announced it;
  it.configure("phyint eth0 mrdisc\n");
  const IfIndex index = it.plug("eth0", kBoth);
  const auto interrupted = [&](const std::function<void(Link&)>& there,
                               const std::function<void(Link&)>& back) {
    static_cast<void>(it.engine.take_router_links());
    it.kernel.change_link(index, there);
    it.kernel.change_link(index, back);
    it.settle();
    std::string families;
    for (const RouterLinkChange& change : it.engine.take_router_links()) {
      CHECK(change.what == What::announces);
      if (change.interrupted) families += change.link.family == Family::ipv4 ? '4' : '6';
    }
    return families;
  };
  CHECK(interrupted([](Link& link) { link.up = false; }, [](Link& link) { link.up = true; }) ==
        "46");
  CHECK(interrupted([](Link& link) { std::erase(link.addresses, *Address::parse("10.0.0.1")); },
                    [](Link& link) { link.addresses.push_back(*Address::parse("10.0.0.2")); }) ==
        "4");
  CHECK(interrupted([](Link& link) { link.altnames.emplace_back("other"); },
                    [](Link& link) { link.altnames.clear(); })
            .empty());
}

TEST_CASE("an interface without a slot is no router's") {
  Announced it;
  std::string text;
  for (int i = 0; i < 33; ++i) text += "phyint eth" + std::to_string(i) + " mrdisc\n";
  it.configure(text);
  for (int i = 0; i < 33; ++i) it.plug("eth" + std::to_string(i), {it.next_address()});
  const std::string all = it.announced();
  CHECK(all.contains("eth31/4"));
  CHECK_FALSE(all.contains("eth32/4"));
  it.remove("eth5");
  it.configure(text.substr(0, text.find("phyint eth5 ")) + text.substr(text.find("phyint eth6 ")));
  CHECK(it.announced().contains("eth32/4"));
}

TEST_CASE("in a family whose table is lost nothing is announced") {
  Announced it;
  it.configure("phyint eth0 mrdisc\n");
  it.plug("eth0", kBoth);
  CHECK(it.announced() == "eth0/4 eth0/6");
  it.engine.table_lost(it.table_v6(), "taken away");
  CHECK(it.announced() == "eth0/4");
}

TEST_CASE("what happens to interfaces that are not announced is told to nobody") {
  Announced it;
  it.plug("eth0", kBoth);
  CHECK(it.announced().empty());
  CHECK(it.engine.take_router_links().empty());
}

}  // namespace
}  // namespace mcast::testing
