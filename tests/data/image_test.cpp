#include "mobileone/data/image.h"

#include <filesystem>

#include "data/support.h"
#include "mobileone/data/file_kind.h"
#include "mobileone/util/endian.h"

namespace mobileone {
namespace {

using namespace std::string_literals;

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

/// What tools/golden_images.py made: small files of every kind.
std::vector<std::string> files_of_every_kind() {
  std::vector<std::string> files;
  const std::string folder = std::string(MOBILEONE_SOURCE_DIR) + "/tests/golden/images";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".expected.png")) files.push_back(path);
  }
  return files;
}

TEST(EveryKind, HasPillowsPixels) {
  const std::vector<std::string> files = files_of_every_kind();
  EXPECT_GT(files.size(), 250);
  testing::internal::CaptureStderr();
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    const bool upright = file.find(".upright.") != std::string::npos;
    const at::Tensor image = read_image(file, upright);
    EXPECT_TRUE(image.is_contiguous());
    EXPECT_EQ(largest_difference(image, read_image(file + ".expected.png")), 0);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(EveryKind, IsReadWholeOrNotAtAll) {
  testing::internal::CaptureStderr();
  for (const std::string& file : files_of_every_kind()) {
    if (file.find("_plain_") != std::string::npos) continue;  // the last number may lack digits
    const std::string bytes = read_file(file);
    const at::Tensor whole = decode_image(bytes, file);
    for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 40) {
      at::Tensor image;
      const std::string error =
          error_of([&] { image = decode_image(std::string_view(bytes).substr(0, length), "x"); });
      if (image.defined()) {  // what was cut off need not be of the image
        EXPECT_EQ(largest_difference(image, whole), 0) << file << " " << length;
      } else {
        EXPECT_TRUE(error.starts_with("x: ")) << file << " " << length << ": " << error;
        EXPECT_EQ(error.find('\n'), std::string::npos) << error;
      }
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Image, SaysWhatAFileIsThatIsNone) {
  const std::pair<std::string, std::string> files[] = {
      {"", "empty"},
      {"a letter, no picture\nat all", "text that begins with `a letter, no picture`"},
      {"\n<!DOCTYPE html>\n<html>", "an HTML page"},
      {"<?xml version=\"1.0\"?>\n<svg/>", "an SVG drawing"},
      {"\0\0\0 ftypavif\0\0\0\0"s, "an AVIF image"},
      {"\0\0\0\x18"
       "ftypheic\0\0\0\0"s,
       "an HEIC image"},
      {"\xff\x0a\xfa\x1f", "a JPEG XL image"},
      {"\x08\x08\x12\x07pytorch", "an ONNX network"},
      {"PK\3\4\0\0"s, "a zip archive (or a file of PyTorch or Office)"},
      {std::string(300, '\0'), "nothing but zero bytes (its contents were lost)"},
      {"\x01\x02\x03", "a file of no known kind"},
  };
  for (const auto& [bytes, kind] : files) {
    EXPECT_EQ(error_of([&] { decode_image(bytes, "x.jpg"); }),
              "x.jpg: is " + kind + " (expected JPEG, PNG, WebP, TIFF, GIF, BMP, PBM, PGM or PPM)");
  }
  EXPECT_EQ(error_of([] { read_image("/missing/x.jpg"); }), "/missing/x.jpg: no such file");
}

TEST(Image, TextIsShownInWholeCharacters) {
  const std::string text = std::string(29, 'x') + "\u00e4\u00e4";
  EXPECT_EQ(file_kind(text), "text that begins with `" + std::string(29, 'x') + "`");
}

TEST(Image, RefusesATruncatedBitmap) {
  const std::string bytes = read_file(golden("rgb.bmp"));
  EXPECT_EQ(error_of([&] { decode_image(bytes.substr(0, bytes.size() / 2), "x.bmp"); }),
            "x.bmp: is a truncated BMP");
}

TEST(Image, HeadersThatClaimMuchTakeNoMemory) {
  std::string bitmap = read_file(golden("rgb.bmp"));
  bitmap.replace(18, 8, std::string_view("\x10\x27\0\0\x10\x27\0\0", 8));  // 10,000 both ways
  EXPECT_EQ(error_of([&] { decode_image(bitmap, "x"); }), "x: is a truncated BMP");
  EXPECT_EQ(error_of([&] { decode_image("P6 10000 10000 255\nabc", "x"); }),
            "x: is a truncated PBM, PGM or PPM");
  EXPECT_EQ(error_of([&] { decode_image("P3 99999 99999 255\n0", "x"); }),
            "x: has 99999 x 99999 pixels, more than the 178 million that are read");
  std::string gif = "GIF89a\xff\xff\xff\xff\0\0\0,"s + std::string(4, '\0') + "\1\0\1\0\0\2"s;
  EXPECT_EQ(error_of([&] { decode_image(gif, "x"); }),
            "x: has 65535 x 65535 pixels, more than the 178 million that are read");
}

TEST(Image, RefusesNumbersThatAreNoLevels) {
  for (const bool real : {true, false}) {
    // One pixel of 32 or 16 bits: width, height, bits, photometric, strip, samples, rows, bytes,
    // format.
    std::string tiff = "II*\0\x08\0\0\0\x08\0"s;
    const auto entry = [&](int tag, int value) {
      append_little_endian(tiff, tag, 2);
      append_little_endian(tiff, 3, 2);
      append_little_endian(tiff, 1, 4);
      append_little_endian(tiff, value, 4);
    };
    entry(256, 1), entry(257, 1), entry(258, real ? 32 : 16), entry(262, 1), entry(273, 8);
    entry(277, 1), entry(279, 4), entry(339, real ? 3 : 2);
    tiff.append(4, '\0');
    EXPECT_EQ(
        error_of([&] { decode_image(tiff, "x.tif"); }),
        fmt::format("x.tif: is a TIFF of {}, which is not read (expected grey, RGB, palette, "
                    "CMYK or YCbCr of up to 16 bits)",
                    real ? "floating-point samples of 32 bits" : "signed samples of 16 bits"));
  }
}

/// Of one grey, with a scan of the blocks' means and then others that add nothing.
std::string jpeg_of_scans(int side, int64_t scans) {
  const auto size = std::string{static_cast<char>(side >> 8), static_cast<char>(side)};
  std::string jpeg = "\xff\xd8\xff\xdb\0\x43\0"s + std::string(64, '\1') + "\xff\xc2\0\x0b\x08"s +
                     size + size + "\1\1\x11\0"s;
  for (const std::string& table : {"\0"s, "\x10"s}) {    // one code of one bit
    const char symbol = table == "\0"s ? '\0' : '\xe0';  // no difference; 2^14 blocks and more end
    jpeg += "\xff\xc4\0\x14"s + table + '\1' + std::string(15, '\0') + symbol;
  }
  const int64_t blocks = int64_t{side / 8} * (side / 8);
  jpeg += "\xff\xda\0\x08\1\1\0\0\0\0"s + std::string((blocks + 7) / 8, '\0');
  // Eight runs of 2^15 - 1 blocks: the code, then how many more than 2^14 they are.
  const std::string runs =
      "\x7f\xfe\xff\0\xfd\xff\0\xfb\xff\0\xf7\xff\0\xef\xff\0\xdf\xff\0\xbf\xff\0"s;
  for (int64_t i = 1; i < scans; ++i) jpeg += "\xff\xda\0\x08\1\1\0\1\x3f\0"s + runs;
  return jpeg + "\xff\xd9";
}

TEST(Image, RefusesAJpegOfMoreScansThanAnyEncoderMakes) {
  EXPECT_NO_THROW(decode_image(jpeg_of_scans(64, 500), "x.jpg"));
  EXPECT_EQ(error_of([&] { decode_image(jpeg_of_scans(64, 501), "x.jpg"); }),
            "x.jpg: is a damaged JPEG (more than 500 scans)");
  EXPECT_NO_THROW(decode_image(jpeg_of_scans(4000, 62), "x.jpg"));
  EXPECT_EQ(error_of([&] { decode_image(jpeg_of_scans(4000, 63), "x.jpg"); }),
            "x.jpg: is a damaged JPEG (more than 62 scans)");
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
