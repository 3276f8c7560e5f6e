// SPDX-License-Identifier: BSD-2-Clause
//
// The words of a control command, parted by line feeds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"

using namespace mcast;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_message(const Error& error) {
  require(!error.message.empty());
  for (const char c : error.message) require(c >= ' ' && c <= '~');
}

void check_flow(const Prefix& source, const Prefix& group) {
  require(group.address().is_multicast());
  require(source.family() == group.family());
  require(Prefix::parse(group.to_string()).value() == group);
  require(source.is_any() || Prefix::parse(source.to_string()).value() == source);
}

void check_domain(const Domain& domain, Family family) {
  const std::uint32_t most = family == Family::ipv4 ? 999'999'999 : 99'999'999;
  const bool has_table = domain.kind == Domain::Kind::table;
  require(has_table ? domain.table.value >= 1 && domain.table.value <= most
                    : domain.table == TableId());
  require((domain.kind == Domain::Kind::vrf) == !domain.vrf.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> words(1);
  for (const char c : std::string_view(reinterpret_cast<const char*>(data), size)) {
    if (c == '\n') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  const std::vector<TableRule> tables{{.id = TableId(7), .name = "blue", .iifs = {}, .where = {}}};
  if (const auto route = parse_route_words(words, tables)) {
    check_domain(route->path.domain, route->group.family());
    check_flow(route->source, route->group);
  } else {
    check_message(route.error());
  }
  if (const auto join = parse_join_words(words, tables)) {
    check_domain(join->domain, join->group.family());
    check_flow(join->source.value_or(Prefix::any(join->group.family())), join->group);
  } else {
    check_message(join.error());
  }
  return 0;
}
