#include "mobileone/data/webp.h"

#include "data/support.h"

namespace mobileone {
namespace {

TEST(Webp, FindsChunks) {
  const std::string bytes = read_file(golden("animated_lossless.webp"));
  EXPECT_EQ(find_webp_chunk(bytes, "VP8X").size(), 10);
  EXPECT_EQ(find_webp_chunk(bytes, "EXIF"), "");
  EXPECT_EQ(find_webp_chunk("", "VP8X"), "");
  EXPECT_EQ(find_webp_chunk(bytes.substr(0, 25), "VP8X"), "");
}

TEST(Webp, FirstPictureLiesWhereItsHeaderSays) {
  std::string bytes = read_file(golden("animated_lossless.webp"));
  const at::Tensor whole = decode_image(bytes, "x.webp");
  const size_t canvas = bytes.find("VP8X") + 12;
  const size_t frame = bytes.find("ANMF") + 8;
  bytes[canvas] += 10;     // width
  bytes[canvas + 3] += 5;  // height
  bytes[frame] = 2;        // left / 2
  bytes[frame + 3] = 1;    // top / 2
  const at::Tensor larger = decode_image(bytes, "x.webp");
  ASSERT_EQ(larger.sizes(), (std::vector<int64_t>{23 + 5, 33 + 10, 3}));
  EXPECT_TRUE(larger.narrow(0, 2, 23).narrow(1, 4, 33).equal(whole));
  EXPECT_EQ(larger.sum().item<int64_t>(), whole.sum().item<int64_t>());

  bytes[frame] = 6;
  EXPECT_EQ(error_of([&] { decode_image(bytes, "x.webp"); }), "x.webp: is a damaged WebP");
}

TEST(Webp, RefusesATruncatedAnimation) {
  const std::string bytes = read_file(golden("animated_alpha_lossy.webp"));
  const size_t second = bytes.rfind("ANMF");
  for (size_t length = 21; length < second; ++length) {
    const std::string error = error_of([&] { decode_image(bytes.substr(0, length), "x.webp"); });
    ASSERT_EQ(error, "x.webp: is a truncated WebP") << length;
  }
  EXPECT_NO_THROW(decode_image(bytes.substr(0, second), "x.webp"));
}

TEST(Webp, AnyDamageIsAnErrorOrAnImage) {
  const std::string whole = read_file(golden("animated_lossless.webp"));
  testing::internal::CaptureStderr();
  for (size_t offset = 0; offset < 140; ++offset) {
    for (const char value : {'\0', '\1', '\x7f', '\xff'}) {
      std::string damaged = whole;
      damaged[offset] = value;
      try {
        decode_image(damaged, "x.webp");
      } catch (const Error&) {
      }
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace mobileone
