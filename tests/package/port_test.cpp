// SPDX-License-Identifier: BSD-2-Clause
//
// The port for FreeBSD: its rc.d script, run with a stand-in for rc.subr(8).
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

const fs::path kPort = fs::path(MCAST_SOURCE_DIR) / "packaging/freebsd";

/// The service as it is installed, with the real daemon to check files and a client that only tells
/// what it is asked for.
struct Service {
  NetNamespace net;
  TempDir root;

  Service() {
    for (const char* folder : {"sbin", "etc/rc.d"}) fs::create_directories(root / folder);
    fs::create_symlink(built_program("mcastd"), root / "sbin/mcastd");
    root.write("sbin/mcastctl", "#!/bin/sh\necho mcastctl \"$@\"\nexit ${CTL_EXIT:-0}\n");
    std::string script = read_text(kPort / "files/mcastd.in");
    script = replaced(script, "%%PREFIX%%", prefix());
    script = replaced(script, "%%CONFIGDIR%%", prefix() + "/etc");
    script = replaced(script, "%%RUNDIR%%", "/var/run");
    script = replaced(script, "\n. /etc/rc.subr\n", "\n. " MCAST_RC_SUBR "\n");
    root.write("etc/rc.d/mcastd", script);
    for (const char* program : {"sbin/mcastctl", "etc/rc.d/mcastd"})
      fs::permissions(root / program, fs::perms(0755));
    CHECK_FALSE(contains(script, "%%"));
    config("mcastd", kGood);
    rc_conf("mcastd_enable=\"YES\"\n");
  }

  [[nodiscard]] std::string prefix() const { return root.path().string(); }
  void config(const std::string& identity, const std::string& text) const {
    root.write("etc/" + identity + ".conf", text);
  }
  void rc_conf(const std::string& text) const { root.write("rc.conf", text); }

  ProgramResult run(std::vector<std::string> arguments, std::vector<std::string> settings = {}) {
    std::vector<std::string> words{"env", "RC_CONF=" + (root / "rc.conf").string()};
    words.insert(words.end(), settings.begin(), settings.end());
    words.push_back(root / "etc/rc.d/mcastd");
    words.insert(words.end(), arguments.begin(), arguments.end());
    return run_program(net, words);
  }
  /// The line that starts a daemon with these options.
  [[nodiscard]] std::string start_line(const std::string& options,
                                       const std::string& before = {}) const {
    return "\n" + before + prefix() + "/sbin/mcastd " + options + "\n";
  }

  static constexpr const char* kGood = "mroute from eth0 group 239.1.1.1 to eth1\n";
  static constexpr const char* kBad = "mruote from eth0\n";
};

TEST_CASE("rc.d/mcastd starts the daemon with its file, and the modules it needs") {
  Service service;
  const std::string options = "-i mcastd -f " + service.prefix() + "/etc/mcastd.conf";
  const auto started = service.run({"start"});
  INFO(started);
  CHECK(started.exit_code == 0);
  CHECK(contains(started.out, "kldload ip_mroute ip6_mroute\n"));
  CHECK(contains(started.out, "jail NO\n"));
  CHECK(contains(started.out, service.start_line(options)));
  // A daemon that is given the same with -h, too, says so if it cannot understand it.
  CHECK(run_program(service.net, {"sh", "-c", service.prefix() + "/sbin/mcastd " + options + " -h"})
            .exit_code == 0);

  CHECK(contains(service.run({"start"}, {"NO_INET6=1"}).out, "kldload ip_mroute\n"));
  CHECK_FALSE(contains(service.run({"start"}, {"JAILED=1"}).out, "kldload"));
  CHECK(contains(service.run({"status"}).out, "status /var/run/mcastd.pid"));

  service.rc_conf("");
  CHECK_FALSE(contains(service.run({"start"}).out, "sbin/mcastd"));
  CHECK(contains(service.run({"onestart"}).out, service.start_line(options)));
}

TEST_CASE("rc.d/mcastd takes another file, more options and a FIB from rc.conf") {
  Service service;
  service.config("lab", Service::kGood);
  const std::string file = service.prefix() + "/etc/lab.conf";
  service.rc_conf("mcastd_enable=YES\nmcastd_config=" + file +
                  "\nmcastd_flags=\"-c 30\"\nmcastd_fib=2\n");
  const std::string options = "-c 30 -i mcastd -f " + file + " -t 2";
  const auto started = service.run({"start"});
  INFO(started);
  CHECK(contains(started.out, service.start_line(options, "setfib -F 2 ")));
  CHECK(run_program(service.net, {"sh", "-c", service.prefix() + "/sbin/mcastd " + options + " -h"})
            .exit_code == 0);
}

TEST_CASE("rc.d/mcastd lets no file with a mistake stop what runs") {
  Service service;
  CHECK(service.run({"configtest"}).exit_code == 0);
  CHECK(service.run({"restart"}).exit_code == 0);
  service.config("mcastd", Service::kBad);
  for (const char* command : {"configtest", "start", "restart"}) {
    CAPTURE(std::string(command));
    const auto refused = service.run({command});
    INFO(refused);
    CHECK(refused.exit_code != 0);
    CHECK(contains(refused.err, "/etc/mcastd.conf:1:1:"));
    CHECK_FALSE(contains(refused.out, "start"));
    CHECK_FALSE(contains(refused.out, "kldload"));
  }
}

TEST_CASE("rc.d/mcastd reloads by the client and tells its exit code") {
  Service service;
  const auto good = service.run({"reload"});
  CHECK(good.exit_code == 0);
  CHECK(good.out == "mcastctl -i mcastd reload\n");
  CHECK(good.err.empty());
  const auto bad = service.run({"reload"}, {"CTL_EXIT=78"});
  CHECK(bad.exit_code != 0);
  CHECK(contains(bad.err, "exit code 78"));
}

TEST_CASE("rc.d/mcastd runs an instance for each profile") {
  Service service;
  service.config("red", Service::kGood);
  service.config("blue", Service::kGood);
  service.rc_conf("mcastd_enable=YES\nmcastd_profiles=\"red blue\"\nmcastd_flags=\"-c 30\"\n"
                  "mcastd_blue_fib=1\nmcastd_blue_flags=\"-c 0\"\n");
  const std::string red =
      service.start_line("-c 30 -i red -f " + service.prefix() + "/etc/red.conf");
  const std::string blue = service.start_line(
      "-c 0 -i blue -f " + service.prefix() + "/etc/blue.conf -t 1", "setfib -F 1 ");
  const auto both = service.run({"start"});
  INFO(both);
  CHECK(both.exit_code == 0);
  CHECK(contains(both.out, red));
  CHECK(contains(both.out, blue));

  const auto one = service.run({"start", "blue"});
  CHECK_FALSE(contains(one.out, red));
  CHECK(contains(one.out, blue));
  CHECK(contains(service.run({"reload", "red"}).out, "mcastctl -i red reload\n"));
  CHECK(contains(service.run({"stop"}).out, "stop /var/run/red.pid"));

  service.config("red", Service::kBad);
  const auto half = service.run({"start"});
  CHECK(half.exit_code != 0);
  CHECK_FALSE(contains(half.out, red));
  CHECK(contains(half.out, blue));
  CHECK(service.run({"start", "green"}).exit_code == 64);
  service.rc_conf("mcastd_enable=YES\nmcastd_profiles=\"a-b\"\n");
  CHECK(service.run({"start"}).exit_code == 64);
}

TEST_CASE("mcastd(8) names the settings and commands of rc.d/mcastd") {
  const std::string script = read_text(kPort / "files/mcastd.in");
  const std::string page = read_text(fs::path(MCAST_SOURCE_DIR) / "packaging/man/mcastd.8");
  static const std::regex setting("# (mcastd_[a-z]+)=");
  std::set<std::string> settings;
  for (std::sregex_iterator it(script.begin(), script.end(), setting), end; it != end; ++it) {
    settings.insert((*it)[1]);
  }
  CHECK(settings.size() == 5);
  for (const auto& name : settings) {
    CAPTURE(name);
    CHECK(contains(page, ".It Va " + name));
    const bool used = contains(script, "$" + name) || contains(script, "${" + name);
    CHECK(used);
  }
  for (const char* command : {"reload", "configtest"}) {
    CHECK(contains(script, std::string(command) + "_cmd="));
    CHECK(contains(page, "service mcastd " + std::string(command)));
  }
}

TEST_CASE("the port has the version and the dependencies of the build") {
  const std::string makefile = read_text(kPort / "Makefile");
  const std::string version = run_program(NetNamespace(), {built_program("mcastd"), "-v"}).out;
  static const std::regex stated("DISTVERSION=\t([0-9.]+)\n");
  std::smatch match;
  REQUIRE(std::regex_search(makefile, match, stated));
  CHECK(contains(version, " " + match[1].str() + "\n"));
  for (const char* port : {"net/asio", "devel/nlohmann-json", "devel/libfmt", "devel/spdlog"})
    CHECK(contains(makefile, std::string(":") + port));
}

}  // namespace
}  // namespace mcast::testing
