// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/ids.hpp"
#include "core/ops.hpp"

/// The order of the kernel's entries for any source of one group, (*,G). Of several, a packet is
/// handled by the one put last among those that list the interface it arrived on, be that as their
/// parent or as an output, and is dropped if that entry's parent is another
/// (net/ipv4/ipmr_base.c, mr_mfc_find_any). So an entry has to be put after all others that have
/// its parent as an output.
namespace mcast {

/// The entry for any source that says the same as `shape`: it lists its parent too, or it would not
/// be found for packets from there. They are never sent back.
[[nodiscard]] MfcShape any_source_entry(MfcShape shape);

/// The numbers of `entries`, all of different parents, in an order in which they may be put; none
/// if there is no such order, because packets could go round.
[[nodiscard]] std::optional<std::vector<std::size_t>> order_of_puts(
    std::span<const MfcShape> entries);

/// Parents of the installed entries that have to be dropped and put again, so that entries which
/// then follow `wanted` (in an order of puts) are found. `installed`: parents, the first put first.
[[nodiscard]] std::vector<VifIndex> out_of_order(std::span<const VifIndex> installed,
                                                 std::span<const MfcShape> wanted);

}  // namespace mcast
