// SPDX-License-Identifier: BSD-2-Clause
// What a listener sees of an interface's life on FreeBSD, in the order in which its kernel tells.
#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "platform/bsd/link_tracker.hpp"

using namespace mcast;
using namespace mcast::platform;

namespace {

const Address kOne = Address::parse("10.0.0.1").value();
const Address kTwo = Address::parse("10.0.0.2").value();
const Address kLocal = Address::parse("fe80::1").value();
constexpr std::uint32_t kIndex = 3;

using Lines = std::vector<std::string>;

std::string line_of(const Link& link) {
  std::string line = std::to_string(link.index.value) + " " + link.name;
  line += link.up ? " up" : " down";
  if (link.leaving) line += " leaving";
  for (const Address& address : link.addresses) line += " " + address.to_string();
  return line + " #" + std::to_string(link.incarnation);
}

/// What is told, as a line each: "3 em0 up 10.0.0.1 #1", "3 gone"; "all" before a relearn's.
class Told final : public LinkSink {
 public:
  void links_relearned(std::span<const Link> links) override {
    lines_.emplace_back("all");
    for (const Link& link : links) link_changed(link);
  }
  void link_changed(const Link& link) override { lines_.push_back(line_of(link)); }
  void link_removed(IfIndex index) override {
    lines_.push_back(std::to_string(index.value) + " gone");
  }
  Lines take() { return std::exchange(lines_, {}); }

 private:
  Lines lines_;
};

/// A host's interfaces, and the messages about them that wait.
class Host final : public InterfaceReader {
 public:
  Host() {
    create("em0");
    set(&Link::up, true);
    look();
  }

  Result<void> read_hints(LinkTracker& listener) override {
    for (const RouteMessage& message : std::exchange(waiting_, {})) listener.note(message);
    if (std::exchange(overflowed_, false)) listener.note_loss();
    return {};
  }
  Result<std::vector<FoundInterface>> read_interfaces() override {
    ++reads;
    std::vector<FoundInterface> found;
    for (const auto& [index, interface] : interfaces) found.push_back(interface);
    if (while_reading) while_reading();
    if (fails) return fail(ErrorCode::os, "getifaddrs: no memory");
    return found;
  }

  /// What is told when everything that waits is read.
  Lines look() {
    caught_up = tracker.follow(*this, told_).value_or(false);
    return told_.take();
  }

  // --- Messages ---
  void announce(bool departed, std::uint32_t index, const std::string& name) {
    waiting_.emplace_back(InterfaceAnnounced{departed, IfIndex(index), name});
  }
  void inform(std::uint32_t flags, std::uint32_t index = kIndex) {
    waiting_.emplace_back(InterfaceInfo{IfIndex(index), flags, 2});
  }
  void inform_of_address(bool removed, const Address& address, std::uint32_t index = kIndex) {
    waiting_.emplace_back(AddressAnnounced{removed, IfIndex(index), address});
  }
  void lose_all() {
    waiting_.clear();
    overflowed_ = true;
  }

  // --- What happens, with its messages ---
  void create(const std::string& name, std::uint32_t index = kIndex) {
    FoundInterface interface;
    interface.link.index = IfIndex(index);
    interface.link.name = name;
    interface.link.multicast = true;
    interface.identity = "born " + std::to_string(++clock_);
    interface.last_change = clock_;
    interfaces[index] = interface;
    announce(false, index, name);
    inform(kInterfaceMulticast, index);
  }
  void destroy(std::uint32_t index = kIndex) {
    const Link link = interfaces.at(index).link;
    unlist(index);
    announce(true, index, link.name);
  }
  /// The first part of a destruction: the kernel goes on with it later.
  void unlist(std::uint32_t index = kIndex) {
    const Link link = interfaces.at(index).link;
    interfaces.erase(index);
    inform(kInterfaceMulticast, index);
    for (const Address& address : link.addresses) inform_of_address(true, address, index);
    inform(kInterfaceMulticast | kInterfaceDying, index);
  }
  void rename(const std::string& name, std::uint32_t index = kIndex) {
    Link& link = interfaces.at(index).link;
    announce(true, index, std::exchange(link.name, name));
    announce(false, index, name);
  }
  void go_down(std::uint32_t index = kIndex) {
    Link& link = interfaces.at(index).link;
    link.up = false;
    for (const Address& address : link.addresses) inform_of_address(true, address, index);
    inform(kInterfaceMulticast, index);
  }
  void go_up(std::uint32_t index = kIndex) {
    Link& link = interfaces.at(index).link;
    link.up = true;
    for (const Address& address : link.addresses) inform_of_address(false, address, index);
    inform(kInterfaceMulticast | kInterfaceUp, index);
  }
  void add(const Address& address, std::uint32_t index = kIndex) {
    interfaces.at(index).link.addresses.push_back(address);
    inform_of_address(false, address, index);
  }
  void remove(const Address& address, std::uint32_t index = kIndex) {
    std::erase(interfaces.at(index).link.addresses, address);
    inform_of_address(true, address, index);
  }
  /// Without a message.
  void set(bool Link::* what, bool value, std::uint32_t index = kIndex) {
    interfaces.at(index).link.*what = value;
  }

  LinkTracker tracker;
  std::map<std::uint32_t, FoundInterface> interfaces;
  std::function<void()> while_reading;
  bool fails = false;
  bool caught_up = false;
  int reads = 0;

 private:
  Told told_;
  std::vector<RouteMessage> waiting_;
  bool overflowed_ = false;
  std::uint64_t clock_ = 0;
};

}  // namespace

TEST_CASE("what exists at start is told as everything there is") {
  Host host;
  host.create("lo0", 1);
  LinkTracker fresh;
  Told told;
  REQUIRE(fresh.follow(host, told));
  CHECK(told.take() == Lines{"all", "1 lo0 down #1", "3 em0 up #2"});
}

TEST_CASE("a pair of interfaces that is created and given addresses is told step by step") {
  Host host;
  host.create("epair0a", 4);
  host.create("epair0b", 5);
  CHECK(host.look() == Lines{"4 epair0a down #2", "5 epair0b down #3"});
  host.set(&Link::up, true, 4);
  host.add(kOne, 4);
  host.inform(kInterfaceUp | kInterfaceMulticast, 4);
  CHECK(host.look() == Lines{"4 epair0a up 10.0.0.1 #2"});
  host.add(kLocal, 4);
  host.remove(kOne, 4);
  CHECK(host.look() == Lines{"4 epair0a up #2", "4 epair0a up fe80::1 #2"});
}

TEST_CASE("addresses said to be removed when the interface goes down stay") {
  Host host;
  host.add(kOne);
  host.look();
  host.go_down();
  CHECK(host.look() == Lines{"3 em0 down 10.0.0.1 #1"});
  host.go_up();
  CHECK(host.look() == Lines{"3 em0 up 10.0.0.1 #1"});
}

TEST_CASE("down and up again at once are told as an interruption") {
  Host host;
  host.add(kOne);
  host.look();
  host.go_down();
  host.go_up();
  CHECK(host.look() == Lines{"3 em0 down 10.0.0.1 #1", "3 em0 up 10.0.0.1 #1"});
}

TEST_CASE("one address in place of another is told as a loss and a gain") {
  Host host;
  host.add(kOne);
  host.look();
  host.remove(kOne);
  host.add(kTwo);
  CHECK(host.look() == Lines{"3 em0 up #1", "3 em0 up 10.0.0.2 #1"});
}

TEST_CASE("what all interfaces lost is told before what any gained") {
  Host host;
  host.create("em1", 2);
  host.look();
  host.add(kOne, 3);
  host.look();
  host.add(kOne, 2);
  host.remove(kOne, 3);
  CHECK(host.look() == Lines{"3 em0 up #1", "2 em1 down 10.0.0.1 #2"});
}

TEST_CASE("an address that is held twice is told once, and all are sorted") {
  Host host;
  host.add(kTwo);
  host.add(kOne);
  host.add(kTwo);
  CHECK(host.look() == Lines{"3 em0 up 10.0.0.1 10.0.0.2 #1"});
}

TEST_CASE("messages that change nothing tell nothing") {
  Host host;
  host.inform(kInterfaceUp | kInterfaceMulticast);
  CHECK(host.look().empty());
  CHECK(host.caught_up);
}

TEST_CASE("a renamed interface is gone, and another one under the same number") {
  Host host;
  host.rename("lan0");
  CHECK(host.look() == Lines{"3 gone", "3 lan0 up #2"});
}

TEST_CASE("an interface renamed and named back is another one all the same, and told once") {
  Host host;
  host.rename("lan0");
  host.rename("em0");
  CHECK(host.look() == Lines{"3 gone", "3 em0 up #2"});
}

TEST_CASE("a renamed interface does not return before its arrival is told") {
  Host host;
  host.announce(true, kIndex, "em0");
  CHECK(host.look() == Lines{"3 gone"});
  host.interfaces.at(kIndex).link.name = "lan0";
  host.announce(false, kIndex, "lan0");
  CHECK(host.look() == Lines{"3 lan0 up #2"});
}

TEST_CASE("a name that is ahead of its announcements changes nothing before they come") {
  Host host;
  host.add(kOne);
  host.look();
  host.interfaces.at(kIndex).link.name = "lan0";
  host.remove(kOne);
  host.inform(kInterfaceUp | kInterfaceMulticast);
  CHECK(host.look().empty());
  host.announce(true, kIndex, "em0");
  host.announce(false, kIndex, "lan0");
  CHECK(host.look() == Lines{"3 gone", "3 lan0 up #2"});
}

TEST_CASE("interfaces that exchange their names are told in an order that has each name once") {
  Host host;
  host.create("em1", 2);
  host.look();
  host.rename("t", 3);
  host.rename("em0", 2);
  host.rename("em1", 3);
  CHECK(host.look() == Lines{"2 gone", "3 gone", "2 em0 down #3", "3 em1 up #4"});
}

TEST_CASE("a destroyed interface is gone") {
  Host host;
  host.add(kOne);
  host.look();
  host.destroy();
  CHECK(host.look() == Lines{"3 gone"});
  CHECK(host.look().empty());
}

TEST_CASE("an interface on its way out cannot be used, and is gone when its departure is told") {
  Host host;
  host.add(kOne);
  host.look();
  host.unlist();
  CHECK(host.look() == Lines{"3 em0 down leaving 10.0.0.1 #1"});
  host.inform_of_address(true, kOne);
  CHECK(host.look().empty());
  host.announce(true, kIndex, "em0");
  CHECK(host.look() == Lines{"3 gone"});
}

TEST_CASE("what is on its way out does not come back by being listed") {
  Host host;
  const auto saved = host.interfaces;
  host.unlist();
  host.look();
  host.interfaces = saved;
  host.inform(kInterfaceUp);
  CHECK(host.look().empty());
  host.announce(true, kIndex, "em0");
  host.announce(false, kIndex, "em0");
  CHECK(host.look() == Lines{"3 gone", "3 em0 up #2"});
}

TEST_CASE("what was on its way out and is listed again is another one, if nothing else is told") {
  Host host;
  const auto saved = host.interfaces;
  host.unlist();
  host.look();
  host.interfaces = saved;
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "3 em0 up #2"});
  // Even one that looks like an interface on its way out.
  host.set(&Link::up, false);
  host.set(&Link::multicast, false);
  host.inform(0);
  host.look();
  const auto useless = host.interfaces;
  host.unlist();
  host.look();
  host.interfaces = useless;
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "3 em0 down #3"});
}

TEST_CASE("another interface with the number and the name of the old one is another one") {
  Host host;
  host.destroy();
  host.create("em0");
  CHECK(host.look() == Lines{"3 gone", "3 em0 down #2"});
  host.destroy();
  CHECK(host.look() == Lines{"3 gone"});
  host.create("tap0");
  CHECK(host.look() == Lines{"3 tap0 down #3"});
}

TEST_CASE("an interface that comes and goes unseen is not told") {
  Host host;
  host.create("tap0", 9);
  host.destroy(9);
  CHECK(host.look().empty());
}

TEST_CASE("an interface moved to another vnet is gone, and one that comes back is another one") {
  Host host;
  host.add(kOne);
  host.look();
  // A bare interface gives a departure only, one with addresses more; back there is only an
  // arrival.
  auto away = host.interfaces.at(kIndex);
  host.destroy();
  away.link.addresses.clear();
  CHECK(host.look() == Lines{"3 gone"});
  host.interfaces.emplace(kIndex, away);
  host.announce(false, kIndex, "em0");
  CHECK(host.look() == Lines{"3 em0 up #2"});
  // There and back at once.
  host.announce(true, kIndex, "em0");
  host.announce(false, kIndex, "em0");
  CHECK(host.look() == Lines{"3 gone", "3 em0 up #3"});
}

TEST_CASE("the arrival of what is known means that its departure was lost") {
  Host host;
  host.announce(false, kIndex, "em0");
  CHECK(host.look() == Lines{"3 gone", "3 em0 up #2"});
}

TEST_CASE("an interface whose arrival was lost is told by what follows") {
  Host host;
  host.create("tap0", 9);
  host.look();
  host.destroy(9);
  host.look();
  auto tap = host.interfaces.at(kIndex);
  tap.link.index = IfIndex(9);
  tap.link.name = "tap0";
  host.interfaces.emplace(9, tap);
  host.inform(kInterfaceUp, 9);
  CHECK(host.look() == Lines{"9 tap0 up #3"});
}

TEST_CASE("a storm of messages costs one read, however many they are") {
  Host host;
  host.reads = 0;
  for (std::uint32_t index = 10; index < 1010; ++index) {
    host.create("tap" + std::to_string(index), index);
    host.add(kOne, index);
    host.rename("lan" + std::to_string(index), index);
  }
  CHECK(host.look().size() == 1000);
  CHECK(host.reads == 1);
  CHECK(host.look().empty());
  CHECK(host.reads == 1);
}

TEST_CASE("what comes while interfaces are read is told with the rest") {
  Host host;
  host.reads = 0;
  host.while_reading = [&] {
    host.while_reading = nullptr;
    host.destroy();
    host.create("em0");
  };
  host.inform(kInterfaceUp | kInterfaceMulticast);
  CHECK(host.look() == Lines{"3 gone", "3 em0 down #2"});
  CHECK(host.reads == 2);
  CHECK(host.caught_up);
}

TEST_CASE("a storm that does not end is told now and then") {
  Host host;
  host.reads = 0;
  std::uint32_t next = 10;
  host.while_reading = [&] { host.create("tap" + std::to_string(next), next), ++next; };
  host.inform(kInterfaceUp | kInterfaceMulticast);
  CHECK(host.look() == Lines{"10 tap10 down #2", "11 tap11 down #3"});
  CHECK(host.reads == LinkTracker::kMaxReads);
  CHECK_FALSE(host.caught_up);
  host.while_reading = nullptr;
  CHECK(host.look() == Lines{"12 tap12 down #4"});
  CHECK(host.caught_up);
}

TEST_CASE("what could not be read is read the next time") {
  Host host;
  host.fails = true;
  host.rename("lan0");
  CHECK(host.look().empty());
  CHECK_FALSE(host.caught_up);
  host.fails = false;
  CHECK(host.look() == Lines{"3 gone", "3 lan0 up #2"});
}

TEST_CASE("after a loss everything is told, and what may be another interface is one") {
  Host host;
  host.create("same", 4);
  host.create("renamed", 5);
  host.create("reborn", 6);
  host.create("changed", 7);
  host.create("gone", 8);
  host.look();
  host.rename("other", 5);
  host.create("reborn", 6);
  host.interfaces.at(7).last_change += 1;
  host.destroy(8);
  host.create("new", 9);
  host.lose_all();
  CHECK(host.look() == Lines{"all", "3 em0 up #1", "4 same down #2", "5 other down #7",
                             "6 reborn down #8", "7 changed down #9", "9 new down #10"});
  // And it goes on by events.
  host.go_down();
  CHECK(host.look() == Lines{"3 em0 down #1"});
}

TEST_CASE("what is announced beside a loss counts too") {
  Host host;
  host.create("em1", 4);
  host.look();
  host.lose_all();
  host.rename("lan0");
  host.announce(true, 4, "em1");
  CHECK(host.look() == Lines{"3 gone", "4 gone", "all", "3 lan0 up #3"});
  host.announce(false, 4, "em1");
  CHECK(host.look() == Lines{"4 em1 down #4"});
}

TEST_CASE("a malformed message is counted, and everything is learned anew") {
  Host host;
  host.tracker.note_malformed(0);
  CHECK(host.look().empty());
  host.tracker.note_malformed(2);
  CHECK(host.tracker.malformed() == 2);
  CHECK(host.look() == Lines{"all", "3 em0 up #1"});
}

TEST_CASE("rechecking tells nothing if nothing differs") {
  Host host;
  host.add(kTwo);
  host.add(kOne);
  host.look();
  host.reads = 0;
  host.interfaces.at(kIndex).last_change += 1;
  host.tracker.recheck();
  CHECK(host.look().empty());
  CHECK(host.reads == 1);
  CHECK(host.look().empty());
  CHECK(host.reads == 1);
}

TEST_CASE("rechecking tells everything if something was not told, and keeps what is the same") {
  Host host;
  host.create("em1", 4);
  host.look();
  host.interfaces.at(4).link.addresses.push_back(kOne);
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "3 em0 up #1", "4 em1 down 10.0.0.1 #2"});
  host.interfaces.erase(4);
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "3 em0 up #1"});
  host.interfaces.at(kIndex).identity = "another";
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "3 em0 up #3"});
  host.interfaces.at(kIndex).link.fib = TableId(1);
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "3 em0 up #3"});
}

TEST_CASE("rechecking while events come tells these, and only what is left as everything") {
  Host host;
  host.create("em1", 4);
  host.look();
  host.tracker.recheck();
  host.go_down();
  host.announce(true, 4, "em1");
  CHECK(host.look() == Lines{"4 gone", "3 em0 down #1"});
  // The arrival of one was lost, then the departure of the other.
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "3 em0 down #1", "4 em1 down #3"});
  host.unlist();
  host.tracker.recheck();
  CHECK(host.look() == Lines{"3 em0 down leaving #1"});
  host.tracker.recheck();
  CHECK(host.look() == Lines{"all", "4 em1 down #3"});
}

TEST_CASE("an interface without a number is none") {
  Host host;
  host.interfaces[0] = FoundInterface{};
  host.tracker.note_loss();
  CHECK(host.look() == Lines{"all", "3 em0 up #1"});
}
