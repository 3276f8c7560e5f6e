// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <random>

#include "cli/deadline.hpp"
#include "core/engine.hpp"
#include "core/router_discovery.hpp"
#include "platform/ports.hpp"

namespace mcast::cli {

/// Announces this host as a multicast router where it is to be: carries out on time what
/// RouterDiscovery decides, and passes on to it what is heard.
class Announcer final : private platform::SolicitationSink {
 public:
  using Log = std::function<void(const Notice&)>;
  /// All must outlive this.
  Announcer(asio::io_context& loop, Engine& engine, platform::DiscoverySocket& socket,
            std::chrono::seconds interval, Log log);
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;
  ~Announcer() override;

  /// Takes over what the engine has found out. Called whenever that may have changed.
  void follow();
  /// Says everywhere that this host is no router any more.
  void withdraw();

 private:
  // platform::SolicitationSink
  void solicited(RouterLink link) override;

  void run();
  void wait_for_solicitations(Family family);
  [[nodiscard]] std::uint32_t random_below(std::uint32_t bound);

  Engine& engine_;
  platform::DiscoverySocket& socket_;
  const Log log_;
  std::minstd_rand random_;
  RouterDiscovery discovery_;
  Deadline deadline_;
  // Descriptors belong to the port; these let go of them before they are destroyed.
  std::map<Family, asio::posix::stream_descriptor> ready_;
};

}  // namespace mcast::cli
