#include "mobileone/data/hue.h"

#include "data/support.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

/// Colours first, first + 1, ... of the 2^24, as an image of one row.
at::Tensor colors_from(int64_t first, int64_t count) {
  at::Tensor image = at::empty({1, count, 3}, at::kByte);
  uint8_t* out = image.mutable_data_ptr<uint8_t>();
  for (int64_t color = first; color < first + count; ++color) {
    for (int shift : {16, 8, 0}) *out++ = static_cast<uint8_t>(color >> shift);
  }
  return image;
}

TEST(Hue, OfEveryColourIsPillows) {
  constexpr int64_t kColors = 1 << 24;
  constexpr int64_t kChunk = 1 << 18;
  const auto rows = parse_csv(read_file(golden("hues.csv")), "hues.csv");
  ASSERT_EQ(rows.size(), 6u);
  for (size_t i = 1; i < rows.size(); ++i) {
    std::array<int64_t, 3> sums{};  // of the levels times the colour's number
    for (int64_t first = 0; first < kColors; first += kChunk) {
      const at::Tensor turned = turn_hue(colors_from(first, kChunk), std::stod(rows[i].fields[0]));
      const uint8_t* level = turned.const_data_ptr<uint8_t>();
      for (int64_t color = first; color < first + kChunk; ++color) {
        for (int64_t& sum : sums) sum += *level++ * color;
      }
    }
    for (size_t channel = 0; channel < 3; ++channel) {
      EXPECT_EQ(sums[channel], std::stoll(rows[i].fields[channel + 1])) << rows[i].fields[0];
    }
  }
}

}  // namespace
}  // namespace mobileone
