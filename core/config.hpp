// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.hpp"
#include "core/ids.hpp"
#include "core/interface_pattern.hpp"
#include "core/result.hpp"

namespace mcast {

/// Where in the configuration something stands. Lines and columns count from 1; line 0 means that
/// it came by a control command.
struct Location {
  std::uint32_t file = 0;  ///< index into Config::files
  std::uint32_t line = 0;
  auto operator<=>(const Location&) const = default;
};

/// Which routing tables a line is about.
struct Domain {
  enum class Kind : std::uint8_t {
    automatic,  ///< wherever the traffic of its interfaces goes
    table,      ///< `table ID|NAME`
    vrf,        ///< `vrf NAME`: its table, and only interfaces enslaved to it
  };
  Kind kind = Kind::automatic;
  TableId table;    ///< of Kind::table
  std::string vrf;  ///< of Kind::vrf
  auto operator<=>(const Domain&) const = default;
};

/// A distinct triple of inbound pattern, outbound patterns and domain; rules share them by number.
using PathId = StrongId<struct PathIdTag, std::uint32_t>;
struct Path {
  InterfacePattern iif;
  /// As written, without repetitions. Empty: a stop filter.
  std::vector<InterfacePattern> oifs;
  Domain domain{};
  auto operator<=>(const Path&) const = default;
};

/// mroute [table T|vrf V] from IIF [source S[/LEN]] [except S[/LEN],...] group G[/LEN]
///        [scope OP SCOPE] [to OIF ...]
///
/// What `except` and `scope` leave out are rules of their own, which follow theirs: stop filters
/// for a longer prefix. The order in which rules match does the rest.
struct RouteRule {
  Prefix source;  ///< length 0: any source
  Prefix group;
  /// One group from any source that the kernel is to forward without asking about each source.
  bool native = false;
  bool exception = false;  ///< left out of the rule before it that is none
  PathId path;
  Location where;
  /// One source and one group: needs no upcall to be installed.
  [[nodiscard]] bool is_exact() const { return source.is_host() && group.is_host(); }
};

/// mgroup [table T|vrf V] from IIF [source S[/LEN]] group G[/LEN]
struct JoinRule {
  InterfacePattern iif;
  std::optional<Prefix> source;  ///< none: any source
  Prefix group;
  Location where;
  bool by_route = false;  ///< the word `join` of a route
  Domain domain{};
};

/// phyint IFNAME [table T|vrf V] [enable|disable] [mrdisc] [ttl-threshold N]
struct InterfaceRule {
  InterfacePattern interface;
  std::optional<bool> enable;
  bool mrdisc = false;
  std::optional<std::uint8_t> ttl_threshold;
  Location where;
  Domain domain{};
};

/// table ID [name NAME] [iif IFNAME ...]
struct TableRule {
  TableId id;
  std::string name;  ///< empty: none
  /// The interfaces whose traffic it takes. No two tables have the same pattern; an exact name is
  /// stronger than a wildcard, a longer wildcard than a shorter one.
  std::vector<InterfacePattern> iifs;
  Location where;
};

/// tables auto FIRST-LAST
struct AutoTables {
  TableId first;
  TableId last;
  Location where;
};

/// The paths of a set of rules, each kept once.
class PathPool {
 public:
  PathId intern(Path path);
  [[nodiscard]] const Path& operator[](PathId id) const { return *by_id_[id.value]; }
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }

  PathPool() = default;
  PathPool(PathPool&&) = default;
  PathPool& operator=(PathPool&&) = default;
  PathPool(const PathPool&) = delete;
  PathPool& operator=(const PathPool&) = delete;
  ~PathPool() = default;

 private:
  std::map<Path, PathId> ids_;  // nodes do not move, so by_id_ may point into it
  std::vector<const Path*> by_id_;
};

/// What the administrator wrote, independent of any interface that exists. Order within each kind
/// is the order of the files.
struct Config {
  std::vector<std::string> files;  ///< every file read, the first is the top level one
  PathPool paths;
  std::vector<RouteRule> routes;
  std::vector<JoinRule> joins;
  std::vector<InterfaceRule> interfaces;
  std::vector<TableRule> tables;
  std::optional<AutoTables> auto_tables;
  /// `any-source native`: what routes are that say neither `native` nor `learned`.
  bool native_by_default = false;
};

struct Diagnostic {
  enum class Severity : std::uint8_t { error, warning };
  Severity severity = Severity::error;
  std::string file;          ///< empty where the message itself names it
  std::uint32_t line = 0;    ///< 0: about the file as a whole
  std::uint32_t column = 0;  ///< 0: about the whole line
  std::string message;
  /// "FILE:LINE:COLUMN: [warning: ]MESSAGE", without the parts that are 0 or empty.
  [[nodiscard]] std::string to_string() const;
};

/// How the parser gets at files; implemented with system calls outside core, and by tests.
class FileReader {
 public:
  virtual ~FileReader() = default;
  /// The whole file. Fails on a directory, an unreadable or missing file (not_found), and one that
  /// is larger than `limit` bytes (limit_reached with no errno). Messages name the path.
  virtual Result<std::string> read(const std::string& path, std::size_t limit) = 0;
  /// Paths that match a shell pattern, sorted; none is not an error, but an unreadable directory
  /// is.
  virtual Result<std::vector<std::string>> glob(const std::string& pattern) = 0;
};

/// Largest configuration file accepted, in bytes; all included files count together.
inline constexpr std::size_t kMaxConfigBytes = std::size_t{256} << 20;
/// Sources that one `except` may list.
inline constexpr std::size_t kMaxExceptions = 1024;
/// Stop filters that all `except` and `scope` of a configuration may lead to.
inline constexpr std::size_t kMaxExceptionRules = std::size_t{1} << 17;
/// Joins, each of one group and at most one source, that a single line or command may stand for,
/// and all lines of a configuration together.
inline constexpr std::uint64_t kMaxJoinsPerRule = 65536;
inline constexpr std::uint64_t kMaxJoins = 4 * kMaxJoinsPerRule;
/// Parsing gives up after this many errors.
inline constexpr std::size_t kMaxDiagnostics = 50;

struct ParsedConfig {
  Config config;  ///< complete only if there is no error
  /// Errors and warnings, sorted as found. Warnings leave the configuration valid.
  std::vector<Diagnostic> diagnostics;
  [[nodiscard]] bool valid() const;
};

/// Reads `path` and everything it includes. Never looks at the host's interfaces: whether a
/// configuration is valid is the same on every host.
[[nodiscard]] ParsedConfig parse_config(FileReader& reader, const std::string& path);

/// One rule as words, as the control commands and batch lines use them: [table T|vrf V] IIF
/// [SOURCE] GROUP [OIF...].
struct RouteWords {
  Path path;
  Prefix source;
  Prefix group;
};
struct JoinWords {
  InterfacePattern iif;
  std::optional<Prefix> source;
  Prefix group;
  Domain domain{};
};
/// The same checks as for a line of a file. `words` excludes the command itself; `tables` are those
/// that `table NAME` may mean.
[[nodiscard]] Result<RouteWords> parse_route_words(const std::vector<std::string>& words,
                                                   std::span<const TableRule> tables = {});
[[nodiscard]] Result<JoinWords> parse_join_words(const std::vector<std::string>& words,
                                                 std::span<const TableRule> tables = {});
/// What will not happen although the route is accepted, or is seldom meant.
[[nodiscard]] std::vector<std::string> warnings_about(const RouteWords& route);

/// The candidate closest to `word` by edit distance, if close enough to be a slip of the keyboard.
[[nodiscard]] std::optional<std::string_view> closest_match(
    std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace mcast
