// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include <libmnl/libmnl.h>

/// How rtnetlink messages are taken apart. Whatever the bytes are, nothing outside of them is read.
namespace mcast::netlink {

/// libmnl's macro for this does not compile as C++ and reads up to three bytes too far.
template <class Visit>
void for_each_attribute(const void* begin, std::size_t length, Visit&& visit) {
  const auto* attribute = static_cast<const nlattr*>(begin);
  const auto* end = static_cast<const char*>(begin) + length;
  const auto left = [&] {
    return static_cast<int>(end - static_cast<const char*>(static_cast<const void*>(attribute)));
  };
  while (mnl_attr_ok(attribute, left())) {
    visit(*attribute);
    attribute = mnl_attr_next(attribute);
  }
}

template <class Visit>
void for_each_nested(const nlattr& nest, Visit&& visit) {
  for_each_attribute(mnl_attr_get_payload(&nest), mnl_attr_get_payload_len(&nest), visit);
}

/// The fixed part of a message, and its attributes.
template <class Header>
struct Body {
  Header header;
  const void* attributes;
  std::size_t length;
};

template <class Header>
std::optional<Body<Header>> split(const nlmsghdr& message) {
  const std::size_t payload = mnl_nlmsg_get_payload_len(&message);
  if (payload < sizeof(Header)) return std::nullopt;
  static_assert(sizeof(Header) % MNL_ALIGNTO == 0);
  Body<Header> body{};
  std::memcpy(&body.header, mnl_nlmsg_get_payload(&message), sizeof(Header));
  body.attributes = mnl_nlmsg_get_payload_offset(&message, sizeof(Header));
  body.length = payload - sizeof(Header);
  return body;
}

inline std::string_view bytes_of(const nlattr& attribute) {
  return {static_cast<const char*>(mnl_attr_get_payload(&attribute)),
          mnl_attr_get_payload_len(&attribute)};
}

inline std::string_view text_of(const nlattr& attribute) {
  const auto bytes = bytes_of(attribute);
  return bytes.substr(0, bytes.find('\0'));
}

/// 0 if the attribute is too short.
inline std::uint32_t number_of(const nlattr& attribute) {
  return mnl_attr_validate(&attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(&attribute);
}

}  // namespace mcast::netlink
