// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "platform/posix/os_error.hpp"
#include "platform/posix/process.hpp"

namespace mcast::platform {
namespace {

template <class Id>
std::optional<Id> to_id(std::string_view text) {
  Id id{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  // The highest value stands for "leave it as it is" in setresuid(2).
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || id == std::numeric_limits<Id>::max()) return std::nullopt;
  return id;
}

/// Calls getpwnam_r(3) or one of its kin with a buffer that is large enough.
template <class Entry, class Call>
Result<std::optional<Entry>> look_up(std::string_view what, std::vector<char>& buffer, Call call) {
  Entry entry{};
  Entry* found = nullptr;
  int error = 0;
  buffer.resize(1024);
  while ((error = call(&entry, buffer.data(), buffer.size(), &found)) == ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  if (found != nullptr) return entry;
  // Many systems report an absent entry by one of these (getpwnam(3)).
  if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
    return std::nullopt;
  }
  return std::unexpected(os_error("account database", error, what));
}

Result<Account> find_user(const std::string& text) {
  std::vector<char> buffer;
  auto entry = TRY(look_up<passwd>(
      text, buffer, [&](auto... arguments) { return ::getpwnam_r(text.c_str(), arguments...); }));
  const auto id = to_id<uid_t>(text);
  if (!entry && id) {
    entry = TRY(look_up<passwd>(
        text, buffer, [&](auto... arguments) { return ::getpwuid_r(*id, arguments...); }));
  }
  if (!entry) return fail(ErrorCode::not_found, fmt::format("\"{}\": no such user", text));
  return Account{entry->pw_name, entry->pw_uid, entry->pw_gid};
}

Result<gid_t> find_group(const std::string& text) {
  std::vector<char> buffer;
  const auto entry = TRY(look_up<group>(
      text, buffer, [&](auto... arguments) { return ::getgrnam_r(text.c_str(), arguments...); }));
  if (entry) return entry->gr_gid;
  if (const auto id = to_id<gid_t>(text)) return *id;
  return fail(ErrorCode::not_found, fmt::format("\"{}\": no such group", text));
}

}  // namespace

Result<Account> find_account(const std::string& user_and_group) {
  const auto colon = user_and_group.find(':');
  Account account = TRY(find_user(user_and_group.substr(0, colon)));
  if (colon != std::string::npos) {
    account.gid = TRY(find_group(user_and_group.substr(colon + 1)));
  }
  return account;
}

}  // namespace mcast::platform
