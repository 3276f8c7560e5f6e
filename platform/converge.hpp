// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>

#include "core/engine.hpp"
#include "platform/ports.hpp"

namespace mcast::platform {

/// Passes on what waits about interfaces; `sink` has to hand it to the engine.
Result<void> read_links(Engine& engine, LinkSource& links, LinkSink& sink);

/// Asks the engine for plans and carries them out until it has none left, or `max_steps` are done.
/// Returns the number of steps done; fewer than `max_steps` means that the kernel is as intended,
/// save for what waits for `Engine::next_deadline`.
std::size_t converge(Engine& engine, MrouteKernel& kernel, Milliseconds now,
                     std::size_t max_steps = static_cast<std::size_t>(-1));

}  // namespace mcast::platform
