// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <functional>

#include "core/engine.hpp"
#include "platform/ports.hpp"

namespace mcast::platform {

/// Passes on what waits about interfaces; `sink` has to hand it to the engine.
Result<void> read_links(Engine& engine, LinkSource& links, LinkSink& sink);

/// What steps are carried out with.
struct Ports {
  TableKeeper* keeper = nullptr;
  MrouteKernel* kernel = nullptr;
  MulticastRuleSocket* multicast_rules = nullptr;  ///< may be null: the system has none
  /// Told around the life of a table that a plan opens and closes; may be empty.
  std::function<void(TableKey)> opened = {};
  std::function<void(TableKey)> closing = {};
};

/// Carries out one step with the port that it is for.
Result<void> carry_out(const Ports& ports, const Op& op);

/// Tells the engine what multicast rules the kernel holds. What bears our mark and leads to a table
/// that another program has is of another instance; no rule is added before its table is open.
Result<void> learn_multicast_rules(Engine& engine, const Ports& ports);
/// Drops all of ours that the kernel holds. What cannot be dropped is told in the end, and the rest
/// is.
Result<void> drop_multicast_rules(const Engine& engine, const Ports& ports);

/// Asks the engine for plans and carries them out until it has none left, or `max_steps` are done.
/// Returns the number of steps done; fewer than `max_steps` means that the kernel is as intended,
/// save for what waits for `Engine::next_deadline`.
std::size_t converge(Engine& engine, const Ports& ports, Milliseconds now,
                     std::size_t max_steps = static_cast<std::size_t>(-1));

}  // namespace mcast::platform
