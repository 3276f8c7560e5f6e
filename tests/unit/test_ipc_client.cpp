// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/mcastctl_show.hpp"
#include "ipc/client.hpp"
#include "tests/unit/ipc_running_server.hpp"

using namespace mcast;
using namespace mcast::ipc;
using namespace mcast::testing;

namespace {

Client connect(const std::string& path,
               std::chrono::milliseconds timeout = std::chrono::milliseconds(kPatienceMs)) {
  auto client = Client::connect({.path = path, .timeout = timeout, .on_wait = {}});
  if (!client) FAIL(client.error().message);
  return std::move(*client);
}

std::string shown(RunningServer& server, cli::List list, bool json, cli::TextStyle style = {}) {
  Client client = connect(server.dir.socket());
  std::string text;
  const auto outcome = cli::show(client, {.list = list, .json = json, .style = style},
                                 [&](std::string_view piece) { text += piece; });
  CHECK(outcome);
  return text;
}

}  // namespace

TEST_CASE("the client tells apart why nobody answers") {
  const SocketDir dir;
  const auto missing = Client::connect({.path = dir.socket(), .on_wait = {}});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::connection);
  CHECK(missing.error().message.find(dir.socket()) != std::string::npos);
  const auto endless = Client::connect({.path = std::string(300, 'x'), .on_wait = {}});
  REQUIRE_FALSE(endless);
  CHECK(endless.error().code == ErrorCode::usage);
}

TEST_CASE("commands and their failures come through") {
  RunningServer server;
  Client client = connect(server.dir.socket());
  CHECK(client.apply({{Verb::add, {"eth0", "225.1.1.1", "eth1"}}}));
  CHECK(client.reload());
  CHECK(client.flush());
  CHECK(client.flush(DomainWords{DomainWords::Kind::table, "video"}));
  CHECK(server.with_stub([](const StubHandler& stub) { return stub.calls; }) ==
        std::vector<std::string>{"apply", "reload", "flush", "flush of table video"});
  server.with_stub([](StubHandler& stub) {
    stub.failure = Failure{{ErrorCode::config, "2 errors"}, {"a.conf:1:1: x", "a.conf:2:1: y"}, {}};
  });
  const auto failed = client.reload();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().error.code == ErrorCode::config);
  CHECK(failed.error().details.size() == 2);
}

TEST_CASE("a batch of a hundred thousand changes is one request") {
  RunningServer server;
  std::vector<Command> commands;
  for (std::size_t i = 0; i < 100'000; ++i) {
    commands.push_back(
        {Verb::add, {"eth0", "10.0.0.9", StubHandler::numbered_route(i).group, "eth1", "eth2"}});
  }
  CHECK(connect(server.dir.socket()).apply(commands));
  CHECK(server.with_stub([](const StubHandler& stub) { return stub.calls.size(); }) == 1);
  CHECK(server.with_stub([&](const StubHandler& stub) { return stub.applied == commands; }));
}

TEST_CASE("a request beyond the limit fails with the server's reason") {
  RunningServer server({.request_bytes = 100'000});
  const std::vector<Command> commands(10'000, {Verb::add, {"eth0", "225.1.1.1", "eth1"}});
  const auto refused = connect(server.dir.socket()).apply(commands);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().error.code == ErrorCode::limit_reached);
}

TEST_CASE("kill returns when the daemon has gone") {
  RunningServer server;
  Client client = connect(server.dir.socket());
  std::thread daemon([&] {
    CHECK(server.eventually([](RunningServer& s) { return s.stub_in_loop().calls.size() == 1; }));
    server.stop();
  });
  CHECK(client.kill());
  daemon.join();
  CHECK_FALSE(std::filesystem::exists(server.dir.socket()));
}

TEST_CASE("a daemon that ends or hangs in the middle of a call is a clear failure") {
  const SocketDir dir;
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  dir.socket().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 5) == 0);

  bool told = false;
  auto hanging = Client::connect({.path = dir.socket(),
                                  .timeout = std::chrono::milliseconds(60),
                                  .on_wait = [&] { told = true; },
                                  .patience = std::chrono::milliseconds(20)});
  REQUIRE(hanging);
  const auto silent = hanging->flush();
  REQUIRE_FALSE(silent);
  CHECK(silent.error().error.code == ErrorCode::connection);
  CHECK(silent.error().error.message.find("does not answer") != std::string::npos);
  CHECK(told);

  const Fd first(::accept(listener.get(), nullptr, nullptr));
  Client client = connect(dir.socket());
  std::thread dying([&] {
    const Fd second(::accept(listener.get(), nullptr, nullptr));
    char byte = 0;
    CHECK(::recv(second.get(), &byte, 1, 0) == 1);
  });
  const auto dead = client.flush();
  dying.join();
  REQUIRE_FALSE(dead);
  CHECK(dead.error().error.code == ErrorCode::connection);
}

TEST_CASE("show writes whole tables and leaves out empty ones") {
  RunningServer server;
  CHECK(shown(server, cli::List::routes, false).empty());
  CHECK(shown(server, cli::List::groups, false).empty());
  CHECK(shown(server, cli::List::pending, false) == "No pending routes or groups\n");
  server.with_stub([](StubHandler& stub) {
    stub.interfaces = {{IfIndex(3), "eth12", 0, 0, "up"}};
    RouteRow waiting = StubHandler::numbered_route(2);
    waiting.state = RouteState::waiting;
    stub.routes = {StubHandler::numbered_route(1), waiting};
    stub.groups = {{std::nullopt, "225.1.2.3", "eth12"}};
  });
  const std::string line = "(10.0.0.9, 239.0.0.1)                      eth0   eth1 eth2\n";
  CHECK(shown(server, cli::List::routes, false, {.headings = false}) == line + line + line);
  const std::string text = shown(server, cli::List::routes, false);
  std::size_t from = 0;
  for (const auto* part : {"(*,G) Template Rules\n", "\n(10.0", "(S,G) Rules\n", "\n(10.0",
                           "Kernel MFC Table\n", "\n(10.0"}) {
    CAPTURE(part);
    from = text.find(part, from);
    REQUIRE(from != std::string::npos);
  }
  const std::string groups = shown(server, cli::List::groups, false, {.detail = true});
  CHECK(groups.find("Kernel Group Membership Table\n(*, 225.1.2.3)") != std::string::npos);
  CHECK(shown(server, cli::List::groups, false).find("Kernel") == std::string::npos);
}

TEST_CASE("show interfaces says how full the tables are, in detail and in JSON") {
  RunningServer server;
  server.with_stub([](StubHandler& stub) {
    stub.tables = {{Family::ipv4, 253, 32, 3, 10, 4, 2, 9, 1, ""},
                   {Family::ipv6, 254, 32, 0, 0, 0, 0, 0, 0, "the kernel lacks it"}};
  });
  CHECK(shown(server, cli::List::interfaces, false, {.headings = false}).empty());
  CHECK(shown(server, cli::List::interfaces, false, {.headings = false, .detail = true}) ==
        "IPv4 table 253: 3 of 32 slots, 10 routes, of these 4 learned and 2 stop filters; "
        "9 upcalls, 1 lost\n"
        "IPv6 table 254: not in use: the kernel lacks it\n");
  const auto json = nlohmann::json::parse(shown(server, cli::List::interfaces, true));
  CHECK(json["tables"][0]["slots_used"] == 3);
  CHECK(json["tables"][0]["upcalls"] == 9);
  CHECK(json["tables"][0]["upcalls_lost"] == 1);
  CHECK(json["tables"][1]["why_not"] == "the kernel lacks it");
}

TEST_CASE("JSON is one valid document, empty or huge") {
  RunningServer server;
  CHECK(shown(server, cli::List::interfaces, true) == "{\"interfaces\":[],\"tables\":[]}\n");
  CHECK(shown(server, cli::List::groups, true) == "{\"groups\":{\"conf\":[],\"kernel\":[]}}\n");
  CHECK(shown(server, cli::List::routes, true) ==
        "{\"routes\":{\"asm\":[],\"ssm\":[],\"kernel\":[]}}\n");
  CHECK(shown(server, cli::List::pending, true) == "{\"pending\":[]}\n");
  server.with_stub([](StubHandler& stub) { stub.many = 20'000; });
  const auto all = nlohmann::json::parse(shown(server, cli::List::routes, true));
  CHECK(all["routes"]["ssm"].size() == 20'000);
  CHECK(server.with_stub([](const StubHandler& stub) { return stub.calls.back(); }) ==
        "routes 2 true");
}
