// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "netlink/link_map.hpp"

using namespace mcast;
using namespace mcast::netlink;

namespace {

constexpr IfIndex kEth{3};
const Address kOld = Address::parse("10.0.0.1").value();
const Address kNew = Address::parse("10.0.0.7").value();

/// What the map tells, as a line each: "3 up 10.0.0.1", "3 gone".
class Told final : public platform::LinkSink {
 public:
  void links_relearned(std::span<const Link> links) override {
    for (const Link& link : links) link_changed(link);
  }
  void link_changed(const Link& link) override {
    std::string line = std::to_string(link.index.value) + (link.up ? " up" : " down");
    for (const Address& address : link.addresses) line += " " + address.to_string();
    lines_.push_back(line);
  }
  void link_removed(IfIndex index) override {
    lines_.push_back(std::to_string(index.value) + " gone");
  }
  std::vector<std::string> take() { return std::exchange(lines_, {}); }

 private:
  std::vector<std::string> lines_;
};

struct Fixture {
  LinkMap map;
  Told told;

  Fixture() {
    link(true);
    address(kOld);
    map.flush(told);
    told.take();
  }
  void link(bool up, bool removed = false) {
    LinkMessage message;
    message.removed = removed;
    message.link.index = kEth;
    message.link.name = "eth0";
    message.link.up = up;
    map.apply(std::move(message), told);
  }
  void address(const Address& address, bool removed = false) {
    map.apply(AddressMessage{removed, kEth, address, 24}, told);
  }
  std::vector<std::string> end_of_batch() {
    map.flush(told);
    return told.take();
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("an interface that arrives with its addresses is told once") {
  LinkMap map;
  Told told;
  LinkMessage message;
  message.link.index = kEth;
  map.apply(message, told);
  message.link.up = true;
  map.apply(message, told);
  map.apply(AddressMessage{false, kEth, kOld, 24}, told);
  map.flush(told);
  CHECK(told.take() == Lines{"3 up 10.0.0.1"});
}

TEST_CASE("down and up again in one batch are told apart") {
  Fixture f;
  f.link(false);
  f.link(true);
  CHECK(f.end_of_batch() == Lines{"3 down 10.0.0.1", "3 up 10.0.0.1"});
  f.link(false);
  CHECK(f.end_of_batch() == Lines{"3 down 10.0.0.1"});
  f.link(true);
  CHECK(f.end_of_batch() == Lines{"3 up 10.0.0.1"});
}

TEST_CASE("one address in place of another is told as a loss and a gain") {
  Fixture f;
  f.address(kOld, true);
  f.address(kNew);
  CHECK(f.end_of_batch() == Lines{"3 up", "3 up 10.0.0.7"});
}

TEST_CASE("an address more, then one less, is one change") {
  Fixture f;
  f.address(kNew);
  f.address(kOld, true);
  CHECK(f.end_of_batch() == Lines{"3 up 10.0.0.7"});
}

TEST_CASE("what an interface loses on its way out is not told") {
  Fixture f;
  f.link(false);
  f.address(kOld, true);
  f.link(false, true);
  CHECK(f.end_of_batch() == Lines{"3 gone"});
  f.link(true);
  f.address(kNew);
  CHECK(f.end_of_batch() == Lines{"3 up 10.0.0.7"});
}
