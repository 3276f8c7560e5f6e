// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <vector>

#include "core/config.hpp"
#include "core/result.hpp"
#include "core/traits.hpp"

namespace mcast {

/// What a kernel cannot do of what is written about tables. The parser accepts the same everywhere,
/// so that this is found out where a configuration or a command meets the kernel.

/// The words `table` and `vrf` of a line or command.
[[nodiscard]] Result<void> check_supported(const Domain& domain, const KernelTraits& traits);
/// The default table of both families, as the option -t gives it. Error: usage.
[[nodiscard]] Result<void> check_default_table(TableId table, const KernelTraits& traits);
/// All lines of a configuration that cannot be, up to kMaxDiagnostics; none if all can.
[[nodiscard]] std::vector<Diagnostic> unsupported(const Config& config, const KernelTraits& traits);

}  // namespace mcast
