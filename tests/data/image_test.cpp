#include "mobileone/data/image.h"

#include "data/support.h"

namespace mobileone {
namespace {

class PillowsPixels : public testing::TestWithParam<const char*> {};

TEST_P(PillowsPixels, AreDecoded) {
  testing::internal::CaptureStderr();
  const at::Tensor image = read_image(golden(GetParam()));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(image.scalar_type(), at::kByte);
  EXPECT_TRUE(image.is_contiguous());
  EXPECT_EQ(largest_difference(image, golden_result(GetParam())), 0);
}

INSTANTIATE_TEST_SUITE_P(Jpeg, PillowsPixels,
                         testing::Values("420.jpg", "422.jpg", "444.jpg", "progressive.jpg",
                                         "rgb.jpg", "grey.jpg", "cmyk.jpg", "ycck.jpg"));
INSTANTIATE_TEST_SUITE_P(Png, PillowsPixels,
                         testing::Values("rgb.png", "rgba.png", "grey.png", "grey_alpha.png",
                                         "bilevel.png", "palette.png", "palette_alpha.png",
                                         "bad_profile.png", "rgb16.png", "rgba16.png", "grey16.png",
                                         "grey_alpha16.png"));
INSTANTIATE_TEST_SUITE_P(Bmp, PillowsPixels,
                         testing::Values("rgb.bmp", "rgba.bmp", "grey.bmp", "bilevel.bmp",
                                         "palette.bmp"));
INSTANTIATE_TEST_SUITE_P(Webp, PillowsPixels,
                         testing::Values("lossy.webp", "lossless.webp", "alpha_lossy.webp",
                                         "alpha_lossless.webp", "animated_lossy.webp",
                                         "animated_lossless.webp", "animated_alpha_lossy.webp",
                                         "animated_alpha_lossless.webp"));
INSTANTIATE_TEST_SUITE_P(Others, PillowsPixels, testing::Values("rgb.ppm", "rgb.tif"));

TEST(Image, NamesAFileThatIsNone) {
  EXPECT_EQ(error_of([] { decode_image("a letter, no picture", "x.jpg"); }),
            "x.jpg: is not an image that can be read (expected JPEG, PNG, ...)");
  EXPECT_EQ(error_of([] { decode_image("", "x.jpg"); }), "x.jpg: is not an image: it is empty");
  EXPECT_EQ(error_of([] { read_image("/missing/x.jpg"); }), "/missing/x.jpg: no such file");
}

TEST(Image, RefusesATruncatedBitmap) {
  const std::string bytes = read_file(golden("rgb.bmp"));
  testing::internal::CaptureStderr();  // OpenCV's own line
  EXPECT_EQ(error_of([&] { decode_image(bytes.substr(0, bytes.size() / 2), "x.bmp"); }),
            "x.bmp: is not an image that can be read (expected JPEG, PNG, ...)");
  testing::internal::GetCapturedStderr();
}

TEST(Image, RefusesAJpegOfThousandsOfScans) {
  const std::string bytes = read_file(golden("progressive.jpg"));
  const size_t scan = bytes.find("\xff\xda"), next_tables = bytes.find("\xff\xc4", scan);
  ASSERT_NE(next_tables, std::string::npos);
  std::string bomb = bytes.substr(0, scan);
  for (int i = 0; i < 2000; ++i) bomb += bytes.substr(scan, next_tables - scan);
  bomb += bytes.substr(next_tables);
  EXPECT_EQ(error_of([&] { decode_image(bomb, "x.jpg"); }),
            "x.jpg: is a damaged JPEG (more than 500 scans)");
}

TEST(Image, RefusesAbsurdSizes) {
  EXPECT_EQ(error_of([] { require_image_size(100'000, 50'000, "x.png"); }),
            "x.png: has 100000 x 50000 pixels, more than the 178 million that are read");
  EXPECT_EQ(error_of([] { require_image_size(0, 3, "x.png"); }),
            "x.png: is a damaged image of 0 x 3 pixels");
  EXPECT_NO_THROW(require_image_size(10'000, 10'000, "x.png"));
}

TEST(Image, PngKeepsEveryPixel) {
  const TestFolder folder;
  const at::Tensor image = read_image(golden("rgb.png"));
  write_png(folder.path("x.png"), image);
  EXPECT_EQ(largest_difference(read_image(folder.path("x.png")), image), 0);
}

TEST(Image, JpegKeepsColoursAndOrientation) {
  const TestFolder folder;
  const at::Tensor image = at::full({32, 48, 3}, 20, at::kByte);
  image.narrow(0, 0, 16).select(2, 0).fill_(220);
  write_jpeg(folder.path("x.jpg"), image, 95);
  const at::Tensor decoded = read_image(folder.path("x.jpg"));
  EXPECT_LE(largest_difference(decoded[0], image[0]), 4);  // far from the edge in the middle
  EXPECT_LE(largest_difference(decoded[31], image[31]), 4);
}

}  // namespace
}  // namespace mobileone
