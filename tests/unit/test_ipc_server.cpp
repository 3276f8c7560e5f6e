// SPDX-License-Identifier: BSD-2-Clause
#include <sys/stat.h>

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/unit/ipc_running_server.hpp"

using namespace mcast;
using namespace mcast::ipc;
using namespace mcast::testing;
using Json = nlohmann::json;

namespace {

bool answers(RawClient& client) {
  if (!client.call(kFlush)) return false;
  const auto reply = client.receive();
  return reply && Json::parse(*reply).contains("parameters") &&
         !Json::parse(*reply).contains("error");
}

bool answers_newcomer(RunningServer& server) {
  RawClient client(server.dir.socket());
  return answers(client);
}

std::string error_code(const std::optional<std::string>& reply) {
  return reply ? Json::parse(*reply)["parameters"].value("code", "") : "closed";
}

Result<std::unique_ptr<Server>> listen_at(asio::io_context& loop, StubHandler& stub,
                                          const std::string& path) {
  ServerOptions options;
  options.path = path;
  return Server::listen(loop, stub, options);
}

}  // namespace

TEST_CASE("the socket is the owner's alone and goes with the server") {
  RunningServer server;
  struct stat status{};
  REQUIRE(::stat(server.dir.socket().c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 0777U) == 0600U);
  CHECK(answers_newcomer(server));
  RawClient client(server.dir.socket());
  REQUIRE(answers(client));
  server.stop();
  CHECK(client.closed_by_server());
  CHECK_FALSE(std::filesystem::exists(server.dir.socket()));
}

TEST_CASE("a live daemon's socket is left alone, a dead one's is replaced") {
  RunningServer server;
  StubHandler stub;
  asio::io_context loop;
  const auto second = listen_at(loop, stub, server.dir.socket());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::already_exists);
  CHECK(second.error().message.find("already running") != std::string::npos);
  CHECK(answers_newcomer(server));

  const SocketDir dir;
  {
    // What a daemon leaves that was killed: a bound socket file with nobody behind it.
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    dir.socket().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  CHECK(listen_at(loop, stub, dir.socket()));
}

TEST_CASE("what is neither a socket nor empty is never removed") {
  const SocketDir dir;
  StubHandler stub;
  asio::io_context loop;
  std::filesystem::create_directory(dir.socket());
  const auto refused = listen_at(loop, stub, dir.socket());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find(dir.socket()) != std::string::npos);
  CHECK(std::filesystem::is_directory(dir.socket()));
  CHECK_FALSE(listen_at(loop, stub, ""));
  CHECK_FALSE(listen_at(loop, stub, "/" + std::string(200, 'x')));
  CHECK_FALSE(listen_at(loop, stub, dir.socket() + "/missing/s"));
}

TEST_CASE("an empty file in the place of the socket is taken for a placeholder") {
  const SocketDir dir;
  StubHandler stub;
  asio::io_context loop;
  std::ofstream(dir.socket()) << "text";
  CHECK_FALSE(listen_at(loop, stub, dir.socket()));
  CHECK(std::filesystem::file_size(dir.socket()) == 4);
  std::ofstream(dir.socket(), std::ios::trunc).close();
  CHECK(listen_at(loop, stub, dir.socket()));
  CHECK_FALSE(std::filesystem::exists(dir.socket()));
}

TEST_CASE("the socket of a successor survives the end of the one before") {
  const SocketDir dir;
  StubHandler stub;
  asio::io_context loop;
  auto first = listen_at(loop, stub, dir.socket());
  REQUIRE(first);
  std::filesystem::remove(dir.socket());
  const auto second = listen_at(loop, stub, dir.socket());
  REQUIRE(second);
  first->reset();
  CHECK(std::filesystem::exists(dir.socket()));
}

TEST_CASE("silent and unfinished clients delay nobody") {
  RunningServer server;
  const RawClient silent(server.dir.socket());
  const RawClient halfway(server.dir.socket());
  halfway.send(R"({"method":)");
  CHECK(answers_newcomer(server));
}

TEST_CASE("a request in single bytes is understood, and several at once are answered in order") {
  RunningServer server;
  RawClient client(server.dir.socket());
  for (const char byte : std::string(kFlush) + '\0') client.send({&byte, 1});
  CHECK(client.receive());
  std::string burst;
  for (int i = 0; i < 5000; ++i) burst += std::string(kFlush) + '\0';
  burst += std::string(R"({"method":"net.mcastd.control.Frob"})") + '\0';
  std::thread sender([&] { client.send(burst); });
  for (int i = 0; i < 5000; ++i) {
    const auto reply = client.receive();
    REQUIRE(reply);
    REQUIRE_FALSE(Json::parse(*reply).contains("error"));
  }
  CHECK(Json::parse(*client.receive())["error"] == "org.varlink.service.MethodNotFound");
  sender.join();
  CHECK(server.with_stub([](const StubHandler& stub) { return stub.calls.size(); }) == 5001);
}

TEST_CASE("a malformed request is answered, ends its connection and nothing else") {
  RunningServer server;
  RawClient client(server.dir.socket());
  client.call("\xff\xfe nonsense");
  CHECK(error_code(client.receive()) == "usage");
  CHECK(client.closed_by_server());
  CHECK(answers_newcomer(server));
}

TEST_CASE("an oversized request is refused while it is being sent") {
  RunningServer server({.request_bytes = 100'000});
  RawClient client(server.dir.socket());
  client.send(std::string(50'000'000, ' '));
  CHECK(error_code(client.receive()) == "limit_reached");
  CHECK(client.closed_by_server());
  CHECK(answers_newcomer(server));
}

TEST_CASE("what all clients have not finished sending is bounded together") {
  RunningServer server({.request_bytes = 100'000, .total_bytes = 250'000});
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.dir.socket());
    clients.back().send(std::string(90'000, ' '));
  }
  // Two clients are all there are before the third is accepted, too: so the refusal comes first.
  std::array<pollfd, 3> any{};
  for (std::size_t i = 0; i < any.size(); ++i) any[i] = {clients[i].fd(), POLLIN, 0};
  REQUIRE(::poll(any.data(), any.size(), 30'000) == 1);
  CHECK(server.eventually([](RunningServer& s) { return s.clients_in_loop() == 2; }));
  std::size_t refused = 0;
  for (auto& client : clients) {
    pollfd ready{client.fd(), POLLIN, 0};
    if (::poll(&ready, 1, 0) == 1) {
      CHECK(error_code(client.receive()) == "limit_reached");
      ++refused;
    }
  }
  CHECK(refused == 1);
  CHECK(answers_newcomer(server));
}

TEST_CASE("a client that ends its input still gets its answer") {
  RunningServer server;
  RawClient client(server.dir.socket());
  client.call(kFlush);
  client.end_of_input();
  CHECK(client.receive());
  CHECK(client.closed_by_server());
}

TEST_CASE("a client that leaves in the middle of a request or a reply is forgotten") {
  RunningServer server;
  server.with_stub([](StubHandler& stub) { stub.many = 1'000'000; });
  {
    const RawClient request(server.dir.socket());
    request.send(R"({"method":)");
    RawClient reply(server.dir.socket());
    reply.call(kShowExact);
    REQUIRE(reply.receive());
  }
  CHECK(server.eventually([](RunningServer& s) { return s.clients_in_loop() == 0; }));
  CHECK(answers_newcomer(server));
}

TEST_CASE("a huge list is made only as fast as it is read") {
  RunningServer server;
  constexpr std::size_t kMany = 100'000;
  server.with_stub([](StubHandler& stub) { stub.many = kMany; });
  RawClient slow(server.dir.socket());
  slow.call(kShowExact);
  REQUIRE(slow.receive());
  // Others are served meanwhile, and the list stands still once the socket's buffers are full.
  for (int i = 0; i < 100; ++i) REQUIRE(answers_newcomer(server));
  CHECK(server.with_stub([](const StubHandler& stub) { return stub.rows_made; }) < kMany / 2);
  std::size_t rows = 128;
  for (bool more = true; more;) {
    const auto reply = slow.receive();
    REQUIRE(reply);
    const Json message = Json::parse(*reply);
    rows += message["parameters"]["routes"].size();
    more = message.value("continues", false);
  }
  CHECK(rows == kMany);
  CHECK(server.with_stub([](const StubHandler& stub) { return stub.largest_page; }) == 128);
}

TEST_CASE("a client that makes no progress is dropped, a silent one is not") {
  RunningServer server({.stalled = std::chrono::milliseconds(50)});
  server.with_stub([](StubHandler& stub) { stub.many = 1'000'000; });
  RawClient silent(server.dir.socket());
  RawClient reader(server.dir.socket());
  reader.call(kShowExact);
  const RawClient writer(server.dir.socket());
  writer.send("{");
  CHECK(server.eventually([](RunningServer& s) { return s.stub_in_loop().notes.size() == 2; }));
  CHECK(answers(silent));
  CHECK(server.client_count() == 1);
}

TEST_CASE("a thousand clients at once are served") {
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  REQUIRE(files.rlim_cur >= 2500);
  RunningServer server;
  std::vector<RawClient> clients;
  for (int i = 0; i < 1000; ++i) clients.emplace_back(server.dir.socket());
  for (const auto& client : clients) REQUIRE(client.call(kFlush));
  for (auto& client : clients) REQUIRE(client.receive());
  CHECK(server.client_count() == 1000);
}

TEST_CASE("clients beyond the limit are refused with a reason and hurt nobody") {
  RunningServer server({.clients = 5});
  std::vector<RawClient> clients;
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(server.dir.socket());
    REQUIRE(answers(clients.back()));
  }
  RawClient surplus(server.dir.socket());
  CHECK(error_code(surplus.receive()) == "limit_reached");
  CHECK(surplus.closed_by_server());
  for (auto& client : clients) CHECK(answers(client));
  clients.pop_back();
  CHECK(server.eventually([](RunningServer& s) { return s.clients_in_loop() == 4; }));
  CHECK(answers_newcomer(server));
}

TEST_CASE("when the server is full a newcomer replaces the client silent for longest") {
  RunningServer server({.clients = 3, .idle = std::chrono::milliseconds(0)});
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.dir.socket());
    REQUIRE(answers(clients.back()));
  }
  REQUIRE(answers(clients[0]));
  RawClient newcomer(server.dir.socket());
  CHECK(answers(newcomer));
  CHECK(clients[1].closed_by_server());
  CHECK(answers(clients[0]));
  CHECK(answers(clients[2]));
}

TEST_CASE("running out of descriptors only lets newcomers wait") {
  RunningServer server;
  RawClient connected(server.dir.socket());
  REQUIRE(answers(connected));
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  std::vector<RawClient> waiting;
  waiting.reserve(4);
  // No descriptor above those in use is left, so that the server cannot accept.
  std::vector<Fd> fillers;
  rlimit tight = files;
  for (int i = 0; i < 3; ++i) fillers.emplace_back(::socket(AF_UNIX, SOCK_STREAM, 0));
  tight.rlim_cur = static_cast<rlim_t>(fillers.back().get()) + 1;
  const int spare = fillers[1].get();
  fillers[1].reset();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  RawClient newcomer(server.dir.socket());
  const bool took_the_spare = newcomer.fd() == spare;
  CHECK(took_the_spare);
  newcomer.call(kFlush);
  CHECK(server.eventually([](RunningServer& s) { return !s.stub_in_loop().notes.empty(); }));
  CHECK(answers(connected));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(newcomer.receive());
}
