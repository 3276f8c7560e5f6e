// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/address.hpp"
#include "core/config.hpp"
#include "core/interface_pattern.hpp"
#include "core/result.hpp"

/// The checks that lines of a file and words of a control command share. Messages begin with the
/// word they are about, in quotes.
namespace mcast {

/// Longest name of a table.
inline constexpr std::size_t kMaxTableName = 31;

[[nodiscard]] Result<InterfacePattern> interface_word(std::string_view word);
/// An address or prefix, whatever it may be used for.
[[nodiscard]] Result<Prefix> address_word(std::string_view word);
/// Whether a word is an address or can only be meant as one: "225.1.2.300" is, "eth0.100" is not.
[[nodiscard]] bool looks_like_address(std::string_view word);

/// What is wrong with a group, empty if nothing is. `source` makes a better guess of the mistake.
[[nodiscard]] std::string group_problem(std::string_view word, const Prefix& group,
                                        const std::optional<Prefix>& source);
/// Whether no kernel forwards any of these groups: 224.0.0.0/24, ff01:: and ff02::.
[[nodiscard]] bool is_never_forwarded(const Prefix& group);
[[nodiscard]] std::string never_forwarded(std::string_view word);
/// Said of an interface that a route names as inbound and outbound.
[[nodiscard]] std::string sent_back(std::string_view word);
/// What is wrong with a source; `group`, where known, has to be of the same family.
[[nodiscard]] std::string source_problem(std::string_view word, const Prefix& source,
                                         const std::optional<Prefix>& group);
/// Whether the source stands for any: 0.0.0.0 and ::, alone or as /0.
[[nodiscard]] bool means_any_source(const Prefix& source);

/// Whether a word after `table` is a number rather than a name.
[[nodiscard]] bool is_number(std::string_view word);
/// The number of a table; without a family it has to be good for both.
[[nodiscard]] Result<TableId> table_number_word(std::string_view word,
                                                std::optional<Family> family);
/// A name that a table may be given.
[[nodiscard]] Result<std::string> table_name_word(std::string_view word);
[[nodiscard]] std::string no_such_table(std::string_view word, std::span<const TableRule> tables);
/// The name of a VRF, which is an interface.
[[nodiscard]] Result<std::string> vrf_word(std::string_view word);
/// Said of `table` and `vrf` on one line.
[[nodiscard]] std::string table_and_vrf();

/// Whether a command's words begin with `table T` or `vrf V`. What an address follows is the name
/// of an interface.
[[nodiscard]] bool chooses_table(std::span<const std::string> words);

/// How many joins it takes to receive these, saturating.
[[nodiscard]] std::uint64_t join_count(const std::optional<Prefix>& source, const Prefix& group);
[[nodiscard]] std::string too_many_joins(std::string_view group);

}  // namespace mcast
