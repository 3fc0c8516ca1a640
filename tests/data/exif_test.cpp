#include "mobileone/data/exif.h"

#include "data/support.h"

namespace mobileone {
namespace {

constexpr std::string_view kLittleEndian("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
                                         22);
constexpr std::string_view kBigEndian("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",
                                      22);

/// A JPEG's beginning with an APP1 segment of this TIFF structure.
std::string with_exif(std::string_view tiff) {
  const size_t length = 2 + 6 + tiff.size();
  std::string jpeg = "\xff\xd8\xff\xe1";
  jpeg += {static_cast<char>(length >> 8), static_cast<char>(length)};
  return jpeg + std::string("Exif\0\0", 6) + std::string(tiff) + "\xff\xda";
}

class Orientation : public testing::TestWithParam<int> {};

TEST_P(Orientation, IsIgnoredUnlessAskedFor) {
  const std::string name = fmt::format("orientation{}", GetParam());
  const std::string path = golden(name + ".jpg");
  EXPECT_EQ(exif_orientation(read_file(path)), GetParam());
  EXPECT_EQ(largest_difference(read_image(path), golden_result(name + ".jpg")), 0);
  const at::Tensor upright = read_image(path, /*upright=*/true);
  EXPECT_TRUE(upright.is_contiguous());
  EXPECT_EQ(largest_difference(upright, golden_result(name + "_upright")), 0);
}

INSTANTIATE_TEST_SUITE_P(All, Orientation, testing::Range(1, 9));

TEST(Exif, IsReadInBothByteOrders) {
  EXPECT_EQ(exif_orientation(with_exif(kLittleEndian)), 6);
  EXPECT_EQ(exif_orientation(with_exif(kBigEndian)), 6);
}

TEST(Exif, IsFoundAfterOtherSegments) {
  std::string jpeg = with_exif(kBigEndian);
  jpeg.insert(2, std::string("\xff\xe0\0\x04"
                             "ab"
                             "\xff\xe1\0\x09"
                             "http://"
                             "\xff\xff",
                             19));
  EXPECT_EQ(exif_orientation(jpeg), 6);
}

TEST(Exif, WithoutAnOrientationIsUpright) {
  EXPECT_EQ(exif_orientation(""), 1);
  EXPECT_EQ(exif_orientation("\xff\xd8\xff"), 1);
  EXPECT_EQ(exif_orientation(with_exif("")), 1);
  EXPECT_EQ(exif_orientation(read_file(golden("420.jpg"))), 1);
  // After the start of the scan, bytes are coded pixels.
  EXPECT_EQ(exif_orientation("\xff\xd8\xff\xda" + with_exif(kBigEndian).substr(2)), 1);
}

struct Damage {
  const char* what;
  size_t offset;  // in the little-endian structure
  std::string_view bytes;
};

class DamagedExif : public testing::TestWithParam<Damage> {};

TEST_P(DamagedExif, IsUpright) {
  const auto& [what, offset, bytes] = GetParam();
  std::string tiff(kLittleEndian);
  tiff.replace(offset, bytes.size(), bytes);
  EXPECT_EQ(exif_orientation(with_exif(tiff)), 1) << what;
}

INSTANTIATE_TEST_SUITE_P(
    All, DamagedExif,
    testing::Values(Damage{"byte order", 0, "IM"}, Damage{"magic", 2, "+"},
                    Damage{"directory at the end", 4, std::string_view("\x16\0\0\0", 4)},
                    Damage{"directory far outside", 4, "\xff\xff\xff\xff"},
                    Damage{"directory over the header", 4, std::string_view("\0\0\0\0", 4)},
                    Damage{"no entry", 8, std::string_view("\0\0", 2)},
                    Damage{"another tag", 10, "\x13"}, Damage{"rational", 12, "\x05"},
                    Damage{"two values", 14, "\x02"},
                    Damage{"value 0", 18, std::string_view("", 1)}, Damage{"value 9", 18, "\x09"},
                    Damage{"value 262", 18, "\x06\x01"}),
    [](const auto& test) {
      std::string name = test.param.what;
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

TEST(Exif, AnyDamageGivesAnOrientation) {
  for (const std::string_view tiff : {kLittleEndian, kBigEndian}) {
    const std::string whole = with_exif(tiff);
    for (size_t length = 0; length < whole.size(); ++length) {
      const int orientation = exif_orientation(whole.substr(0, length));
      EXPECT_TRUE(orientation == 1 || orientation == 6) << length;
    }
    for (size_t offset = 0; offset < whole.size(); ++offset) {
      for (int value = 0; value < 256; ++value) {
        std::string damaged = whole;
        damaged[offset] = static_cast<char>(value);
        const int orientation = exif_orientation(damaged);
        EXPECT_TRUE(orientation >= 1 && orientation <= 8) << offset;
      }
    }
  }
}

TEST(Exif, DamagedIsNoReasonToRefuseAnImage) {
  std::string jpeg = read_file(golden("orientation6.jpg"));
  const size_t tiff = jpeg.find("MM");
  jpeg.replace(tiff + 4, 4, "\xff\xff\xff\xff");
  EXPECT_EQ(largest_difference(decode_image(jpeg, "x.jpg", /*upright=*/true),
                               golden_result("orientation6.jpg")),
            0);
}

}  // namespace
}  // namespace mobileone
