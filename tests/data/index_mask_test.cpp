#include "mobileone/data/index_mask.h"

#include "data/support.h"

namespace mobileone {
namespace {

std::string golden_mask(const std::string& name) {
  return std::string(MOBILEONE_SOURCE_DIR) + "/tests/golden/masks/" + name + ".png";
}

at::Tensor decoded(const std::string& name, const MaskLabels& labels = {}) {
  return decode_index_mask(read_file(golden_mask(name)), "x.png", labels);
}

/// As tools/golden_masks.py has them.
at::Tensor expected_values(int bits) {
  const at::Tensor y = at::arange(11).view({11, 1}), x = at::arange(13);
  return ((7 * x + 3 * y + x * y) % std::min(1 << bits, 250)).to(at::kByte);
}

std::string encoded(std::initializer_list<uint8_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  at::Tensor mask = at::empty({1, count}, at::kByte);
  std::copy(values.begin(), values.end(), mask.mutable_data_ptr<uint8_t>());
  return encode_png_indices(mask, voc_palette());
}

TEST(IndexMask, HasTheIndicesOfEveryKindOfFile) {
  for (const std::string suffix : {"", "_interlaced"}) {
    for (const int bits : {1, 2, 4, 8, 16}) {
      EXPECT_TRUE(decoded(fmt::format("grey{}{}", bits, suffix)).equal(expected_values(bits)));
      if (bits == 16) continue;
      EXPECT_TRUE(decoded(fmt::format("palette{}{}", bits, suffix)).equal(expected_values(bits)))
          << bits << suffix;
    }
  }
  EXPECT_TRUE(decoded("pillow").equal(expected_values(8)));
}

TEST(IndexMask, ReadsWhatItWrites) {
  const at::Tensor mask = at::arange(256).view({16, 16}).to(at::kByte);
  const at::Tensor read = decode_index_mask(encode_png_indices(mask, voc_palette()), "x.png", {});
  EXPECT_TRUE(read.equal(mask));
}

TEST(IndexMask, IgnoresTheLabelAnd255) {
  const at::Tensor mask = decode_index_mask(encoded({0, 10, 11, 255}), "x.png",
                                            {.ignore_label = 11, .num_classes = 11});
  EXPECT_TRUE(mask.equal(at::tensor({0, 10, 255, 255}, at::kByte).view({1, 4})));
}

TEST(IndexMask, ReducesLabelsThatBeginAtOne) {
  const at::Tensor mask = decode_index_mask(encoded({0, 1, 150, 255}), "x.png",
                                            {.reduce_zero_label = true, .num_classes = 150});
  EXPECT_TRUE(mask.equal(at::tensor({255, 0, 149, 255}, at::kByte).view({1, 4})));
}

TEST(IndexMask, RefusesAValueOfNoClassAndSaysWhere) {
  const std::string bytes =
      encode_png_indices(at::tensor({0, 1, 2, 12, 3, 4}, at::kByte).view({2, 3}), voc_palette());
  EXPECT_EQ(
      error_of([&] { decode_index_mask(bytes, "x.png", {.ignore_label = 11, .num_classes = 11}); }),
      "x.png: value 12 at x 0, y 1 is none of the 11 classes (expected 0 to 10; 11 or 255 is "
      "ignored); if it means no class, set data.ignore_label=12");
  EXPECT_EQ(error_of([&] {
              decode_index_mask(bytes, "x.png", {.reduce_zero_label = true, .num_classes = 4});
            }),
            "x.png: value 12 at x 0, y 1 is none of the 4 classes (expected 1 to 4; 0 or 255 is "
            "ignored); if it means no class, set data.ignore_label=12");
}

TEST(IndexMask, OfSixteenBitsIgnoresALargeLabel) {
  std::string bytes = read_file(golden_mask("grey16"));
  EXPECT_TRUE(
      decode_index_mask(bytes, "x.png", {.ignore_label = 65535}).equal(expected_values(16)));
}

TEST(IndexMask, RefusesColoursAndOtherFormats) {
  EXPECT_EQ(error_of([] { decode_index_mask(read_file(golden("rgb.png")), "x.png", {}); }),
            "x.png: is an RGB PNG, expected one value a pixel: grey, or indices into a palette; "
            "save each pixel's class as its value");
  EXPECT_EQ(error_of([] { decode_index_mask(read_file(golden("444.jpg")), "x.png", {}); }),
            "x.png: is a JPEG image, expected a mask: a grey or palette PNG whose values are "
            "classes");
}

TEST(IndexMask, RefusesTruncationAnywhere) {
  const std::string bytes = read_file(golden_mask("palette4_interlaced"));
  for (size_t length = 8; length < bytes.size(); ++length) {
    ASSERT_EQ(error_of([&] {
                decode_index_mask(std::string_view(bytes).substr(0, length), "x.png", {});
              }),
              "x.png: is a truncated PNG")
        << length;
  }
}

TEST(VocPalette, IsThatOfTheDevkit) {
  EXPECT_EQ(voc_palette()[0], (std::array<uint8_t, 3>{0, 0, 0}));
  EXPECT_EQ(voc_palette()[1], (std::array<uint8_t, 3>{128, 0, 0}));
  EXPECT_EQ(voc_palette()[15], (std::array<uint8_t, 3>{192, 128, 128}));
  EXPECT_EQ(voc_palette()[20], (std::array<uint8_t, 3>{0, 64, 128}));
  EXPECT_EQ(voc_palette()[255], (std::array<uint8_t, 3>{224, 224, 192}));
}

}  // namespace
}  // namespace mobileone
