// SPDX-License-Identifier: BSD-2-Clause
//
// A configuration file. NUL bytes part it into several files, which includes reach by the names
// "1", "2" and so on.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"

using namespace mcast;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

class Parts final : public FileReader {
 public:
  explicit Parts(std::string_view text) {
    while (true) {
      const std::size_t end = text.find('\0');
      parts_.emplace_back(text.substr(0, end));
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
  }
  Result<std::string> read(const std::string& path, std::size_t /*limit*/) override {
    std::size_t number = 0;
    std::from_chars(path.data(), path.data() + path.size(), number);
    if (number >= parts_.size()) return fail(ErrorCode::not_found, path + ": no such file");
    return parts_[number];
  }
  Result<std::vector<std::string>> glob(const std::string& pattern) override {
    std::vector<std::string> paths;
    for (std::size_t i = 1; i < parts_.size() && i < 10; ++i) {
      if (pattern.find('?') != std::string::npos) paths.push_back(std::to_string(i));
    }
    return paths;
  }

 private:
  std::vector<std::string> parts_;
};

/// Words that are options of a route where they stand last, or keywords where they do not.
bool is_reserved(const std::string& name) {
  return name == "join" || name == "native" || name == "learned" || name == "table" ||
         name == "vrf";
}

std::string to_text(const Domain& domain) {
  if (domain.kind == Domain::Kind::vrf) return " vrf " + domain.vrf;
  if (domain.kind == Domain::Kind::table) return " table " + std::to_string(domain.table.value);
  return "";
}

void check_domain(const Domain& domain, std::optional<Family> family) {
  const std::uint32_t most = family == Family::ipv4 ? 999'999'999 : 99'999'999;
  const bool has_table = domain.kind == Domain::Kind::table;
  require(has_table ? domain.table.value >= 1 && domain.table.value <= most
                    : domain.table == TableId());
  require((domain.kind == Domain::Kind::vrf) == !domain.vrf.empty());
}

std::string to_line(const RouteRule& rule, const Path& path) {
  std::string line = "mroute from " + path.iif.to_string() + " source " + rule.source.to_string() +
                     to_text(path.domain) + " group " + rule.group.to_string() +
                     (rule.native ? " native to" : " to");
  for (const auto& oif : path.oifs) {
    const std::string name = oif.to_string();
    line += ' ' + name + (is_reserved(name) ? ":0" : "");
  }
  return line + '\n';
}

void check_diagnostics(const ParsedConfig& parsed) {
  std::size_t errors = 0;
  for (const Diagnostic& diagnostic : parsed.diagnostics) {
    if (diagnostic.severity == Diagnostic::Severity::error) ++errors;
    require(!diagnostic.message.empty());
    for (const char c : diagnostic.to_string()) require(c >= ' ' && c <= '~');
  }
  require(errors <= kMaxDiagnostics + 1);
  require(parsed.valid() == (errors == 0));
}

std::string to_line(const TableRule& rule) {
  std::string line = "table " + std::to_string(rule.id.value);
  if (!rule.name.empty()) line += " name " + rule.name;
  if (!rule.iifs.empty()) line += " iif";
  for (const auto& iif : rule.iifs) {
    const std::string name = iif.to_string();
    line += ' ' + name + (name == "name" || name == "iif" ? ":0" : "");
  }
  return line + '\n';
}

void check_tables(const Config& config) {
  std::set<TableId> ids;
  std::set<std::string> names;
  std::set<InterfacePattern> claimed;
  for (const TableRule& rule : config.tables) {
    require(rule.id.value >= 1 && rule.id.value <= 99'999'999);
    require(ids.insert(rule.id).second);
    require(rule.name.empty() || names.insert(rule.name).second);
    for (const auto& iif : rule.iifs) require(claimed.insert(iif).second);
  }
  for (const JoinRule& rule : config.joins) check_domain(rule.domain, rule.group.family());
  for (const InterfaceRule& rule : config.interfaces) check_domain(rule.domain, std::nullopt);
  if (!config.auto_tables) return;
  const auto& [first, last, where] = *config.auto_tables;
  require(first <= last && last.value - first.value < 256);
  require(ids.lower_bound(first) == ids.upper_bound(last));
}

/// What was understood, written down again, has to be understood as the same.
void check_round_trip(const Config& config) {
  std::string text;
  for (const RouteRule& rule : config.routes) {
    require(rule.group.address().is_multicast());
    require(rule.source.family() == rule.group.family());
    require(!rule.native || (rule.source.is_any() && rule.group.is_host() && !rule.exception));
    require(rule.where.file < config.files.size() && rule.where.line > 0);
    check_domain(config.paths[rule.path].domain, rule.group.family());
    text += to_line(rule, config.paths[rule.path]);
  }
  for (const TableRule& rule : config.tables) text += to_line(rule);
  Parts again(text);
  const ParsedConfig parsed = parse_config(again, "0");
  require(parsed.valid());
  require(parsed.config.routes.size() == config.routes.size());
  require(parsed.config.tables.size() == config.tables.size());
  for (std::size_t i = 0; i < config.tables.size(); ++i) {
    const TableRule& a = config.tables[i];
    const TableRule& b = parsed.config.tables[i];
    require(a.id == b.id && a.name == b.name && a.iifs == b.iifs);
  }
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const RouteRule& a = config.routes[i];
    const RouteRule& b = parsed.config.routes[i];
    require(a.source == b.source && a.group == b.group && a.native == b.native);
    require(config.paths[a.path] == parsed.config.paths[b.path]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Parts files(std::string_view(reinterpret_cast<const char*>(data), size));
  const ParsedConfig parsed = parse_config(files, "0");
  check_diagnostics(parsed);
  if (parsed.valid()) {
    check_tables(parsed.config);
    check_round_trip(parsed.config);
  }
  return 0;
}
