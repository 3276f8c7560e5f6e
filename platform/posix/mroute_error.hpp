// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/address.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"

namespace mcast::platform {

/// The calls of the multicast routing API; the same errno means something else in each.
enum class MrouteCall : std::uint8_t {
  open_socket,
  set_table,
  init,
  set_option,
  add_vif,
  del_vif,
  add_mfc,
  del_mfc,
  get_counters,
  get_slot,
  receive,
  join_group,
  join_source,
  leave_group,
  leave_source,
};

/// What an errno of one of these calls means, and what can be done.
struct MrouteMeaning {
  ErrorCode code;
  std::string_view remedy = {};
};
/// None where it means what it always does. Each backend has its own.
[[nodiscard]] std::optional<MrouteMeaning> mroute_meaning(MrouteCall call, Family family,
                                                          int error);

/// The backend's name of a call that each system has its own for: set_table and get_slot.
[[nodiscard]] std::string_view backend_call(MrouteCall call, Family family);

/// Maps the errno of a failed call to an error that names subject, call, reason and remedy.
[[nodiscard]] Error mroute_error(MrouteCall call, Family family, int error,
                                 std::string_view subject);

/// "IPv4 multicast routing table 253 (default)", in the words of the backend.
[[nodiscard]] std::string describe(TableKey table);
/// The interface's name, or "interface INDEX" if it is gone.
[[nodiscard]] std::string describe(IfIndex link);

}  // namespace mcast::platform
