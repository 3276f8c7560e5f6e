// SPDX-License-Identifier: BSD-2-Clause
//
// cmake --install, for a prefix as distributions use it, into a folder of the test.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>

#include "tests/e2e/lab.hpp"

namespace mcast::testing {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Installed {
  NetNamespace net;
  TempDir root;

  Installed() {
    const auto result = run_program(net, {"env", "DESTDIR=" + root.path().string(), MCAST_CMAKE,
                                          "--install", MCAST_BUILD_DIR, "--prefix", "/usr"});
    INFO(result);
    REQUIRE(result.exit_code == 0);
  }
  [[nodiscard]] fs::path unit(const std::string& name) const {
    return root / ("usr/lib/systemd/system/" + name);
  }
};

TEST_CASE("programs, pages, completions, samples and units are installed, with the old names") {
  const Installed installed;
  for (const char* file :
       {"usr/sbin/mcastd", "usr/sbin/mcastctl", "usr/share/man/man8/mcastd.8",
        "usr/share/man/man8/mcastctl.8", "usr/share/man/man5/mcastd.conf.5",
        "usr/share/bash-completion/completions/mcastctl", "usr/share/doc/mcastd/README.md",
        "usr/share/doc/mcastd/LICENSE", "usr/share/doc/mcastd/examples/mcastd.conf",
        "usr/share/doc/mcastd/examples/recipes/iptv.conf", "usr/lib/systemd/system/mcastd.service",
        "usr/lib/systemd/system/smcroute.service"}) {
    CAPTURE(std::string(file));
    CHECK(fs::is_regular_file(installed.root / file));
  }
  struct Link {
    const char* name;
    const char* target;
  };
  for (const Link& link :
       {Link{"usr/sbin/smcrouted", "mcastd"}, Link{"usr/sbin/smcroutectl", "mcastctl"},
        Link{"usr/sbin/smcroute", "mcastctl"}, Link{"usr/share/man/man8/smcrouted.8", "mcastd.8"},
        Link{"usr/share/man/man8/smcroutectl.8", "mcastctl.8"},
        Link{"usr/share/man/man8/smcroute.8", "mcastctl.8"},
        Link{"usr/share/man/man5/smcroute.conf.5", "mcastd.conf.5"},
        Link{"usr/share/bash-completion/completions/mcastd", "mcastctl"},
        Link{"usr/share/bash-completion/completions/smcroutectl", "mcastctl"}}) {
    CAPTURE(std::string(link.name));
    CHECK(fs::read_symlink(installed.root / link.name) == link.target);
  }
  // The administrator's own files are no business of an installation.
  CHECK_FALSE(fs::exists(installed.root / "etc"));
}

TEST_CASE("the completion offers what may follow, for each name") {
  const Installed installed;
  struct Typed {
    const char* program;
    const char* words;  ///< the last one is unfinished
    const char* offered;
  };
  for (const Typed& typed :
       {Typed{"mcastctl", "''", "reload"}, Typed{"smcroutectl", "show p", "pending"},
        Typed{"mcastctl", "add ''", "lo"}, Typed{"mcastctl", "-", "-j"},
        Typed{"smcroute", "-a l", "lo"}, Typed{"smcroute", "-a lo 10.0.0.1 225.1.1.1 l", "lo"},
        Typed{"mcastd", "-l n", "notice"}, Typed{"smcrouted", "-", "-F"}}) {
    CAPTURE(std::string(typed.program));
    CAPTURE(std::string(typed.words));
    const fs::path file =
        installed.root / fmt::format("usr/share/bash-completion/completions/{}", typed.program);
    const std::string script = fmt::format(
        ". {} && COMP_WORDS=({} {}) && COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) && "
        "words=($(complete -p {})) && ${{words[2]}} && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.string(), typed.program, typed.words, typed.program);
    const auto result = run_program(installed.net, {"bash", "-c", script});
    INFO(result);
    CHECK(contains("\n" + result.out, fmt::format("\n{}\n", typed.offered)));
  }
}

TEST_CASE("an installed router forwards, under its old name too") {
  const Installed installed;
  Lab lab;
  for (const char* name : {"mcastd", "smcrouted"}) {
    CAPTURE(std::string(name));
    Daemon daemon(lab.router(), mroute("eth0", "10.1.0.2", "239.1.1.1", "eth1"),
                  {.program = (installed.root / "usr/sbin" / name).string()});
    Flow flow(lab.sender, lab.first, "239.1.1.1");
    CHECK(flow.passes());
  }
}

TEST_CASE("the units name the programs where they were installed, and systemd accepts them") {
  const Installed installed;
  CHECK(contains(read_text(installed.unit("mcastd.service")), "\nExecStart=/usr/sbin/mcastd -n"));
  CHECK(contains(read_text(installed.unit("smcroute.service")),
                 "\nExecStart=/usr/sbin/smcrouted -n -s $SMCROUTED_OPTS $SMCROUTED_ARGS\n"));
  // What a unit refers to has to exist in the root that is looked at.
  for (const char* target :
       {"network", "network-online", "sysinit", "basic", "multi-user", "shutdown"}) {
    std::ofstream(installed.unit(fmt::format("{}.target", target)))
        << "[Unit]\nDefaultDependencies=no\n";
  }
  for (const char* name : {"mcastd.service", "smcroute.service"}) {
    const auto result =
        run_program(installed.net, {"systemd-analyze", "verify", "--man=no",
                                    "--root=" + installed.root.path().string(), name});
    INFO(result);
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
  }
}

TEST_CASE("the new unit leaves its daemon little to do harm with, the old one not all") {
  const Installed installed;
  struct Limit {
    const char* name;
    int most;  ///< exposure as systemd-analyze counts it, times ten
  };
  for (const Limit& limit : {Limit{"mcastd.service", 27}, Limit{"smcroute.service", 82}}) {
    const auto result = run_program(
        installed.net, {"systemd-analyze", "security", "--no-pager", "--offline=true",
                        fmt::format("--threshold={}", limit.most), installed.unit(limit.name)});
    INFO(result);
    CHECK(result.exit_code == 0);
  }
}

}  // namespace
}  // namespace mcast::testing
