// SPDX-License-Identifier: BSD-2-Clause
#include "cli/mcastctl_help.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/identity.hpp"

namespace mcast::cli {

namespace {

struct Topic {
  std::string_view command;
  std::string_view arguments;
  std::string_view summary;
  std::string_view more;
  std::string_view example;
};

constexpr std::array<Topic, 10> kTopics{{
    {"add", "[table T|vrf V] IIF [SOURCE[/LEN]] GROUP[/LEN] [OIF ...]",
     "Add a route, or outbound interfaces to one",
     "Traffic of GROUP, from SOURCE or from any source, that arrives on IIF leaves on every\n"
     "OIF. Without an OIF it is blocked. A name ending in + stands for all interfaces that\n"
     "begin so. The route belongs to the routing table T, by number or name, or to the VRF V;\n"
     "without these words to the table in which traffic from IIF is routed.",
     "add eth0 192.0.2.10 225.1.2.3 eth1 eth2"},
    {"remove", "[table T|vrf V] IIF [SOURCE[/LEN]] GROUP[/LEN] [OIF ...]",
     "Remove a route, or just some of its outbound interfaces",
     "When the last outbound interface is removed by name, the route stays and blocks.\n"
     "A route that was added with table or vrf is removed with the same words. Also called\n"
     "del.",
     "remove eth0 192.0.2.10 225.1.2.3 eth2"},
    {"join", "[table T|vrf V] IIF [SOURCE[/LEN]] GROUP[/LEN]", "Receive a group on an interface",
     "The membership is renewed whenever the interface returns.", "join eth0 225.1.2.3"},
    {"leave", "[table T|vrf V] IIF [SOURCE[/LEN]] GROUP[/LEN]", "End what join began", "",
     "leave eth0 225.1.2.3"},
    {"show", "[routes|groups|interfaces|pending] [table T|vrf V]",
     "List routes (if nothing else is said) and more",
     "With -d in detail, with -j as JSON. \"pending\" lists what is not in effect, and with -d\n"
     "why. \"table\" or \"vrf\" leaves out what belongs to other routing tables.",
     "-j show routes"},
    {"flush", "[table T|vrf V]", "Drop routes learned from traffic",
     "All of them, or those of one routing table.", "flush"},
    {"reload", "", "Read the configuration file again",
     "A file with mistakes changes nothing. What add, remove, join and leave did is\n"
     "forgotten. Also called restart.",
     "reload"},
    {"kill", "", "End the daemon", "Returns when it has ended.", "kill"},
    {"version", "", "Print the version", "", "version"},
    {"help", "[COMMAND]", "Explain a command", "", "help add"},
}};

}  // namespace

std::string help_text(std::string_view program, std::string_view topic) {
  const auto found = std::ranges::find(kTopics, topic, &Topic::command);
  if (found != kTopics.end()) {
    std::string text =
        fmt::format("Usage: {} {}{}{}\n\n{}.\n", program, found->command,
                    found->arguments.empty() ? "" : " ", found->arguments, found->summary);
    if (!found->more.empty()) text += fmt::format("{}\n", found->more);
    return text + fmt::format("\nExample: {} {}\n", program, found->example);
  }
  const std::string identity = default_identity(program);
  std::string text = fmt::format(
      R"(Usage: {} [OPTIONS] [COMMAND [ARGUMENTS]]

Options:
  -b       Read add, remove, join and leave commands from standard input, one
           per line, and carry out all of them or none
  -d       Show details
  -h       Print this text
  -i NAME  Talk to the daemon of this identity, default: {}; also -I
  -j       Show as JSON
  -p       Plain headings, no control characters
  -t       No headings
  -u FILE  Control socket of the daemon, default: {}
  -v       Print the version

Commands, which may be abbreviated:
)",
      program, identity, default_socket(identity));
  for (const auto& entry : kTopics)
    text += fmt::format("  {:<8} {}\n", entry.command, entry.summary);
  text += "\nArguments:\n";
  for (const auto& entry : kTopics) {
    if (!entry.arguments.empty())
      text += fmt::format("  {:<6} {}\n", entry.command, entry.arguments);
  }
  return text;
}

std::string version_text(std::string_view program) {
  return fmt::format("{} {}\n", program, MCASTD_VERSION);
}

std::string front_end_help(std::string_view program) {
  return fmt::format(
      R"(Usage: {} [-d] [-n] [-f FILE] [-v] [-D] [-h] [-k]
       {:{}} [-a IIF SOURCE GROUP OIF [OIF ...]] [-r IIF SOURCE GROUP]
       {:{}} [-j IIF GROUP] [-l IIF GROUP]

  -d       Start the daemon before anything else is done
  -n       Start it in the foreground; nothing else is done
  -f FILE  Its configuration file, default: {}
  -D       Let it log for debugging
  -v       Print the version, or with -d or -n let the daemon log more
  -k       End the daemon
  -a ...   Add a route
  -r ...   Remove a route
  -j ...   Join a group on an interface
  -l ...   Leave a group
  -h       Print this text

-a, -r, -j, -l and -k may be repeated; they are carried out in order. This is the
command line of SMCRoute 1.99; smcroutectl does more.
)",
      program, "", program.size(), "", program.size(),
      default_config_file(default_identity(program)));
}

}  // namespace mcast::cli
