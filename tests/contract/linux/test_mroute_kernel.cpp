// SPDX-License-Identifier: BSD-2-Clause
//
// What only the Linux backend does: taking tables, errors, and what packets make of the calls.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "platform/linux/mroute_kernel.hpp"
#include "platform/linux/table_keeper.hpp"
#include "platform/posix/process.hpp"
#include "tests/contract/linux/rtnetlink_request.hpp"
#include "tests/support/net_namespace.hpp"
#include "tests/support/packet_forge.hpp"
#include "tests/support/raw_mrouter.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/traffic.hpp"

using namespace mcast;
using mcast::platform::UniqueFd;
using mcast::testing::kPatience;
using mcast::testing::MulticastReceiver;
using mcast::testing::MulticastSender;
using mcast::testing::NetNamespace;
using mcast::testing::PacketForge;
using mcast::testing::RawMrouter;

namespace {

constexpr TableKey kTable4{Family::ipv4, TableId(253)};
constexpr TableKey kTable6{Family::ipv6, TableId(254)};

Address address(const char* text) {
  return *Address::parse(text);
}

MfcShape shape(unsigned parent, std::initializer_list<unsigned> outputs) {
  MfcShape made;
  made.parent = slot_number(parent);
  for (const unsigned slot : outputs) made.ttls[slot] = 1;
  return made;
}

class Upcalls final : public platform::UpcallSink {
 public:
  std::vector<Upcall> all;
  void upcall(const Upcall& upcall) override { all.push_back(upcall); }
};

/// A router between the hosts `left` and `right`, its interfaces named after them.
struct Router {
  NetNamespace net;
  NetNamespace left;
  NetNamespace right;
  std::unique_ptr<platform::TableKeeper> keeper = platform::make_table_keeper();
  std::unique_ptr<platform::MrouteKernel> kernel = platform::make_mroute_kernel();

  Router() {
    net.add_veth("left", left, "lan");
    left.add_address("lan", "10.1.0.2/24");
    left.add_address("lan", "fd00:1::2/64");
    plug_right();
  }

  void plug_right() {
    net.add_veth("right", right, "lan");
    right.add_address("lan", "10.2.0.2/24");
    right.add_address("lan", "fd00:2::2/64");
  }

  Result<void> open(TableKey table) {
    return net.run(
        [&]() -> Result<void> { return kernel->adopt_table(TRY(keeper->open_table(table))); });
  }
  Result<void> bind(TableKey table, unsigned slot, const std::string& name) {
    return apply(BindVif{table, slot_number(slot), IfIndex(net.index_of(name)), 1, {}});
  }
  Result<void> apply(const Op& op) {
    return net.run([&] { return kernel->apply(op); });
  }
  std::vector<Upcall> await_upcalls(TableKey table, std::size_t count) {
    Upcalls sink;
    while (sink.all.size() < count) {
      pollfd waiting{kernel->upcall_descriptor(table), POLLIN, 0};
      REQUIRE_MESSAGE(::poll(&waiting, 1, 10'000) == 1, "the kernel asked nothing");
      REQUIRE(kernel->read_upcalls(table, 100, sink));
    }
    return sink.all;
  }
};

struct Case {
  TableKey table;
  const char* source;
  const char* group;
  const char* control_group;
};
const Case kCases[] = {
    {kTable4, "10.1.0.2", "225.1.2.3", "225.7.7.7"},
    {kTable6, "fd00:1::2", "ff0e::4:5", "ff0e::7:7"},
};

/// Opens the table, with `left` in slot 0 and `right` in slot 7, and waits until packets pass: a
/// new interface takes its time to have a carrier and IPv6.
void open_and_connect(Router& router, const Case& c) {
  REQUIRE(router.open(c.table));
  REQUIRE(router.bind(c.table, 0, "left"));
  REQUIRE(router.bind(c.table, 7, "right"));
  const FlowKey flow{address(c.source), address(c.control_group)};
  REQUIRE(router.apply(PutMfc{c.table, flow, shape(0, {7})}));
  MulticastSender sender(router.left, "lan", c.control_group, {.source = c.source});
  MulticastReceiver receiver(router.right, "lan", c.control_group);
  REQUIRE(mcast::testing::expect_flow(sender, receiver));
}

/// Another process that owns a table until the object goes.
class Squatter {
 public:
  Squatter(const NetNamespace& net, TableKey table) {
    int ready[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    UniqueFd in(ready[0]);
    UniqueFd out(ready[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto taken = net.run([&] { return platform::make_table_keeper()->open_table(table); });
      const char byte = taken ? '+' : '-';
      static_cast<void>(!::write(out.get(), &byte, 1));
      for (;;) ::pause();
    }
    char byte = 0;
    REQUIRE(::read(in.get(), &byte, 1) == 1);
    REQUIRE(byte == '+');
  }
  Squatter(const Squatter&) = delete;
  Squatter& operator=(const Squatter&) = delete;
  ~Squatter() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] std::string pid() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("a table that another program owns is refused, naming table and program") {
  const NetNamespace net;
  for (const TableKey table : {kTable4, kTable6}) {
    const Squatter squatter(net, table);
    const auto refused = net.run([&] { return platform::make_table_keeper()->open_table(table); });
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::table_in_use);
    const std::string& text = refused.error().message;
    INFO(text);
    CHECK(text.find("table " + std::to_string(table.id.value)) != std::string::npos);
    CHECK(text.find("(pid " + squatter.pid() + ")") != std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
  }
}

TEST_CASE("a table is free again when its owner is gone, and starts empty") {
  for (const auto& c : kCases) {
    Router router;
    REQUIRE(router.open(c.table));
    REQUIRE(router.bind(c.table, 3, "left"));
    REQUIRE(router.apply(PutMfc{c.table, {address(c.source), address(c.group)}, shape(3, {})}));
    CHECK(router.open(c.table).error().code == ErrorCode::table_in_use);
    router.kernel->close_table(c.table);
    CHECK(router.kernel->upcall_descriptor(c.table) == -1);
    REQUIRE(router.open(c.table));
    CHECK(router.kernel->slot_is_bound(c.table, VifIndex(3)) == false);
    CHECK(router.kernel->counters(c.table, {address(c.source), address(c.group)}).error().code ==
          ErrorCode::not_found);
  }
}

TEST_CASE("tables other than the default are independent; impossible ids are refused") {
  Router router;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    REQUIRE(router.open({family, TableId(10)}));
    REQUIRE(router.open({family, TableId(99'999'999)}));
    REQUIRE(router.bind({family, TableId(10)}, 0, "left"));
    REQUIRE(router.bind({family, TableId(99'999'999)}, 0, "right"));
    CHECK(router.open({family, TableId(0)}).error().code == ErrorCode::invalid_argument);
    CHECK(router.open({family, TableId(4'000'000'000)}).error().code ==
          ErrorCode::invalid_argument);
  }
  CHECK(router.open({Family::ipv6, TableId(100'000'000)}).error().code ==
        ErrorCode::invalid_argument);
}

TEST_CASE("errors say what the matter is") {
  for (const auto& c : kCases) {
    Router router;
    CHECK(router.bind(c.table, 0, "left").error().code == ErrorCode::internal);
    REQUIRE(router.open(c.table));
    const auto absent = router.apply(BindVif{c.table, VifIndex(0), IfIndex(4321), 1, {}});
    CHECK(absent.error().code == ErrorCode::no_such_interface);
    CHECK(absent.error().message.find("interface 4321") != std::string::npos);
    CHECK(router.bind(c.table, 32, "left").error().code == ErrorCode::no_slots);
    REQUIRE(router.bind(c.table, 1, "left"));
    const auto taken = router.bind(c.table, 1, "right");
    CHECK(taken.error().code == ErrorCode::already_exists);
    CHECK(taken.error().message.find("slot 1 for right") != std::string::npos);
  }
}

TEST_CASE("an interface whose index IPv6 cannot hold is refused before the kernel mistakes it") {
  Router router;
  REQUIRE(router.open(kTable4));
  REQUIRE(router.open(kTable6));
  // 65536 + the index of `left`: cut to 16 bits it is that interface.
  const unsigned index = 65536 + router.net.index_of("left");
  mcast::testing::add_bridge_with_index(router.net, "far", index);
  const auto before = router.kernel->change_count();
  const auto refused = router.bind(kTable6, 0, "far");
  CHECK(refused.error().code == ErrorCode::limit_reached);
  CHECK(refused.error().message.find("far") != std::string::npos);
  CHECK(router.kernel->change_count() == before);
  CHECK(router.kernel->slot_is_bound(kTable6, VifIndex(0)) == false);
  CHECK(router.bind(kTable4, 0, "far"));
}

TEST_CASE("packets follow an entry, its counters count them, and what is unknown is asked for") {
  for (const auto& c : kCases) {
    Router router;
    open_and_connect(router, c);
    MulticastSender sender(router.left, "lan", c.group, {.source = c.source});
    MulticastReceiver receiver(router.right, "lan", c.group);
    const FlowKey flow{address(c.source), address(c.group)};

    const auto first = sender.send();
    const auto asked = router.await_upcalls(c.table, 1);
    CHECK(asked.front().kind == Upcall::Kind::no_cache);
    CHECK(asked.front().table == c.table);
    CHECK(asked.front().flow == flow);
    CHECK(asked.front().arrived_on == VifIndex(0));

    REQUIRE(router.apply(PutMfc{c.table, flow, shape(0, {7})}));
    const auto second = sender.send();
    CHECK(receiver.await(sender, first, kPatience));
    CHECK(receiver.await(sender, second, kPatience));
    CHECK(router.kernel->counters(c.table, flow)->packets == 2);
    CHECK(router.kernel->counters(c.table, flow)->wrong_interface == 0);

    // The entry expects it from the right: the kernel reports the wrong interface.
    REQUIRE(router.apply(PutMfc{c.table, flow, shape(7, {})}));
    sender.send();
    const auto wrong = router.await_upcalls(c.table, 1);
    CHECK(wrong.front().kind == Upcall::Kind::wrong_vif);
    CHECK(wrong.front().flow == flow);
    CHECK(wrong.front().arrived_on == VifIndex(0));
    CHECK(router.kernel->counters(c.table, flow)->wrong_interface == 1);
  }
}

TEST_CASE("one call reads no more upcalls than asked for, and none is none") {
  for (const auto& c : kCases) {
    Router router;
    open_and_connect(router, c);
    Upcalls sink;
    CHECK(router.kernel->read_upcalls(c.table, 10, sink) == 0U);
    const auto group = [&](int i) { return std::string(c.group) + std::to_string(i); };
    for (int i = 0; i < 5; ++i) {
      MulticastSender(router.left, "lan", group(i), {.source = c.source}).send();
    }
    while (sink.all.size() < 5) {
      pollfd waiting{router.kernel->upcall_descriptor(c.table), POLLIN, 0};
      REQUIRE(::poll(&waiting, 1, 10'000) == 1);
      const auto before = sink.all.size();
      const auto read = router.kernel->read_upcalls(c.table, 2, sink);
      REQUIRE(read);
      CHECK(*read <= 2);
      CHECK(sink.all.size() - before == *read);
    }
    CHECK(router.kernel->read_upcalls(c.table, 10, sink) == 0U);
  }
}

TEST_CASE("IGMP that hosts send is not taken for upcalls") {
  Router router;
  open_and_connect(router, kCases[0]);
  const MulticastReceiver joins(router.left, "lan", "225.9.9.9");
  // Something that comes after the reports, and is an upcall.
  MulticastSender(router.left, "lan", "225.1.2.3").send();
  const auto all = router.await_upcalls(kTable4, 1);
  CHECK(all.size() == 1);
  CHECK(all.front().flow.group == address("225.1.2.3"));
}

TEST_CASE("packets from :: and from mapped addresses are dropped at once and hold up nobody") {
  Router router;
  open_and_connect(router, kCases[1]);
  PacketForge forge(router.left, "lan");
  for (const std::string& group : mcast::testing::count_up("ff0e::9:1", 20)) {
    for (const char* const source : {"::", "::ffff:10.1.0.2"}) {
      forge.send(forge.make({source, group}));
    }
  }
  // Something that comes after them, and is an upcall.
  forge.send(forge.make({"fd00:1::2", "ff0e::4:5"}));
  const auto all = router.await_upcalls(kTable6, 1);
  CHECK(all.size() == 1);
  CHECK(all.front().flow == FlowKey{address("fd00:1::2"), address("ff0e::4:5")});
  // A line of headings, the entry of the connection, the flow that is asked about.
  CHECK(std::ranges::count(router.net.read_proc_net("ip6_mr_cache"), '\n') == 3);
  CHECK(router.kernel->upcall_counts(kTable6)->lost == 0);
}

TEST_CASE("upcalls that find no room are counted as lost, and asked again") {
  for (const auto& c : kCases) {
    Router router;
    open_and_connect(router, c);
    const auto before = *router.kernel->upcall_counts(c.table);
    CHECK(before.lost == 0);
    const int tiny = 1;  // the kernel's least
    REQUIRE(::setsockopt(router.kernel->upcall_descriptor(c.table), SOL_SOCKET, SO_RCVBUF, &tiny,
                         sizeof tiny) == 0);
    PacketForge forge(router.left, "lan");
    const auto send_all = [&] {
      for (const std::string& source : mcast::testing::count_up(c.source, 50)) {
        forge.send(forge.make({source, c.group}));
      }
    };
    send_all();
    Upcalls sink;
    const auto total = [&] {
      REQUIRE(router.kernel->read_upcalls(c.table, 100, sink));
      const auto counts = *router.kernel->upcall_counts(c.table);
      return counts.read - before.read + counts.lost;
    };
    // Packets may be on the way still; each read makes room for those that come later.
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (total() < 50 && std::chrono::steady_clock::now() < deadline) {
      pollfd waiting{router.kernel->upcall_descriptor(c.table), POLLIN, 0};
      ::poll(&waiting, 1, 10);
    }
    CHECK(total() == 50);
    const auto counts = *router.kernel->upcall_counts(c.table);
    CHECK(counts.lost > 0);
    CHECK(counts.read - before.read == sink.all.size());
    const std::size_t known = sink.all.size();
    send_all();
    total();
    CHECK(sink.all.size() > known);
  }
}

TEST_CASE("reports of wrong interfaces are on whatever the table's last owner left") {
  for (const auto& c : kCases) {
    Router router;
    {
      const RawMrouter last(router.net, c.table.family == Family::ipv4 ? AF_INET : AF_INET6);
      last.report_wrong_interfaces(false);
    }
    open_and_connect(router, c);
    const FlowKey flow{address(c.source), address(c.group)};
    REQUIRE(router.apply(PutMfc{c.table, flow, shape(7, {})}));
    MulticastSender(router.left, "lan", c.group, {.source = c.source}).send();
    const auto wrong = router.await_upcalls(c.table, 1);
    CHECK(wrong.front().kind == Upcall::Kind::wrong_vif);
  }
}

TEST_CASE("removing what the kernel removed already succeeds, and a slot revives its entries") {
  for (const auto& c : kCases) {
    Router router;
    open_and_connect(router, c);
    const FlowKey flow{address(c.source), address(c.group)};
    REQUIRE(router.apply(PutMfc{c.table, flow, shape(0, {7})}));
    CHECK(router.kernel->slot_is_bound(c.table, VifIndex(7)) == true);
    router.net.remove_link("right");
    CHECK(router.kernel->slot_is_bound(c.table, VifIndex(7)) == false);
    CHECK(router.apply(UnbindVif{c.table, VifIndex(7)}));

    router.plug_right();
    MulticastReceiver receiver(router.right, "lan", c.group);
    REQUIRE(router.bind(c.table, 7, "right"));
    MulticastSender sender(router.left, "lan", c.group, {.source = c.source});
    CHECK(mcast::testing::expect_flow(sender, receiver));

    CHECK(router.apply(DropMfc{c.table, flow, VifIndex(0)}));
    CHECK(router.apply(DropMfc{c.table, flow, VifIndex(0)}));
  }
}

TEST_CASE("every change is counted, successful or not, and questions are not") {
  Router router;
  REQUIRE(router.open(kTable4));
  CHECK(router.kernel->change_count() == 0);
  REQUIRE(router.bind(kTable4, 0, "left"));
  CHECK_FALSE(router.bind(kTable4, 0, "right"));
  REQUIRE(router.kernel->slot_is_bound(kTable4, VifIndex(0)));
  REQUIRE(router.apply(
      JoinGroup{IfIndex(router.net.index_of("left")), std::nullopt, address("225.1.1.1")}));
  CHECK(router.kernel->change_count() == 3);
}

TEST_CASE("without any other privilege, tables can still be opened and used") {
  if (::geteuid() != 0) MCAST_SKIP("becoming another user needs root");
  Router router;
  REQUIRE(router.open(kTable4));
  const auto nobody = platform::find_account("nobody");
  REQUIRE(nobody);
  const BindVif bind{kTable4, VifIndex(0), IfIndex(router.net.index_of("left")), 1, {}};
  const pid_t child = ::fork();
  if (child == 0) {
    [&]() noexcept {
      router.net.run([&] {
        if (!platform::drop_privileges(*nobody)) ::_exit(77);
        if (!router.keeper->open_table({Family::ipv4, TableId(10)})) ::_exit(1);
        if (!router.keeper->open_table(kTable6)) ::_exit(2);
        if (!router.kernel->apply(bind)) ::_exit(3);
        // Anything else is out of reach.
        if (::chroot("/") == 0) ::_exit(4);
        ::_exit(0);
      });
    }();
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) MCAST_SKIP("this user namespace has no other user");
  CHECK(WEXITSTATUS(status) == 0);
}
