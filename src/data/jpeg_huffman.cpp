#include "jpeg_huffman.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mobileone {
namespace {

/// Behind a scan, what a block and the word after it may read: 64 codes of 16 bits with values of
/// 15.
constexpr size_t kPadding = 264;
constexpr int kCoefficients = 64;

constexpr std::array<uint8_t, kCoefficients> kZigzag = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

uint64_t load_big_endian(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return std::endian::native == std::endian::big ? word : __builtin_bswap64(word);
}

/// What `size` bits stand for: those that begin with 0, negative values (T.81, F.1.2.1).
int value_of(int bits, int size) {
  const int is_negative = (bits - ((1 << size) >> 1)) >> 31;  // -1 if so
  return bits + (is_negative & (1 - (1 << size)));
}

}  // namespace

void HuffmanDecoder::start(std::string_view scan) {
  bytes_.resize(scan.size() + kPadding);
  uint8_t* out = bytes_.data();
  while (!scan.empty()) {
    const size_t length = std::min(scan.find('\xff'), scan.size());
    out = std::copy_n(scan.data(), length, out);
    scan.remove_prefix(length);
    if (!scan.starts_with(std::string_view("\xff\0", 2))) break;
    *out++ = 0xff;
    scan.remove_prefix(2);
  }
  end_ = out;
  std::fill_n(out, kPadding, 0);
  bits_ = {bytes_.data() + 7, load_big_endian(bytes_.data()), 56};
  count_ = 0;
}

void HuffmanDecoder::add_component(const HuffmanCode& dc, const HuffmanCode& ac) {
  if (++count_ > components_.size()) components_.emplace_back();
  Component& component = components_[count_ - 1];
  set_table(component.dc, dc, true);
  set_table(component.ac, ac, false);
  set_steps(component.ac);
  component.last_dc = 0;
}

HuffmanDecoder::Entry HuffmanDecoder::entry_of(const Table& table, int symbol, int length) {
  const int size = symbol & 15, run = table.is_dc ? 0 : symbol >> 4;
  const bool ends = !table.is_dc && size == 0 && run != 15;
  return {static_cast<uint8_t>(length + size), static_cast<uint8_t>(length),
          static_cast<uint8_t>(size), static_cast<uint8_t>(ends ? kCoefficients : run + 1)};
}

void HuffmanDecoder::set_table(Table& table, const HuffmanCode& code, bool is_dc) {
  table.is_dc = is_dc;
  table.entries.fill({});
  int next = 0, used = 0;
  for (int length = 1; length <= 16; ++length, next <<= 1) {
    table.offset[length] = used - next;
    for (int i = 0; i < code.counts[length]; ++i, ++next, ++used) {
      table.symbols[used] = code.symbols[used];
      if (length > kPeeked) continue;
      const int rest = kPeeked - length;
      std::fill_n(table.entries.begin() + (next << rest), 1 << rest,
                  entry_of(table, code.symbols[used], length));
    }
    table.end[length] = next;
  }
}

/// The code of more than kPeeked bits that the word begins with, if there is one.
HuffmanDecoder::Entry HuffmanDecoder::find_long(const Table& table, uint64_t word) {
  for (int length = kPeeked + 1; length <= 16; ++length) {
    const int code = static_cast<int>(word >> (64 - length));
    if (code < table.end[length]) {
      return entry_of(table, table.symbols[code + table.offset[length]], length);
    }
  }
  return {};
}

/// Fills the word up to 56 bits or more. Tables are looked into before, with the bits that it has:
/// so neither waits for the other.
inline void HuffmanDecoder::refill(Bits& bits) {
  bits.word |= load_big_endian(bits.next) >> bits.count;
  bits.next += (63 - bits.count) >> 3;
  bits.count |= 56;
}

/// Takes a code and its value.
inline bool HuffmanDecoder::take(Bits& bits, const Table& table, Entry& entry, int& value) {
  entry = table.entries[bits.word >> (64 - kPeeked)];
  refill(bits);
  if (entry.total == 0) [[unlikely]] {
    entry = find_long(table, bits.word);
    if (entry.total == 0) return false;
  }
  const uint64_t word = bits.word;
  bits.word <<= entry.total;
  bits.count -= entry.total;
  value = value_of(static_cast<int>(word << entry.length >> 1 >> (63 - entry.size)), entry.size);
  return true;
}

/// Two codes make a step where the first with its value, and the second without, are among the bits
/// looked at.
void HuffmanDecoder::set_steps(Table& table) {
  for (size_t i = 0; i < table.steps.size(); ++i) {
    const Entry& first = table.entries[i];
    Step& step = table.steps[i] = {first.total, first.advance};
    if (first.total >= kPeeked || first.advance == kCoefficients) continue;
    const Entry& second = table.entries[i << first.total & (table.entries.size() - 1)];
    if (second.total == 0 || first.total + second.length > kPeeked) continue;
    step = {static_cast<uint8_t>(first.total + second.total),
            static_cast<uint8_t>(first.advance + second.advance)};
  }
}

/// Passes over codes and their values up to the block's end. A step that may lead beyond it without
/// a code that says so is taken one code at a time.
inline bool HuffmanDecoder::pass_over(Bits& bits, const Table& table) {
  Entry entry;
  int value;
  for (int k = 0; k < kCoefficients - 1;) {
    const Step step = table.steps[bits.word >> (64 - kPeeked)];
    if (step.total == 0 || k + step.advance % kCoefficients >= kCoefficients - 1) [[unlikely]] {
      if (!take(bits, table, entry, value)) return false;
      k += entry.advance;
      if (k >= kCoefficients && entry.advance != kCoefficients) return false;
      continue;
    }
    refill(bits);
    bits.word <<= step.total;
    bits.count -= step.total;
    k += step.advance;
  }
  return true;
}

bool HuffmanDecoder::decode(size_t component, int16_t* block) {
  Component& codes = components_[component];
  Bits bits = bits_;
  Entry entry;
  int value;
  if (!take(bits, codes.dc, entry, value)) return false;
  codes.last_dc += static_cast<uint32_t>(value);
  if (block == nullptr) {
    if (!pass_over(bits, codes.ac)) return false;
    bits_ = bits;
    return bits.next - bits.count / 8 <= end_;
  }
  block[0] = static_cast<int16_t>(codes.last_dc);
  for (int k = 0; k < kCoefficients - 1;) {
    if (!take(bits, codes.ac, entry, value)) return false;
    k += entry.advance;
    if (k >= kCoefficients) {
      if (entry.advance != kCoefficients) return false;
      break;
    }
    block[kZigzag[k]] = static_cast<int16_t>(value);
  }
  bits_ = bits;
  return bits.next - bits.count / 8 <= end_;
}

}  // namespace mobileone
