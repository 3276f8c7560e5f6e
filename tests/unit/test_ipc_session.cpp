// SPDX-License-Identifier: BSD-2-Clause
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "ipc/session.hpp"
#include "tests/unit/ipc_stub.hpp"

using namespace mcast;
using namespace mcast::ipc;
using mcast::testing::StubHandler;
using Json = nlohmann::json;

namespace {

struct Talk {
  StubHandler daemon;
  Session session{daemon, 3};

  /// All replies to one call.
  std::vector<Json> ask(std::string_view message) {
    session.call(message);
    std::vector<Json> replies;
    while (auto reply = session.next_reply()) {
      REQUIRE(reply->back() == '\0');
      reply->pop_back();
      REQUIRE(reply->find('\0') == std::string::npos);
      replies.push_back(Json::parse(*reply));
    }
    return replies;
  }
  Json ask_once(std::string_view message) {
    auto replies = ask(message);
    REQUIRE(replies.size() == 1);
    return replies.front();
  }
  std::string error(std::string_view message) {
    return ask_once(message).value("error", std::string("none"));
  }
};

const std::string kInvalid = "org.varlink.service.InvalidParameter";
const std::string kFailed = "net.mcastd.control.Failed";

}  // namespace

TEST_CASE("the service describes itself as Varlink asks") {
  Talk talk;
  const Json info = talk.ask_once(R"({"method":"org.varlink.service.GetInfo"})")["parameters"];
  CHECK(info["product"] == "mcastd");
  CHECK(info["version"] == MCASTD_VERSION);
  CHECK(info["interfaces"] == Json{"org.varlink.service", "net.mcastd.control"});
  for (const std::string interface : {"net.mcastd.control", "org.varlink.service"}) {
    const Json reply = talk.ask_once(Json{
        {"method", "org.varlink.service.GetInterfaceDescription"},
        {"parameters",
         {{"interface", interface}}}}.dump());
    const auto text = reply["parameters"]["description"].get<std::string>();
    CHECK(text.find("interface " + interface + "\n") != std::string::npos);
    CHECK(text.find('@') == std::string::npos);
  }
  CHECK(talk.error(R"({"method":"org.varlink.service.GetInterfaceDescription",)"
                   R"("parameters":{"interface":"a.b"}})") ==
        "org.varlink.service.InterfaceNotFound");
}

TEST_CASE("every method of the description is answered and no other") {
  Talk talk;
  const std::string text(control_description());
  std::size_t methods = 0;
  for (auto at = text.find("\nmethod "); at != std::string::npos;
       at = text.find("\nmethod ", at + 1)) {
    const auto begin = at + 8;
    const std::string name = text.substr(begin, text.find('(', begin) - begin);
    ++methods;
    CAPTURE(name);
    talk.session.call(Json{{"method", "net.mcastd.control." + name}}.dump());
    const auto reply = talk.session.next_reply();
    REQUIRE(reply);
    CHECK(reply->find("MethodNotFound") == std::string::npos);
    talk.session.call("{}");
    while (talk.session.next_reply()) {
    }
  }
  CHECK(methods == 9);
  CHECK(talk.error(R"({"method":"net.mcastd.control.Frob"})") ==
        "org.varlink.service.MethodNotFound");
  CHECK(talk.error(R"({"method":"net.mcastd.controlled.Kill"})") ==
        "org.varlink.service.InterfaceNotFound");
  CHECK(talk.error(R"({"method":"Kill"})") == "org.varlink.service.InterfaceNotFound");
  CHECK(talk.error(R"({"method":""})") == "org.varlink.service.InterfaceNotFound");
}

TEST_CASE("changes reach the daemon as one transaction") {
  Talk talk;
  talk.daemon.remarks = {"224.0.0.5 is never forwarded"};
  const Json reply =
      talk.ask_once(R"({"method":"net.mcastd.control.Apply","parameters":{"commands":[)"
                    R"({"verb":"add","words":["eth0","10.0.0.9","225.1.2.3","eth1"]},)"
                    R"({"verb":"leave","words":["eth0","225.1.2.4"]}]}})");
  CHECK(reply["parameters"]["remarks"] == Json{"224.0.0.5 is never forwarded"});
  CHECK(talk.daemon.calls == std::vector<std::string>{"apply"});
  REQUIRE(talk.daemon.applied.size() == 2);
  CHECK(talk.daemon.applied[0] == Command{Verb::add, {"eth0", "10.0.0.9", "225.1.2.3", "eth1"}});
  CHECK(talk.daemon.applied[1] == Command{Verb::leave, {"eth0", "225.1.2.4"}});
}

TEST_CASE("a failure is told with its code, details and place") {
  Talk talk;
  talk.daemon.failure = Failure{{ErrorCode::no_slots, "too many interfaces"}, {"a", "b"}, 7};
  const Json reply =
      talk.ask_once(R"({"method":"net.mcastd.control.Apply","parameters":{"commands":[)"
                    R"({"verb":"join","words":[]}]}})");
  CHECK(reply["error"] == kFailed);
  CHECK(reply["parameters"] == Json{{"code", "no_slots"},
                                    {"message", "too many interfaces"},
                                    {"details", {"a", "b"}},
                                    {"command", 7}});
}

TEST_CASE("parameters of a wrong type are named and change nothing") {
  Talk talk;
  const auto parameter = [&](std::string_view method, std::string_view parameters) {
    const Json reply = talk.ask_once(
        fmt::format(R"({{"method":"net.mcastd.control.{}","parameters":{}}})", method, parameters));
    CHECK(reply.value("error", std::string()) == kInvalid);
    return reply["parameters"].value("parameter", std::string());
  };
  CHECK(parameter("Apply", "{}") == "commands");
  CHECK(parameter("Apply", R"({"commands":[]})") == "commands");
  CHECK(parameter("Apply", R"({"commands":{}})") == "commands");
  CHECK(parameter("Apply", R"({"commands":[{"verb":"burn","words":[]}]})") == "commands");
  CHECK(parameter("Apply", R"({"commands":[{"verb":"add","words":[1]}]})") == "commands");
  CHECK(parameter("Apply", R"({"commands":[{"verb":"add","words":["a"],"x":1}]})") == "commands");
  CHECK(parameter("Apply", R"([1])") == "parameters");
  CHECK(parameter("Reload", R"({"now":true})") == "now");
  CHECK(parameter("ShowRoutes", R"({"list":"kernel"})") == "counters");
  CHECK(parameter("ShowRoutes", R"({"list":"all","counters":true})") == "list");
  CHECK(parameter("ShowRoutes", R"({"list":"kernel","counters":1})") == "counters");
  CHECK(parameter("ShowPending", R"({"only":"red"})") == "only");
  CHECK(parameter("ShowPending", R"({"only":{"kind":"vrf"}})") == "only");
  CHECK(parameter("Flush", R"({"only":{"kind":"bridge","name":"br0"}})") == "only");
  CHECK(parameter("Flush", R"({"only":{"kind":"table","name":100}})") == "only");
  CHECK(talk.error(R"({"method":7})") == kInvalid);
  CHECK(talk.error(R"({"parameters":{}})") == kInvalid);
  CHECK(talk.error(R"({"method":"net.mcastd.control.Flush","more":"yes"})") == kInvalid);
  CHECK(talk.daemon.calls.empty());
  CHECK_FALSE(talk.session.hopeless());
}

TEST_CASE("what is no message is refused and ends the connection") {
  for (const std::string text : {"", "{", "null", "[]", "\"x\"", "{\"method\":\"\xff\"}", "{}{}"}) {
    Talk talk;
    CAPTURE(text);
    CHECK(talk.error(text) == kFailed);
    CHECK(talk.session.hopeless());
  }
}

TEST_CASE("deep nesting and floods of values are refused before they are parsed") {
  for (const std::string& text :
       {std::string(5'000'000, '['), "{\"a\":" + std::string(20, '{'), "{\"a\":[" + [] {
          std::string many;
          for (std::size_t i = 0; i <= kMaxValues; ++i) many += "1,";
          return many;
        }() + "1]}"}) {
    Talk talk;
    const Json reply = talk.ask_once(text);
    CHECK(reply["parameters"]["code"] == "limit_reached");
    CHECK(talk.session.hopeless());
  }
  Talk talk;
  CHECK(talk.error(R"({"method":"[[[[[[[[[[[[[[[[[[[[\"[[[[[[[[[[[["})") ==
        "org.varlink.service.InterfaceNotFound");
}

TEST_CASE("a list comes in pieces, the last one empty and without continues") {
  Talk talk;
  talk.daemon.many = 7;
  const auto replies = talk.ask(R"({"method":"net.mcastd.control.ShowRoutes","more":true,)"
                                R"("parameters":{"list":"exact","counters":false}})");
  REQUIRE(replies.size() == 4);
  std::size_t rows = 0;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    CHECK(replies[i].value("continues", false) == (i < 3));
    for (const Json& row : replies[i]["parameters"]["routes"]) {
      CHECK(row["group"] == StubHandler::numbered_route(rows++).group);
    }
  }
  CHECK(rows == 7);
  CHECK(talk.daemon.largest_page == 3);
}

TEST_CASE("a list asked for without more is refused") {
  Talk talk;
  talk.daemon.many = 7;
  CHECK(talk.error(R"({"method":"net.mcastd.control.ShowPending"})") ==
        "org.varlink.service.ExpectedMore");
  CHECK(talk.daemon.calls.empty());
}

TEST_CASE("a list or a flush may be of one table, and a null is none") {
  Talk talk;
  const auto ask = [&](std::string_view method, std::string_view parameters) {
    talk.ask(fmt::format(R"({{"method":"net.mcastd.control.{}","more":true,"parameters":{}}})",
                         method, parameters));
    return talk.daemon.calls.back();
  };
  CHECK(ask("ShowInterfaces", R"({"only":{"kind":"table","name":"10"}})") ==
        "interfaces of table 10");
  CHECK(ask("ShowTables", R"({"only":{"kind":"vrf","name":"red"}})") == "tables of vrf red");
  CHECK(ask("ShowGroups", R"({"list":"kernel","only":{"kind":"table","name":"tv"}})") ==
        "kernel groups of table tv");
  CHECK(ask("ShowRoutes", R"({"list":"kernel","counters":false,)"
                          R"("only":{"kind":"vrf","name":"red"}})") == "routes 2 false of vrf red");
  CHECK(ask("ShowPending", R"({"only":null})") == "pending");
  CHECK(ask("Flush", R"({"only":{"kind":"vrf","name":"red"}})") == "flush of vrf red");
  CHECK(ask("Flush", "{}") == "flush");
}

TEST_CASE("a list of what does not exist is a failure, not an empty list") {
  Talk talk;
  talk.daemon.failure = Failure{{ErrorCode::not_found, "no such VRF"}, {}, {}};
  const Json reply = talk.ask_once(R"({"method":"net.mcastd.control.ShowPending","more":true,)"
                                   R"("parameters":{"only":{"kind":"vrf","name":"red"}}})");
  CHECK(reply["error"] == kFailed);
  CHECK(reply["parameters"]["message"] == "no such VRF");
}

TEST_CASE("a piece without rows is not the end of a list") {
  Talk talk;
  talk.daemon.many = 7;
  talk.daemon.empty_pages = 2;
  const auto replies = talk.ask(R"({"method":"net.mcastd.control.ShowRoutes","more":true,)"
                                R"("parameters":{"list":"exact","counters":false}})");
  std::size_t rows = 0;
  for (const Json& reply : replies) rows += reply["parameters"]["routes"].size();
  CHECK(rows == 7);
  CHECK(replies.size() == 6);
}

TEST_CASE("a oneway call is carried out and not answered") {
  Talk talk;
  CHECK(talk.ask(R"({"method":"net.mcastd.control.Flush","oneway":true})").empty());
  CHECK(talk.daemon.calls == std::vector<std::string>{"flush"});
  CHECK(talk.ask(R"({"method":"net.mcastd.control.Frob","oneway":true})").empty());
  CHECK(
      talk.ask(R"({"method":"net.mcastd.control.ShowPending","oneway":true,"more":true})").empty());
  CHECK_FALSE(talk.session.hopeless());
}
