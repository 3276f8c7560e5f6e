// SPDX-License-Identifier: BSD-2-Clause
//
// The part of the parser that deals with files.
#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "core/config_parser.hpp"

namespace mcast {
namespace {

/// Symbolic links can give one file endless names; nobody nests this deep on purpose.
constexpr std::size_t kMaxIncludeDepth = 32;

constexpr std::string_view kGlobCharacters = "*?[";

std::string normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

std::string escape_glob(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || kGlobCharacters.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

ParsedConfig ConfigParser::run(const std::string& path) {
  parse_file(path, nullptr);
  settle_tables();
  settle_any_source();
  if (!diagnostics_.full()) check_config(result_.config, diagnostics_);
  result_.config.routes.shrink_to_fit();
  result_.config.joins.shrink_to_fit();
  result_.diagnostics = diagnostics_.take();
  return std::move(result_);
}

void ConfigParser::parse_file(const std::string& path, const Word* by) {
  auto& files = result_.config.files;
  auto text = reader_.read(path, bytes_left_);
  const auto report = [&](std::string message) {
    if (by == nullptr) return diagnostics_.error("", 0, 0, std::move(message));
    error(*by, std::move(message));
  };
  if (!text && text.error().code == ErrorCode::limit_reached && text.error().os_errno == 0) {
    return report(fmt::format("{}: too large: all files together may have {} MiB", printable(path),
                              kMaxConfigBytes >> 20));
  }
  if (!text) return report(printable(text.error().message));
  if (text->find('\0') != std::string::npos) {
    return report(fmt::format("{}: a binary file (it holds NUL bytes); a configuration is text",
                              printable(path)));
  }
  bytes_left_ -= std::min(bytes_left_, text->size());

  const std::uint32_t parent = file_;
  file_ = static_cast<std::uint32_t>(files.size());
  files.push_back(path);
  open_.push_back({file_, normal(path)});
  reserve_routes(*text);
  parse_text(*text);
  open_.pop_back();
  file_ = parent;
}

void ConfigParser::parse_include(std::span<const Word> words) {
  if (words.size() < 2) return error(words[0], "include needs a file name or pattern after it");
  if (words.size() > 2) {
    return error(words[2], fmt::format("{}: include takes one file name or pattern per line",
                                       in_quotes(words[2].text)));
  }
  const Word& name = words[1];
  if (name.text.find_first_of(kGlobCharacters) == std::string_view::npos) {
    const std::string path = resolve(name.text, false);
    if (may_include(path, name)) parse_file(path, &name);
    return;
  }
  const auto paths = reader_.glob(resolve(name.text, true));
  if (!paths)
    return error(name, fmt::format("{}: {}", in_quotes(name.text), paths.error().message));
  for (const std::string& path : *paths) {
    if (diagnostics_.full()) return;
    if (may_include(path, name)) parse_file(path, &name);
  }
}

bool ConfigParser::may_include(const std::string& path, const Word& by) {
  const std::string key = normal(path);
  const auto& files = result_.config.files;
  const auto seen =
      std::ranges::find_if(open_, [&](const OpenFile& open) { return open.key == key; });
  if (seen != open_.end()) {
    std::string chain;
    for (auto file = seen; file != open_.end(); ++file)
      chain += printable(files[file->file]) + " -> ";
    error(by, fmt::format("include cycle: {}{}", chain, printable(path)));
    return false;
  }
  if (open_.size() >= kMaxIncludeDepth) {
    error(by, fmt::format("{}: includes are nested deeper than {} files", in_quotes(path),
                          kMaxIncludeDepth));
    return false;
  }
  const auto [first, added] = included_.try_emplace(key, where(by));
  if (!added) {
    warning(by, fmt::format("{}: already included at {}, not read again", in_quotes(path),
                            place(first->second)));
  }
  return added;
}

/// Relative names are relative to the directory of the file that names them.
std::string ConfigParser::resolve(std::string_view pattern, bool escape) const {
  if (pattern.starts_with('/')) return std::string(pattern);
  const std::string& file = result_.config.files[file_];
  const std::size_t slash = file.rfind('/');
  if (slash == std::string::npos) return std::string(pattern);
  const std::string_view directory = std::string_view(file).substr(0, slash + 1);
  return (escape ? escape_glob(directory) : std::string(directory)) + std::string(pattern);
}

/// One allocation for the routes of a file, rather than doubling through twice the memory.
void ConfigParser::reserve_routes(std::string_view text) {
  auto& routes = result_.config.routes;
  constexpr std::string_view kKeyword = "\nmroute";
  std::size_t lines = 1;
  for (auto at = text.find(kKeyword); at != std::string_view::npos;
       at = text.find(kKeyword, at + kKeyword.size())) {
    ++lines;
  }
  const std::size_t needed = routes.size() + lines;
  // Many small files must not lead to a copy for each.
  if (needed > routes.capacity()) {
    routes.reserve(open_.size() == 1 ? needed : std::max(needed, 2 * routes.capacity()));
  }
}

}  // namespace mcast
