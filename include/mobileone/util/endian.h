#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mobileone {

/// The unsigned number that `length` ≤ 8 bytes from `offset` on hold, which the caller has seen to
/// be there.
constexpr uint64_t read_number(std::string_view bytes, size_t offset, size_t length,
                               std::endian order) {
  uint64_t value = 0;
  for (size_t i = 0; i < length; ++i) {
    const size_t place = order == std::endian::big ? i : length - 1 - i;
    value = value << 8 | static_cast<unsigned char>(bytes[offset + place]);
  }
  return value;
}

constexpr uint64_t little_endian(std::string_view bytes, size_t offset, size_t length) {
  return read_number(bytes, offset, length, std::endian::little);
}

constexpr uint64_t big_endian(std::string_view bytes, size_t offset, size_t length) {
  return read_number(bytes, offset, length, std::endian::big);
}

/// Appends the lowest `length` bytes of a number, the lowest first.
constexpr void append_little_endian(std::string& bytes, uint64_t value, size_t length) {
  for (size_t i = 0; i < length; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
}

}  // namespace mobileone
