#include "mobileone/util/crc32.h"

#include <array>
#include <cstring>

#include "mobileone/util/endian.h"

namespace mobileone {
namespace {

constexpr uint32_t kZip = 0xedb88320;  // polynomials, their bits reversed
constexpr uint32_t kCastagnoli = 0x82f63b78;

/// Entry [k][b]: what a byte b leaves behind after k further bytes of zero.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

template <uint32_t polynomial>
constexpr Tables kTables = [] {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? polynomial : 0);
    tables[0][byte] = value;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t value = tables[k - 1][byte];
      tables[k][byte] = (value >> 8) ^ tables[0][value & 0xff];
    }
  }
  return tables;
}();

/// Eight bytes at a time (Kounavis & Berry 2005).
template <uint32_t polynomial>
uint32_t sliced_crc(std::string_view bytes) {
  constexpr const Tables& t = kTables<polynomial>;
  uint32_t value = ~0u;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    const uint64_t word = little_endian(bytes, 0, 8) ^ value;
    value = 0;
    for (size_t k = 0; k < 8; ++k) value ^= t[7 - k][word >> (8 * k) & 0xff];
  }
  for (const char byte : bytes) {
    value = (value >> 8) ^ t[0][(value ^ static_cast<uint8_t>(byte)) & 0xff];
  }
  return ~value;
}

#if defined(__x86_64__)

/// The instruction takes three cycles, but another can begin in each: three stretches of this many
/// bytes go side by side.
constexpr size_t kStretch = 2048;

/// What a stretch of zeros makes of a value, by the value's four bytes.
using ZerosTable = std::array<std::array<uint32_t, 256>, 4>;

const ZerosTable& stretch_of_zeros() {
  static const ZerosTable table = [] {
    ZerosTable result{};
    for (size_t place = 0; place < 4; ++place) {
      for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t value = byte << (8 * place);
        for (size_t i = 0; i < kStretch; ++i) {
          value = (value >> 8) ^ kTables<kCastagnoli>[0][value & 0xff];
        }
        result[place][byte] = value;
      }
    }
    return result;
  }();
  return table;
}

uint32_t after_zeros(const ZerosTable& zeros, uint64_t value) {
  return zeros[0][value & 0xff] ^ zeros[1][value >> 8 & 0xff] ^ zeros[2][value >> 16 & 0xff] ^
         zeros[3][value >> 24 & 0xff];
}

uint64_t load_word(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

[[gnu::target("sse4.2")]] uint32_t crc32c_by_instruction(std::string_view bytes) {
  static const ZerosTable& zeros = stretch_of_zeros();
  uint64_t value = ~0u;
  for (; bytes.size() >= 3 * kStretch; bytes.remove_prefix(3 * kStretch)) {
    uint64_t second = 0, third = 0;
    for (const char *p = bytes.data(), *end = p + kStretch; p != end; p += 8) {
      value = __builtin_ia32_crc32di(value, load_word(p));
      second = __builtin_ia32_crc32di(second, load_word(p + kStretch));
      third = __builtin_ia32_crc32di(third, load_word(p + 2 * kStretch));
    }
    value = after_zeros(zeros, value) ^ second;
    value = after_zeros(zeros, value) ^ third;
  }
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    value = __builtin_ia32_crc32di(value, load_word(bytes.data()));
  }
  auto rest = static_cast<uint32_t>(value);
  for (const char byte : bytes) rest = __builtin_ia32_crc32qi(rest, static_cast<uint8_t>(byte));
  return ~rest;
}

#endif

}  // namespace

uint32_t crc32(std::string_view bytes) { return sliced_crc<kZip>(bytes); }

uint32_t crc32c(std::string_view bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return crc32c_by_instruction(bytes);
#endif
  return portable_crc32c(bytes);
}

uint32_t portable_crc32c(std::string_view bytes) { return sliced_crc<kCastagnoli>(bytes); }

}  // namespace mobileone
