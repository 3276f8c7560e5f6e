// SPDX-License-Identifier: BSD-2-Clause
#include "tests/demo/scene.hpp"

#include <sstream>

namespace mcast::demo {

const char* const kConfiguration =
    R"(# From the uplink to every LAN, those that do not exist yet included.
phyint wan0 enable
mgroup from wan0 group 239.1.1.1
mroute from wan0 source 10.1.0.2  group 239.1.1.1 to lan+
mroute from wan0 source fd00:1::2 group ff1e::1:1 to lan+

# From one LAN to the other.
mroute from lan2 source 10.3.0.2  group 239.2.2.2 to lan1
mroute from lan2 source fd00:3::2 group ff1e::2:2 to lan1
)";

namespace {

constexpr testing::Duration kPause{5};

/// Reads /proc/net/ip_mr_vif or ip6_mr_vif: slot, name, bytes in, packets in, bytes out, packets
/// out.
void read_slots(const std::string& table, Counters::Family Counters::* family,
                std::map<std::string, Counters>& counters) {
  std::istringstream lines(table);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    unsigned slot = 0;
    std::string name;
    std::uint64_t bytes = 0;
    Counters::Family packets;
    if (words >> slot >> name >> bytes >> packets.in >> bytes >> packets.out)
      counters[name].*family = packets;
  }
}

}  // namespace

std::uint64_t Tap::position() {
  const auto& arrivals = receiver_.account(*sender_).arrivals;
  return arrivals.empty() ? 0 : arrivals.rbegin()->first + 1;
}

std::optional<testing::ArrivalClock::time_point> Tap::first_after(std::uint64_t position) {
  const auto& arrivals = receiver_.account(*sender_).arrivals;
  const auto found = arrivals.lower_bound(position);
  if (found == arrivals.end()) return std::nullopt;
  return found->second;
}

std::uint64_t Tap::lost(std::uint64_t first, std::uint64_t end) {
  return receiver_.account(*sender_).lost(first, end);
}

std::uint64_t Tap::received() {
  return receiver_.account(*sender_).received;
}

Scene::Scene() {
  testing::Host& sender = net_.add_host();
  testing::Host& first = net_.add_host();
  testing::Host& second = net_.add_host();
  testing::Host& newcomer = net_.add_host();
  cables_ = {{"wan0", &sender}, {"lan1", &first}, {"lan2", &second}, {"lan3", &newcomer}};
  for (const char* interface : {"wan0", "lan1", "lan2"}) plug(interface);
  daemon_ = std::make_unique<testing::Daemon>(net_.router(), kConfiguration);

  const auto tap = [&](testing::Host& place) {
    const Stream& stream = *streams_.back();
    taps_.push_back(std::make_unique<Tap>(place, stream.sender, stream.group));
    return taps_.back().get();
  };
  for (const char* group : {"239.1.1.1", "ff1e::1:1"}) {
    streams_.push_back(std::make_unique<Stream>(sender, group));
    uplink[0].push_back(tap(first));
    uplink[1].push_back(tap(second));
    uplink[2].push_back(tap(newcomer));
  }
  for (const char* group : {"239.2.2.2", "ff1e::2:2"}) {
    streams_.push_back(std::make_unique<Stream>(second, group));
    lateral.push_back(tap(first));
  }
}

void Scene::plug(const std::string& interface) {
  net_.plug(interface, *cables_.at(interface));
}

void Scene::pull(const std::string& interface) {
  net_.pull(interface);
}

void Scene::pump() {
  taps_.front()->await(kPause);
  for (const auto& tap : taps_) tap->drain();
}

std::vector<Tap*> Scene::taps() {
  std::vector<Tap*> all;
  all.reserve(taps_.size());
  for (const auto& tap : taps_) all.push_back(tap.get());
  return all;
}

std::map<std::string, Counters> Scene::counters() const {
  std::map<std::string, Counters> counters;
  read_slots(net_.router().read_proc_net("ip_mr_vif"), &Counters::ipv4, counters);
  read_slots(net_.router().read_proc_net("ip6_mr_vif"), &Counters::ipv6, counters);
  return counters;
}

}  // namespace mcast::demo
