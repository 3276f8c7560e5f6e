// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/config.hpp"
#include "core/config_lexer.hpp"
#include "core/diagnostics.hpp"

namespace mcast {

/// Reads a file and what it includes into a Config. One use per object.
class ConfigParser {
 public:
  explicit ConfigParser(FileReader& reader) : reader_(reader) {}
  [[nodiscard]] ParsedConfig run(const std::string& path);

 private:
  /// The words after `table` and `vrf`; null where the keyword is absent.
  struct DomainWords {
    const Word* table = nullptr;
    const Word* vrf = nullptr;
  };
  /// The words of an mroute or mgroup line by their keyword; null where the keyword is absent.
  struct Clauses {
    const Word* from = nullptr;
    const Word* source = nullptr;
    const Word* group = nullptr;
    const Word* except = nullptr;  ///< the keyword
    std::span<const Word> excepted;
    const Word* scope = nullptr;  ///< the keyword; two words follow it
    const Word* join = nullptr;
    const Word* native = nullptr;
    const Word* learned = nullptr;
    DomainWords domain;
    std::span<const Word> oifs;
  };
  struct Flow {
    std::optional<Prefix> source;  ///< none: any source
    Prefix group;
    [[nodiscard]] Prefix source_prefix() const {
      return source.value_or(Prefix::any(group.family()));
    }
  };
  /// What a route's `except` and `scope` leave out.
  struct Exceptions {
    std::vector<Prefix> sources;
    std::vector<Prefix> groups;
  };
  struct OpenFile {
    std::uint32_t file = 0;
    std::string key;  ///< its path without "." and "..", to tell files apart by
  };
  /// The name of a table, used before a line declared it; it stands for a number that no table has.
  struct EarlyName {
    std::string text;
    std::uint32_t file = 0;
    Word at;  ///< without its text
  };
  /// A path met before, by its text, so that equal lines need no second look at it.
  struct KnownPath {
    PathId id;
    bool has_warnings = false;  ///< each line gets its own
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  void parse_text(std::string_view text);
  void parse_line(std::span<const Word> words);
  void parse_mroute(std::span<const Word> words);
  void parse_mgroup(std::span<const Word> words);
  void parse_phyint(std::span<const Word> words);
  void parse_include(std::span<const Word> words);
  void parse_any_source(std::span<const Word> words);

  // config_clauses.cpp
  std::optional<Clauses> read_clauses(std::span<const Word> words);
  const Word** slot_of(Clauses& clauses, std::string_view keyword);
  bool require_from(const Clauses& clauses, const Word& statement);
  bool take_argument(std::span<const Word> words, std::size_t at, const Word** slot);
  bool read_option(Clauses& clauses, const Word& word);
  std::size_t read_except(Clauses& clauses, std::span<const Word> words, std::size_t at);
  std::size_t read_scope(Clauses& clauses, std::span<const Word> words, std::size_t at);
  std::size_t read_route_clause(Clauses& clauses, std::span<const Word> words, std::size_t at);
  bool read_outputs(Clauses& clauses, std::span<const Word> words);
  bool check_misplaced(const Clauses& clauses, std::span<const Word> words, std::size_t at);
  void unexpected_word(const Clauses& clauses, const Word& statement, const Word& word);
  std::optional<Flow> read_flow(const Clauses& clauses, const Word& statement);

  // config_tables.cpp
  static const Word** slot_of(DomainWords& words, std::string_view keyword);
  /// None after an error. Without a family the line is about both.
  std::optional<Domain> read_domain(const DomainWords& words, std::optional<Family> family);
  std::optional<TableId> read_table(const Word& word, std::optional<Family> family);
  void parse_table(std::span<const Word> words);
  bool read_table_clause(std::span<const Word> words, std::size_t& at, TableRule& rule);
  bool read_table_name(std::span<const Word> words, std::size_t& at, TableRule& rule);
  bool read_claims(std::span<const Word> words, TableRule& rule);
  void add_table(std::span<const Word> words, TableRule rule);
  void parse_tables(std::span<const Word> words);
  std::optional<AutoTables> read_range(const Word& word);
  void settle_tables();
  std::vector<TableId> early_numbers();
  void check_auto_tables();

  // config_options.cpp
  std::optional<Exceptions> read_exceptions(const Clauses& clauses, const Flow& flow);
  bool read_excepted(const Clauses& clauses, const Flow& flow, std::vector<Prefix>& sources);
  std::optional<Prefix> read_excepted_source(const Word& item, const Prefix& source,
                                             const Prefix& group);
  void drop_repeated(const std::vector<Word>& items, std::vector<Prefix>& sources);
  bool read_scope_filter(const Clauses& clauses, const Flow& flow, std::vector<Prefix>& groups);
  bool check_options(const Clauses& clauses, const Flow& flow, const Exceptions& exceptions);
  bool check_native(const Word& native, const Flow& flow, const Exceptions& exceptions);
  void add_route(const Clauses& clauses, const Flow& flow, PathId path, Location where,
                 const Exceptions& exceptions);
  void add_join(const Clauses& clauses, const Flow& flow, const Domain& domain,
                const Word& statement, bool by_route);
  void settle_any_source();

  std::optional<PathId> read_path(const Clauses& clauses, const Word& statement,
                                  const Domain& domain);
  std::optional<KnownPath> build_path(const Clauses& clauses, const Domain& domain);
  bool read_phyint_word(std::span<const Word> words, std::size_t& at, InterfaceRule& rule,
                        DomainWords& domain);
  bool read_threshold(std::span<const Word> words, std::size_t& at, InterfaceRule& rule);

  /// Reads and parses one file; `by` is the word that includes it, null for the top level.
  void parse_file(const std::string& path, const Word* by);
  bool may_include(const std::string& path, const Word& by);
  [[nodiscard]] std::string resolve(std::string_view pattern, bool escape) const;
  void reserve_routes(std::string_view text);

  void error(const Word& at, std::string message);
  void warning(const Word& at, std::string message);
  [[nodiscard]] Location where(const Word& word) const { return {file_, word.line}; }
  [[nodiscard]] std::string place(Location where) const;

  FileReader& reader_;
  ParsedConfig result_;
  DiagnosticList diagnostics_;
  std::uint32_t file_ = 0;                              ///< the one being parsed
  std::vector<OpenFile> open_;                          ///< from the top level file down to it
  std::unordered_map<std::string, Location> included_;  ///< by OpenFile::key
  std::size_t bytes_left_ = kMaxConfigBytes;
  std::unordered_map<std::string, KnownPath, TextHash, std::equal_to<>> known_paths_;
  std::string path_text_;  ///< scratch, and the text of last_path_
  std::string last_path_text_;
  KnownPath last_path_;

  struct AnySource {
    bool native = false;
    Location where;
  };
  std::optional<AnySource> any_source_;
  /// Numbers of the routes that say `native` or `learned`, ascending.
  std::vector<std::uint32_t> chosen_;

  std::map<TableId, Location> declared_;
  std::map<std::string, TableId, std::less<>> table_names_;
  std::map<InterfacePattern, Location> claimed_;  ///< by the `iif` of a table
  std::vector<EarlyName> early_names_;
  std::unordered_map<std::string, TableId, TextHash, std::equal_to<>> early_numbers_;
  std::map<TableId, Location> written_;  ///< numbers after `table` on other lines, where first
  Word auto_range_;                      ///< without its text

  std::size_t exceptions_ = 0;  ///< rules that came of `except` and `scope` so far
  std::uint64_t joins_ = 0;     ///< that all lines so far stand for
};

/// Looks for repetitions and contradictions between lines, which may be in any order and file.
/// Settles phyint lines that say neither enable nor disable.
void check_config(Config& config, DiagnosticList& diagnostics);

}  // namespace mcast
