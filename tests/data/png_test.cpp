#include "mobileone/data/png.h"

#include "data/support.h"
#include "mobileone/util/crc32.h"

namespace mobileone {
namespace {

TEST(Png, HasPixelsThatAncillaryChunksDoNotChange) {
  const std::string bytes = read_file(golden("bad_profile.png"));
  ASSERT_NE(bytes.find("iCCP"), std::string::npos);
  const at::Tensor image = decode_png(bytes, "x.png");
  EXPECT_EQ(largest_difference(image, golden_result("rgb.png")), 0);
  EXPECT_TRUE(decode_png(bytes + "trailing bytes", "x.png").equal(image));
}

TEST(Png, RefusesTruncationAnywhere) {
  const std::string bytes = read_file(golden("rgb.png"));
  for (size_t length = 8; length < bytes.size(); ++length) {
    ASSERT_EQ(error_of([&] { decode_png(std::string_view(bytes).substr(0, length), "x.png"); }),
              "x.png: is a truncated PNG")
        << length;
  }
}

TEST(Png, RefusesAWrongCheckSum) {
  std::string bytes = read_file(golden("rgb.png"));
  bytes[bytes.size() - 13] ^= 1;  // the last of the pixels' own
  EXPECT_EQ(error_of([&] { decode_png(bytes, "x.png"); }),
            "x.png: is a damaged PNG (IDAT: CRC error)");
}

TEST(Png, RefusesAFileWithoutHeader) {
  const std::string bytes = read_file(golden("rgb.png"));
  EXPECT_EQ(error_of([&] { decode_png(bytes.substr(0, 8) + bytes.substr(33), "x.png"); }),
            "x.png: is a damaged PNG (IDAT: Missing IHDR before IDAT)");
}

TEST(Png, PixelsThatTheFileCannotHoldTakeNoMemory) {
  std::string bytes = read_file(golden("rgb.png"));
  bytes.replace(16, 8, std::string_view("\0\0\x27\x10\0\0\x27\x10", 8));  // 10,000 both ways
  const uint32_t sum = crc32(std::string_view(bytes).substr(12, 17));
  for (int i = 0; i < 4; ++i) bytes[29 + i] = static_cast<char>(sum >> (24 - 8 * i));
  EXPECT_EQ(error_of([&] { decode_png(bytes, "x.png"); }), "x.png: is a truncated PNG");
}

TEST(Png, FindsChunks) {
  const std::string bytes = read_file(golden("rgb.png"));
  EXPECT_EQ(find_png_chunk(bytes, "IHDR").size(), 13);
  EXPECT_EQ(find_png_chunk(bytes, "eXIf"), "");
  EXPECT_EQ(find_png_chunk("", "IHDR"), "");
  EXPECT_EQ(find_png_chunk(bytes.substr(0, 20), "IHDR"), "");
}

}  // namespace
}  // namespace mobileone
