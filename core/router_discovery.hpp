// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/result.hpp"
#include "core/status.hpp"

namespace mcast {

/// One interface in one family, for the two are announced independently.
struct RouterLink {
  IfIndex link;
  Family family = Family::ipv4;
  auto operator<=>(const RouterLink&) const = default;
};

/// Whether this host is a multicast router there, as far as it is to say so.
struct RouterLinkChange {
  enum class What : std::uint8_t {
    announces,  ///< it is one, wants to say so and is able to
    stopped,
    departed,  ///< the interface is gone: nothing can be said on it
  };
  What what = What::announces;
  RouterLink link;
  std::string name;  ///< for the log
  /// It could not speak for a moment, as after a loss of its address: it is to begin anew.
  bool interrupted = false;
};

/// What is to be done about one of them.
struct AnnounceStep {
  enum class Kind : std::uint8_t { listen, advertise, terminate, stop_listening };
  Kind kind = Kind::advertise;
  RouterLink link;
  std::uint8_t interval = 0;  ///< of an advertisement, in seconds
  bool operator==(const AnnounceStep&) const = default;
};

/// Tells switches where the multicast router is: Multicast Router Discovery (RFC 4286). Decides
/// what to send when; sends nothing, reads no clock and rolls no dice itself.
class RouterDiscovery {
 public:
  /// A random number below its argument, all equally likely.
  using Random = std::function<std::uint32_t(std::uint32_t)>;
  RouterDiscovery(std::chrono::seconds interval, Random random);

  /// What is so already changes nothing.
  void apply(const RouterLinkChange& change, Milliseconds now);
  /// Somebody asks who is a router there.
  void solicited(RouterLink link, Milliseconds now);
  /// This host is about to stop being a router altogether.
  void withdraw();

  /// The next steps, each to be acknowledged before the next call.
  [[nodiscard]] std::vector<AnnounceStep> plan(Milliseconds now);
  void acknowledge(const AnnounceStep& step, const Result<void>& outcome, Milliseconds now);
  /// When `plan` has to be called again without a new event; none if never.
  [[nodiscard]] std::optional<Milliseconds> next_deadline() const;
  /// Failures, each told once until it ends or its reason changes.
  [[nodiscard]] std::vector<Notice> take_notices();

 private:
  struct Trouble {
    std::string reason;
    unsigned failures = 0;
  };
  struct Announced {
    std::string name;
    unsigned initial_left = 0;  ///< of the burst at the beginning
    Milliseconds next_at = 0;   ///< of advertisements
    std::optional<Milliseconds> last_at;
    bool answering = false;  ///< the next one is sent early, for somebody who asked
    bool listening = false;
    Milliseconds listen_at = 0;
    Trouble sending;
    Trouble hearing;
  };

  void begin(Announced& state, Milliseconds now);
  void stop(const RouterLink& link, const Announced& state, bool departed);
  void advertised(const RouterLink& link, Announced& state, const Result<void>& outcome,
                  Milliseconds now);
  void listened(const RouterLink& link, Announced& state, const Result<void>& outcome,
                Milliseconds now);
  /// Returns when to try again.
  Milliseconds note(Trouble& trouble, const Error& error, const std::string& what,
                    Milliseconds now);
  [[nodiscard]] Milliseconds random_below(Milliseconds bound);

  const Milliseconds interval_;
  const Random random_;
  std::map<RouterLink, Announced> announced_;
  std::vector<AnnounceStep> farewells_;
  std::vector<Notice> notices_;
};

}  // namespace mcast
