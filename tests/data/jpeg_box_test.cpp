#include <cmath>

#include "data/support.h"
#include "mobileone/data/image_list.h"
#include "mobileone/data/image_pipeline.h"
#include "mobileone/data/jpeg.h"

namespace mobileone {
namespace {

namespace fs = std::filesystem;

/// The patch's pixels, [rows, columns, 3].
at::Tensor pixels_of(const Patch& patch) {
  return at::from_blob(const_cast<uint8_t*>(patch.pixels), {patch.rows, patch.columns, 3},
                       {patch.stride, 3, 1}, at::kByte);
}

CropBox random_box(int64_t height, int64_t width, Random& random) {
  const int64_t h = 1 + random.integer(height), w = 1 + random.integer(width);
  return {random.integer(height - h + 1), random.integer(width - w + 1), h, w};
}

class JpegBox : public testing::TestWithParam<const char*> {
 protected:
  const std::string bytes = read_file(golden(fmt::format("boxes_{}.jpg", GetParam())));
  std::vector<uint8_t> memory;
};

TEST_P(JpegBox, HasThePixelsOfTheWhole) {
  const at::Tensor whole = decode_jpeg(bytes, "x.jpg");
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const CropBox box = random_box(97, 131, random);
    const Patch patch = JpegFile(bytes, "x.jpg").decode_box(box, 8, memory);
    EXPECT_EQ(patch.top, 0);
    EXPECT_EQ(patch.left, 0);
    ASSERT_EQ(largest_difference(pixels_of(patch), crop(whole, box)), 0)
        << box.top << " " << box.left << " " << box.height << " " << box.width;
  }
}

TEST_P(JpegBox, OfASmallerScaleHasThePixelsOfTheWhole) {
  for (const int eighths : {1, 2, 4, 6}) {
    std::vector<uint8_t> whole_memory;
    const at::Tensor whole =
        pixels_of(JpegFile(bytes, "x.jpg").decode_box({0, 0, 97, 131}, eighths, whole_memory));
    EXPECT_EQ(whole.size(0), std::ceil(97 * eighths / 8.0));
    Random random(2);
    for (int i = 0; i < 100; ++i) {
      const CropBox box = random_box(97, 131, random);
      const Patch patch = JpegFile(bytes, "x.jpg").decode_box(box, eighths, memory);
      const int64_t top = box.top * eighths / 8, left = box.left * eighths / 8;
      ASSERT_EQ(
          largest_difference(pixels_of(patch), crop(whole, {top, left, patch.rows, patch.columns})),
          0);
      // The patch is the pixels that the box touches.
      EXPECT_EQ(8 * (static_cast<double>(top) + patch.top), eighths * box.top);
      EXPECT_EQ(8 * (static_cast<double>(left) + patch.left), eighths * box.left);
      EXPECT_EQ(patch.rows, std::ceil(patch.top + patch.height));
      EXPECT_EQ(patch.columns, std::ceil(patch.left + patch.width));
    }
  }
}

TEST_P(JpegBox, OfATruncatedFileIsAnErrorWhereverItIs) {
  for (size_t length = 3; length < bytes.size(); length += 5) {
    const std::string part = bytes.substr(0, length);
    EXPECT_EQ(error_of([&] {
                JpegFile(part, "x.jpg").decode_box({0, 0, 8, 8}, 8, memory);
              }),
              "x.jpg: is a truncated JPEG")
        << length;
  }
}

/// What becomes of damage, error or pixels, does not hang on who decodes the Huffman code.
TEST_P(JpegBox, OfADamagedFileIsWhatTheWholeIs) {
  const size_t scan = bytes.rfind("\xff\xda");
  Random random(3);
  int refused = 0, changed = 0;
  const at::Tensor intact = decode_jpeg(bytes, "x.jpg");
  for (int i = 0; i < 300; ++i) {
    std::string damaged = bytes;
    const auto place = scan + 14 + random.integer(static_cast<int64_t>(bytes.size() - scan) - 16);
    damaged[place] = static_cast<char>(random.integer(256));
    at::Tensor whole;
    const std::string error = error_of([&] { whole = decode_jpeg(damaged, "x.jpg"); });
    const std::string box_error = error_of([&] {
      const Patch patch = JpegFile(damaged, "x.jpg").decode_box({0, 0, 97, 131}, 8, memory);
      EXPECT_TRUE(!whole.defined() || pixels_of(patch).equal(whole)) << i;
    });
    EXPECT_EQ(box_error, error) << i;
    refused += !whole.defined();
    changed += whole.defined() && !whole.equal(intact);
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(changed, 50);
}

INSTANTIATE_TEST_SUITE_P(All, JpegBox,
                         testing::Values("420", "422", "444", "grey", "progressive", "restarts"));

TEST(JpegFile, OfInksHasNoBoxes) {
  for (const char* name : {"cmyk.jpg", "ycck.jpg"}) {
    EXPECT_FALSE(JpegFile(read_file(golden(name)), name).has_boxes());
  }
  EXPECT_TRUE(JpegFile(read_file(golden("rgb.jpg")), "rgb.jpg").has_boxes());
}

class Decoded : public testing::TestWithParam<const char*> {};

/// An image from a pipeline, float32 [H,W,3], levels divided by 255.
at::Tensor prepared(Decoding decoding, const std::string& path, const Transform& transform,
                    uint64_t seed, bool upright = false) {
  ImagePipeline pipeline({.decoding = decoding, .exif_orientation = upright});
  Random random(seed);
  pipeline.decode(StoredImage(read_file(path)), path, transform, random);
  at::Tensor image = at::empty({pipeline.height(), pipeline.width(), 3});
  pipeline.finish(transform, random, image.mutable_data_ptr<float>());
  return image;
}

TEST_P(Decoded, InPartOrWholeIsTheSame) {
  AugmentConfig augment;
  for (const Policy policy : {Policy::kNone, Policy::kAutoAugment}) {
    augment.policy = policy;
    const Transform transform = train_transform(augment, Interpolation::kBilinear, 32, 1);
    for (const bool upright : {false, true}) {
      for (uint64_t seed = 0; seed < 20; ++seed) {
        Random random(seed);
        const at::Tensor expected =
            transform(read_image(golden(GetParam()), upright), random).to(at::kFloat) / 255;
        for (const Decoding decoding : {Decoding::kWhole, Decoding::kCropped}) {
          EXPECT_TRUE(
              prepared(decoding, golden(GetParam()), transform, seed, upright).equal(expected))
              << seed;
        }
      }
    }
  }
}

/// golden("grey.png") is Pillow's convert("L") of golden("rgb.png").
TEST(ImagePipeline, OfOneChannelHasPillowsGrey) {
  const Transform whole{.cut =
                            [](int64_t height, int64_t width, const Annotation&, Random&) {
                              return short_side_cut(height, width, height,
                                                    Interpolation::kBilinear);
                            },
                        .augment = {}};
  const at::Tensor expected = golden_result("grey.png").select(2, 0).to(at::kFloat) / 255;
  for (const bool decoded : {false, true}) {
    ImagePipeline pipeline({.mean = {0}, .std = {1}});
    Random random(0);
    const std::string path = golden("rgb.png");
    pipeline.decode(decoded ? StoredImage(read_image(path)) : StoredImage(read_file(path)), path,
                    whole, random);
    ASSERT_EQ(pipeline.channels(), 1);
    at::Tensor image = at::full({pipeline.height(), pipeline.width()}, -1, at::kFloat);
    pipeline.finish(whole, random, image.mutable_data_ptr<float>());
    EXPECT_TRUE(image.equal(expected));
  }
}

TEST(ImagePipeline, OfOneChannelAugmentsAsRgbOfEqualLevels) {
  AugmentConfig augment;
  augment.policy = Policy::kTrivialAugment;
  augment.color_jitter = {0.4, 0.4, 0.4, 0.1};
  const Transform transform = train_transform(augment, Interpolation::kBicubic, 32, 1);
  const std::string path = golden("boxes_grey.jpg");
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ImagePipeline pipeline({.decoding = Decoding::kCropped, .mean = {0}, .std = {1}});
    Random random(seed);
    pipeline.decode(StoredImage(read_file(path)), path, transform, random);
    at::Tensor image = at::empty({32, 32});
    pipeline.finish(transform, random, image.mutable_data_ptr<float>());
    const at::Tensor colour = prepared(Decoding::kCropped, path, transform, seed);
    EXPECT_TRUE(colour.equal(image.unsqueeze(2).expand({-1, -1, 3}))) << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Decoded,
                         testing::Values("boxes_420.jpg", "boxes_progressive.jpg", "cmyk.jpg",
                                         "grey.jpg", "orientation6.jpg", "orientation1.jpg",
                                         "rgb.png", "lossy.webp"));

/// On photographs, decoding at a smaller scale changes what a network sees by little.
TEST(Decoded, ScaledPhotographsAreCloseToWholeOnes) {
  const std::string folder = std::string(MOBILEONE_SOURCE_DIR) + "/../shared/data/flowers/train";
  if (!fs::is_directory(folder)) GTEST_SKIP() << folder << " is not there";
  const ImageList list = read_image_list(folder);
  double total = 0, largest = 0;
  int64_t scaled = 0;
  for (const int64_t size : {32, 64, 128, 224}) {
    const Transform transform = train_transform({}, Interpolation::kBilinear, size, 0);
    for (int64_t i = 0; i < list.size(); i += 5) {
      const std::string path = list.name(i);
      const at::Tensor exact = prepared(Decoding::kCropped, path, transform, i);
      const at::Tensor fast = prepared(Decoding::kScaled, path, transform, i);
      if (fast.equal(exact)) continue;
      const double difference = (fast - exact).abs().mean().item<double>();
      ++scaled;
      total += difference;
      largest = std::max(largest, difference);
    }
  }
  ASSERT_GT(scaled, 50);
  EXPECT_LT(255 * total / static_cast<double>(scaled), 2) << "levels, on average";
  EXPECT_LT(255 * largest, 8) << "levels, of one image on average";
}

}  // namespace
}  // namespace mobileone
