// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string_view>

#include "core/result.hpp"

namespace mcast::platform {

/// Turns the errno of a failed call into an error whose text is "SUBJECT: CALL: REASON[; REMEDY]".
/// Calls of the multicast routing API, where the same errno means different things, go through the
/// backend's own function, which ends here.
[[nodiscard]] Error os_error(std::string_view call, int error, std::string_view subject = {});

}  // namespace mcast::platform
