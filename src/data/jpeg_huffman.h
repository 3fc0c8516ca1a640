#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mobileone {

/// A JPEG's Huffman code as its header gives it (ITU-T T.81, annex C): counts[l] codes of l bits, l
/// from 1 to 16, whose symbols stand in `symbols` in their order. No more codes of a length than
/// there is room for.
struct HuffmanCode {
  const uint8_t* counts;
  const uint8_t* symbols;
};

/// Decodes the blocks of a baseline scan without restarts, to libjpeg's coefficients in two thirds
/// of its time: three quarters of what it takes to decode a photograph are this. From one
/// coefficient to the next there is no branch to guess wrong, and only a look into a table and a
/// shift to wait for. A block beside the crop is passed over by two coefficients a look. Keeps its
/// memory from one scan to the next.
class HuffmanDecoder {
 public:
  /// Begins a scan with what follows its header; its components are added next.
  void start(std::string_view scan);
  /// The codes of a component's first and other coefficients.
  void add_component(const HuffmanCode& dc, const HuffmanCode& ac);

  /// Decodes the next block, one of the component, to 64 coefficients that are zero before; null:
  /// passes it over. False where the scan is damaged or at its end.
  bool decode(size_t component, int16_t* block);

 private:
  static constexpr int kPeeked = 11;

  /// What the next bits are.
  struct Entry {
    uint8_t total;    ///< bits of the code and of the value behind it; 0: no code
    uint8_t length;   ///< bits of the code
    uint8_t size;     ///< bits of the value
    uint8_t advance;  ///< coefficients from the last one to this; 64: the block ends
  };
  /// What the next bits are where values do not matter: one code or two.
  struct Step {
    uint8_t total;    ///< bits of the codes and of the values behind them; 0: no code
    uint8_t advance;  ///< coefficients to the last of them; 64 more: the block ends
  };
  struct Table {
    /// By the next kPeeked bits; of codes no longer than that.
    std::array<Entry, 1 << kPeeked> entries;
    std::array<Step, 1 << kPeeked> steps;
    std::array<int32_t, 17> end;     ///< by length: behind its last code
    std::array<int32_t, 17> offset;  ///< by length: from a code to its symbol's place
    std::array<uint8_t, 256> symbols;
    bool is_dc;
  };
  struct Component {
    Table dc, ac;
    uint32_t last_dc;
  };
  /// The next bits of the scan, `count` or more of them at the top of a word.
  struct Bits {
    const uint8_t* next;
    uint64_t word;
    int count;
  };

  static void set_table(Table& table, const HuffmanCode& code, bool is_dc);
  static Entry entry_of(const Table& table, int symbol, int length);
  static Entry find_long(const Table& table, uint64_t word);
  static void set_steps(Table& table);
  static void refill(Bits& bits);
  static bool pass_over(Bits& bits, const Table& table);
  static bool take(Bits& bits, const Table& table, Entry& entry, int& value);

  std::vector<uint8_t> bytes_;  ///< of the scan, without the zeros that mark 0xff as data
  const uint8_t* end_ = nullptr;
  Bits bits_{};
  std::vector<Component> components_;
  size_t count_ = 0;  ///< of components in use
};

}  // namespace mobileone
