// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Reading JSON values of unknown origin into our types without exceptions. Every `read` says
/// whether the value had the type asked for.
namespace mcast::ipc {

using Json = nlohmann::json;

/// Specialised for the enumerations that appear in messages: `kValues` pairs each with its text.
template <class E>
struct EnumNames;

template <class E>
concept NamedEnum = requires { EnumNames<E>::kValues.size(); };

template <NamedEnum E>
[[nodiscard]] constexpr std::string_view name_of(E value) {
  for (const auto& [candidate, name] : EnumNames<E>::kValues) {
    if (candidate == value) return name;
  }
  return {};
}

template <NamedEnum E>
[[nodiscard]] bool read(const Json& value, E& out) {
  if (!value.is_string()) return false;
  for (const auto& [candidate, name] : EnumNames<E>::kValues) {
    if (name == value.get_ref<const std::string&>()) {
      out = candidate;
      return true;
    }
  }
  return false;
}

/// Specialised for our structs: `read` fills one from an object.
template <class T>
struct ObjectShape;

template <class T>
concept Shaped = requires(const Json& value, T& out) { ObjectShape<T>::read(value, out); };

template <Shaped T>
[[nodiscard]] bool read(const Json& value, T& out) {
  return ObjectShape<T>::read(value, out);
}

[[nodiscard]] inline bool read(const Json& value, std::string& out) {
  if (!value.is_string()) return false;
  out = value.get_ref<const std::string&>();
  return true;
}

[[nodiscard]] inline bool read(const Json& value, bool& out) {
  if (!value.is_boolean()) return false;
  out = value.get<bool>();
  return true;
}

template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
[[nodiscard]] bool read(const Json& value, T& out) {
  if (!value.is_number_unsigned()) return false;
  const auto number = value.get<std::uint64_t>();
  if (number > std::numeric_limits<T>::max()) return false;
  out = static_cast<T>(number);
  return true;
}

template <class T>
[[nodiscard]] bool read(const Json& value, std::optional<T>& out) {
  if (value.is_null()) {
    out.reset();
    return true;
  }
  return read(value, out.emplace());
}

template <class T>
[[nodiscard]] bool read(const Json& value, std::vector<T>& out) {
  if (!value.is_array()) return false;
  out.clear();
  out.reserve(value.size());
  for (const auto& element : value) {
    if (!read(element, out.emplace_back())) return false;
  }
  return true;
}

/// Reads the members of one object and remembers the first that is missing or of a wrong type.
class Members {
 public:
  explicit Members(const Json& value) : object_(value) {
    if (!object_.is_object()) fault_ = "parameters";
  }

  template <class T>
  Members& required(const char* name, T& out) {
    return member(name, out, true);
  }
  /// Leaves `out` as it is when there is no such member.
  template <class T>
  Members& optional(const char* name, T& out) {
    return member(name, out, false);
  }
  /// Makes a member that was not asked for a fault.
  Members& no_others() {
    if (fault_ || found_.size() == object_.size()) return *this;
    for (const auto& [name, value] : object_.items()) {
      bool known = false;
      for (const auto* asked : found_) known = known || name == asked;
      if (!known) {
        fault_ = name;
        break;
      }
    }
    return *this;
  }

  [[nodiscard]] bool ok() const { return !fault_; }
  /// The name of the member at fault.
  [[nodiscard]] const std::optional<std::string>& fault() const { return fault_; }

 private:
  template <class T>
  Members& member(const char* name, T& out, bool required) {
    if (fault_) return *this;
    const auto found = object_.find(name);
    if (found == object_.end()) {
      if (required) fault_ = name;
      return *this;
    }
    found_.push_back(name);
    if (!read(*found, out)) fault_ = name;
    return *this;
  }

  const Json& object_;
  std::vector<const char*> found_;
  std::optional<std::string> fault_;
};

}  // namespace mcast::ipc
