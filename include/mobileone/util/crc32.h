#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mobileone {

/// The table of a cyclic redundancy check whose polynomial is given with its bits reversed.
template <uint32_t polynomial>
inline constexpr auto kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? polynomial : 0);
    table[i] = value;
  }
  return table;
}();

template <uint32_t polynomial>
constexpr uint32_t crc(std::string_view bytes) {
  uint32_t value = ~0u;
  for (const char byte : bytes) {
    value = (value >> 8) ^ kCrcTable<polynomial>[(value ^ static_cast<uint8_t>(byte)) & 0xff];
  }
  return ~value;
}

/// The check sum of zip and PNG (ISO 3309).
constexpr uint32_t crc32(std::string_view bytes) { return crc<0xedb88320>(bytes); }

/// Castagnoli's, of TFRecord files (RFC 3720, appendix B.4).
constexpr uint32_t crc32c(std::string_view bytes) { return crc<0x82f63b78>(bytes); }

}  // namespace mobileone
