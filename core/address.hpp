// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace mcast {

enum class Family : std::uint8_t { ipv4, ipv6 };

[[nodiscard]] constexpr std::string_view to_string(Family family) {
  return family == Family::ipv4 ? "IPv4" : "IPv6";
}

/// An IPv4 or IPv6 address in 16 bytes, network order. IPv4 is held in its mapped form
/// (::ffff:a.b.c.d), so that a hundred thousand flows cost no separate family field; a mapped
/// address is therefore never an IPv6 address here, and `parse` refuses that notation.
class Address {
 public:
  /// The unspecified IPv6 address.
  constexpr Address() = default;

  [[nodiscard]] static constexpr Address from_v4(std::span<const std::uint8_t, 4> octets) {
    Address a;
    a.bytes_[10] = a.bytes_[11] = 0xff;
    for (std::size_t i = 0; i < 4; ++i) a.bytes_[12 + i] = octets[i];
    return a;
  }
  [[nodiscard]] static constexpr Address from_v6(std::span<const std::uint8_t, 16> octets) {
    Address a;
    for (std::size_t i = 0; i < 16; ++i) a.bytes_[i] = octets[i];
    return a;
  }
  /// 0.0.0.0 or ::
  [[nodiscard]] static constexpr Address unspecified(Family family) {
    constexpr std::array<std::uint8_t, 4> zero{};
    return family == Family::ipv4 ? from_v4(zero) : Address();
  }
  /// Dotted quad (four decimal parts, as inet_pton(3)) or RFC 4291 text, without zone.
  [[nodiscard]] static Result<Address> parse(std::string_view text);

  [[nodiscard]] constexpr Family family() const {
    const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
    const bool mapped = words[0] == 0 && bytes_[8] == 0 && bytes_[9] == 0 && bytes_[10] == 0xff &&
                        bytes_[11] == 0xff;
    return mapped ? Family::ipv4 : Family::ipv6;
  }
  /// The address in network order: 4 bytes for IPv4, 16 for IPv6. Lives as long as this object.
  [[nodiscard]] std::span<const std::uint8_t> octets() const {
    const std::span<const std::uint8_t> all(bytes_);
    return family() == Family::ipv4 ? all.subspan(12) : all;
  }
  [[nodiscard]] constexpr std::span<const std::uint8_t, 16> mapped() const { return bytes_; }
  [[nodiscard]] constexpr unsigned bits() const { return family() == Family::ipv4 ? 32 : 128; }

  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_unspecified() const;
  /// 224.0.0.0/24, or IPv6 scopes interface-local and link-local: no kernel forwards these.
  [[nodiscard]] bool is_link_scoped_group() const;

  /// RFC 5952 text for IPv6.
  [[nodiscard]] std::string to_string() const;

  constexpr auto operator<=>(const Address&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

/// An address with a prefix length in bits of its own family; host bits are zero.
class Prefix {
 public:
  constexpr Prefix() = default;
  /// A host prefix (/32 or /128).
  explicit constexpr Prefix(const Address& host)
      : address_(host), length_(static_cast<std::uint8_t>(host.bits())) {}
  /// Clears host bits. `length` must be at most `address.bits()`.
  Prefix(const Address& address, unsigned length);

  [[nodiscard]] static Prefix any(Family family) { return {Address::unspecified(family), 0}; }
  /// ADDR or ADDR/LEN. Host bits set below the length are cleared, as SMCRoute does.
  [[nodiscard]] static Result<Prefix> parse(std::string_view text);

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] unsigned length() const { return length_; }
  [[nodiscard]] Family family() const { return address_.family(); }
  [[nodiscard]] bool is_host() const { return length_ == address_.bits(); }
  /// Every address of the family: length 0.
  [[nodiscard]] bool is_any() const { return length_ == 0; }
  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] bool contains(const Prefix& other) const;
  /// How many addresses it covers, saturating at 2^63.
  [[nodiscard]] std::uint64_t size() const;
  /// The n-th address of the prefix; n < size().
  [[nodiscard]] Address at(std::uint64_t n) const;

  /// Without "/LEN" for a host.
  [[nodiscard]] std::string to_string() const;

  auto operator<=>(const Prefix&) const = default;

 private:
  Address address_;
  std::uint8_t length_ = 128;
};

/// (S,G): what the kernel's forwarding cache is keyed by.
struct FlowKey {
  Address source;
  Address group;
  constexpr auto operator<=>(const FlowKey&) const = default;
  [[nodiscard]] constexpr Family family() const { return group.family(); }
  /// "(10.0.0.9, 225.1.2.3)"; "*" for an unspecified source.
  [[nodiscard]] std::string to_string() const;
};

}  // namespace mcast

template <>
struct std::hash<mcast::Address> {
  std::size_t operator()(const mcast::Address& address) const noexcept;
};

template <>
struct std::hash<mcast::FlowKey> {
  std::size_t operator()(const mcast::FlowKey& flow) const noexcept;
};
