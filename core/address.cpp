// SPDX-License-Identifier: BSD-2-Clause
#include "core/address.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>

#include <fmt/format.h>

namespace mcast {
namespace {

constexpr std::size_t kV6Words = 8;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// nullptr on success, otherwise the reason. Parsing a hundred thousand addresses must not build
/// an error message each, hence no Result down here.
const char* parse_v4(std::string_view text, std::uint8_t* out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (p == end || *p != '.') return "an IPv4 address has four decimal parts";
      ++p;
    }
    if (p == end || !is_digit(*p)) return "an IPv4 address has four decimal parts";
    const char* const first = p;
    unsigned value = 0;
    while (p != end && is_digit(*p)) {
      value = value * 10 + static_cast<unsigned>(*p - '0');
      ++p;
      if (value > 255) return "each part of an IPv4 address is at most 255";
    }
    if (*first == '0' && p - first > 1) {
      return "a leading zero is ambiguous (octal or decimal?); remove it";
    }
    out[part] = static_cast<std::uint8_t>(value);
  }
  return p == end ? nullptr : "an IPv4 address has four decimal parts";
}

/// The 16-bit words of one side of "::".
struct V6Words {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t used = 0;  ///< in bytes
};

const char* parse_v6_word(std::string_view word, V6Words& out) {
  if (word.empty() || word.size() > 4) {
    return "the parts of an IPv6 address have one to four hexadecimal digits";
  }
  unsigned value = 0;
  for (const char c : word) {
    const int digit = hex_value(c);
    if (digit < 0) return "the parts of an IPv6 address have one to four hexadecimal digits";
    value = value << 4 | static_cast<unsigned>(digit);
  }
  out.bytes[out.used++] = static_cast<std::uint8_t>(value >> 8);
  out.bytes[out.used++] = static_cast<std::uint8_t>(value);
  return nullptr;
}

const char* parse_v6_words(std::string_view text, bool may_end_in_v4, V6Words& out) {
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view word = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    const bool quad = last && may_end_in_v4 && word.find('.') != std::string_view::npos;
    if (out.used + (quad ? 4 : 2) > out.bytes.size()) return "an IPv6 address has eight parts";
    if (quad) {
      out.used += 4;
      return parse_v4(word, &out.bytes[out.used - 4]);
    }
    if (const char* reason = parse_v6_word(word, out)) return reason;
    if (last) return nullptr;
    text.remove_prefix(colon + 1);
    if (text.empty()) return "an IPv6 address does not end in a single \":\"";
  }
  return nullptr;
}

const char* parse_v6(std::string_view text, std::array<std::uint8_t, 16>& out) {
  if (text.find('%') != std::string_view::npos) {
    return "a zone (%INTERFACE) has no place here; name the interface by its own keyword";
  }
  V6Words head;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (const char* reason = parse_v6_words(text, true, head)) return reason;
    if (head.used != 2 * kV6Words) return "an IPv6 address has eight parts, or \"::\" once";
    out = head.bytes;
    return nullptr;
  }
  V6Words tail;
  const std::string_view rest = text.substr(gap + 2);
  if (rest.find("::") != std::string_view::npos) return "\"::\" may appear once";
  if (const char* reason = parse_v6_words(text.substr(0, gap), false, head)) return reason;
  if (const char* reason = parse_v6_words(rest, true, tail)) return reason;
  if (head.used + tail.used >= 2 * kV6Words) return "an IPv6 address has eight parts";
  out = head.bytes;
  std::copy_n(tail.bytes.begin(), tail.used, out.end() - static_cast<std::ptrdiff_t>(tail.used));
  return nullptr;
}

const char* parse_address(std::string_view text, Address& out) {
  if (text.find(':') == std::string_view::npos) {
    std::array<std::uint8_t, 4> octets{};
    if (text.empty() || !is_digit(text.front())) return "not an IPv4 or IPv6 address";
    const char* reason = parse_v4(text, octets.data());
    if (reason == nullptr) out = Address::from_v4(octets);
    return reason;
  }
  std::array<std::uint8_t, 16> octets{};
  if (const char* reason = parse_v6(text, octets)) return reason;
  out = Address::from_v6(octets);
  return out.family() == Family::ipv4
             ? "an IPv4-mapped IPv6 address is never seen on the wire; write the IPv4 address"
             : nullptr;
}

/// -1 if `text` is not a plain decimal number of at most three digits.
int parse_length(std::string_view text) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return -1;
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// Where the longest run of at least two zero words begins and how many words it has (RFC 5952,
/// 4.2.2 and 4.2.3: not for a single word; of equal runs the first).
struct ZeroRun {
  std::size_t first = kV6Words;
  std::size_t count = 0;
};

ZeroRun longest_zero_run(const std::array<unsigned, kV6Words>& words) {
  ZeroRun best;
  for (std::size_t i = 0; i < kV6Words;) {
    std::size_t j = i;
    while (j < kV6Words && words[j] == 0) ++j;
    if (j - i >= 2 && j - i > best.count) best = {i, j - i};
    i = std::max(j, i + 1);
  }
  return best;
}

std::string v6_to_string(std::span<const std::uint8_t, 16> bytes) {
  std::array<unsigned, kV6Words> words{};
  for (std::size_t i = 0; i < kV6Words; ++i) {
    words[i] = static_cast<unsigned>(bytes[2 * i]) << 8 | bytes[2 * i + 1];
  }
  const ZeroRun gap = longest_zero_run(words);
  std::string text;
  for (std::size_t i = 0; i < kV6Words;) {
    if (i == gap.first) {
      text += "::";
      i += gap.count;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    fmt::format_to(std::back_inserter(text), "{:x}", words[i]);
    ++i;
  }
  return text;
}

std::uint64_t load_word(const std::uint8_t* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// One multiplication and shift per eight bytes; each step is a bijection of the state, so two
/// inputs that differ in one word never collide before the last fold.
std::uint64_t mix(std::uint64_t state, std::uint64_t word) {
  state = (state ^ word) * 0x9e3779b97f4a7c15U;
  return state ^ state >> 32;
}

std::uint64_t mix_address(std::uint64_t state, const Address& address) {
  const auto bytes = address.mapped();
  return mix(mix(state, load_word(bytes.data())), load_word(bytes.data() + 8));
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  Address address;
  if (const char* reason = parse_address(text, address)) {
    return fail(ErrorCode::invalid_argument, reason);
  }
  return address;
}

bool Address::is_multicast() const {
  return family() == Family::ipv4 ? bytes_[12] >> 4 == 0xe : bytes_[0] == 0xff;
}

bool Address::is_unspecified() const {
  return *this == unspecified(family());
}

bool Address::is_link_scoped_group() const {
  if (family() == Family::ipv4) return bytes_[12] == 224 && bytes_[13] == 0 && bytes_[14] == 0;
  const unsigned scope = bytes_[1] & 0xfU;
  return bytes_[0] == 0xff && (scope == 1 || scope == 2);
}

std::string Address::to_string() const {
  if (family() == Family::ipv6) return v6_to_string(bytes_);
  return fmt::format("{}.{}.{}.{}", bytes_[12], bytes_[13], bytes_[14], bytes_[15]);
}

Prefix::Prefix(const Address& address, unsigned length) {
  const bool v4 = address.family() == Family::ipv4;
  assert(length <= address.bits());
  length_ = static_cast<std::uint8_t>(length);
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.mapped(), bytes.begin());
  const unsigned kept = length + (v4 ? 96 : 0);
  for (std::size_t i = kept / 8; i < bytes.size(); ++i) {
    const unsigned bits = i == kept / 8 ? kept % 8 : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> bits));
  }
  address_ = Address::from_v6(bytes);
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  Address address;
  if (const char* reason = parse_address(text.substr(0, slash), address)) {
    return fail(ErrorCode::invalid_argument, reason);
  }
  if (slash == std::string_view::npos) return Prefix(address);
  const int length = parse_length(text.substr(slash + 1));
  if (length < 0 || static_cast<unsigned>(length) > address.bits()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the prefix length of an {} address is a number from 0 to {}",
                            mcast::to_string(address.family()), address.bits()));
  }
  return Prefix(address, static_cast<unsigned>(length));
}

bool Prefix::contains(const Address& address) const {
  return address.family() == family() && Prefix(address, length_).address_ == address_;
}

bool Prefix::contains(const Prefix& other) const {
  return other.length_ >= length_ && contains(other.address_);
}

std::uint64_t Prefix::size() const {
  const unsigned host_bits = address_.bits() - length_;
  return std::uint64_t{1} << std::min(host_bits, 63U);
}

Address Prefix::at(std::uint64_t n) const {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address_.mapped(), bytes.begin());
  // Host bits are zero and n has no more bits than they, so that nothing is carried.
  for (std::size_t i = bytes.size(); n != 0; n >>= 8) {
    --i;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] | (n & 0xff));
  }
  return Address::from_v6(bytes);
}

std::string Prefix::to_string() const {
  std::string text = address_.to_string();
  if (!is_host()) fmt::format_to(std::back_inserter(text), "/{}", length_);
  return text;
}

std::string FlowKey::to_string() const {
  return fmt::format("({}, {})", source.is_unspecified() ? "*" : source.to_string(),
                     group.to_string());
}

}  // namespace mcast

std::size_t std::hash<mcast::Address>::operator()(const mcast::Address& address) const noexcept {
  return mcast::mix(mcast::mix_address(0, address), 0);
}

std::size_t std::hash<mcast::FlowKey>::operator()(const mcast::FlowKey& flow) const noexcept {
  return mcast::mix(mcast::mix_address(mcast::mix_address(0, flow.source), flow.group), 0);
}
