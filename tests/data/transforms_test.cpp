#include "mobileone/data/transforms.h"

#include <cmath>
#include <map>

#include "data/support.h"
#include "mobileone/data/color_jitter.h"
#include "mobileone/data/resize.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

using enum Interpolation;

constexpr std::array<double, 2> kArea = {0.08, 1.0};
constexpr std::array<double, 2> kRatio = {3.0 / 4, 4.0 / 3};

TEST(RandomResizedCrop, SamplesAreaAndRatioUniformly) {
  // Half the area at most, so that no box is refused for not fitting and the law stays exact.
  constexpr std::array<double, 2> kSmallArea = {0.1, 0.5};
  constexpr int kSamples = 20'000;
  constexpr int kBins = 10;
  std::array<int, kBins> areas{};
  std::array<int, kBins> shapes{};
  Random random(1);
  for (int i = 0; i < kSamples; ++i) {
    const CropBox box = random_resized_crop(1000, 1000, kSmallArea, kRatio, random);
    const auto height = static_cast<double>(box.height);
    const auto width = static_cast<double>(box.width);
    const double area = (height * width / 1e6 - 0.1) / 0.4;
    const double shape = std::log(width / height) / std::log(kRatio[1]) / 2 + 0.5;
    ++areas[std::clamp(static_cast<int>(area * kBins), 0, kBins - 1)];
    ++shapes[std::clamp(static_cast<int>(shape * kBins), 0, kBins - 1)];
  }
  for (int bin = 0; bin < kBins; ++bin) {  // 2000 in each; 5 standard deviations are 212
    EXPECT_NEAR(areas[bin], kSamples / kBins, 212) << bin;
    EXPECT_NEAR(shapes[bin], kSamples / kBins, 212) << bin;
  }
}

/// Of the Kolmogorov-Smirnov kind: whatever the shape, the shares of boxes below a value are those
/// of torchvision's algorithm, also where most boxes are refused for not fitting.
TEST(RandomResizedCrop, HasTorchvisionsDistribution) {
  constexpr int kSamples = 20'000;
  // One in a million samples is further off: 2.69 sqrt(1 / 20'000 + 1 / 400'000).
  constexpr double kAllowed = 0.0195;
  std::map<std::array<int64_t, 2>, std::map<std::string, std::vector<double>>> samples;
  const auto rows = parse_csv(read_file(golden("crops.csv")), "crops.csv");
  ASSERT_GT(rows.size(), 100u);
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::vector<std::string>& fields = rows[i].fields;
    const int64_t height = std::stoll(fields[0]);
    const int64_t width = std::stoll(fields[1]);
    auto& drawn = samples[{height, width}];
    Random random(static_cast<uint64_t>(height));
    for (int k = 0; k < kSamples && drawn["left"].size() < kSamples; ++k) {
      const CropBox box = random_resized_crop(height, width, kArea, kRatio, random);
      drawn["area"].push_back(static_cast<double>(box.height * box.width));
      drawn["ratio"].push_back(static_cast<double>(box.width) / static_cast<double>(box.height));
      drawn["top"].push_back(static_cast<double>(box.top));
      drawn["left"].push_back(static_cast<double>(box.left));
    }
    const double value = std::stod(fields[3]);
    const auto& values = drawn.at(fields[2]);
    const auto below =
        std::count_if(values.begin(), values.end(), [=](double v) { return v <= value; });
    EXPECT_NEAR(static_cast<double>(below) / kSamples, std::stod(fields[4]), kAllowed)
        << fields[2] << " of at most " << value << " in " << height << " x " << width;
  }
}

TEST(RandomResizedCrop, SamplesEveryPositionAlike) {
  std::array<int, 5> tops{};
  Random random(2);
  for (int i = 0; i < 10'000; ++i) {
    // An area of 9 to 9 pixels with ratio 1: 3 x 3 boxes in 7 x 7, five positions on each axis.
    const CropBox box = random_resized_crop(7, 7, {9.0 / 49, 9.0 / 49}, {1, 1}, random);
    ASSERT_EQ(box.height, 3);
    ASSERT_EQ(box.width, 3);
    ++tops.at(box.top);
  }
  for (int count : tops) EXPECT_NEAR(count, 2000, 200);
}

TEST(RandomResizedCrop, StaysInsideWhateverTheImage) {
  Random random(3);
  for (int i = 0; i < 5000; ++i) {
    const int64_t height = 1 + random.integer(40);
    const int64_t width = 1 + random.integer(40);
    const CropBox box = random_resized_crop(height, width, kArea, kRatio, random);
    ASSERT_GT(box.height, 0);
    ASSERT_GT(box.width, 0);
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.top + box.height, height);
    ASSERT_LE(box.left + box.width, width);
  }
}

struct Fallback {
  int64_t height, width;
  CropBox expected;
};

class RandomResizedCropFallback : public testing::TestWithParam<Fallback> {};

TEST_P(RandomResizedCropFallback, IsTheCentralBox) {
  Random random(4);
  const auto& [height, width, expected] = GetParam();
  // The whole area cannot be had with an allowed ratio.
  const CropBox box = random_resized_crop(height, width, {1, 1}, kRatio, random);
  EXPECT_EQ(box.top, expected.top);
  EXPECT_EQ(box.left, expected.left);
  EXPECT_EQ(box.height, expected.height);
  EXPECT_EQ(box.width, expected.width);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomResizedCropFallback,
                         testing::Values(Fallback{400, 90, {140, 0, 120, 90}},
                                         Fallback{90, 400, {0, 140, 90, 120}},
                                         Fallback{1, 100, {0, 49, 1, 1}}));

DataConfig evaluation(int64_t resize, int64_t crop) {
  DataConfig data;
  data.eval_resize = resize;
  data.eval_crop = crop;
  return data;
}

at::Tensor evaluated(const at::Tensor& image, int64_t resize, int64_t crop) {
  Random random(0);
  return eval_transform(evaluation(resize, crop))(image, random);
}

TEST(EvalTransform, KeepsTheShape) {
  const auto size = [](int64_t height, int64_t width) {
    Random random(0);
    const Cut cut = eval_transform(evaluation(256, 224)).cut(height, width, {}, random);
    return std::array{cut.height, cut.width};
  };
  EXPECT_EQ(size(500, 375), (std::array<int64_t, 2>{341, 256}));  // 341.33, cut
  EXPECT_EQ(size(300, 400), (std::array<int64_t, 2>{256, 341}));
  EXPECT_EQ(size(256, 999), (std::array<int64_t, 2>{256, 999}));
  EXPECT_EQ(size(32, 32), (std::array<int64_t, 2>{256, 256}));
}

/// Pixel (y, x) has the levels (y, x, 7).
at::Tensor coordinates(int64_t height, int64_t width) {
  at::Tensor image = at::full({height, width, 3}, 7, at::kByte);
  image.select(2, 0).copy_(at::arange(height).unsqueeze(1));
  image.select(2, 1).copy_(at::arange(width).unsqueeze(0));
  return image;
}

TEST(EvalTransform, KeepsTheMiddleOfAVeryThinImage) {
  auto image = at::zeros({2, 10000, 3}, at::kByte);
  image.slice(1, 4990, 5010).fill_(200);
  Random random(0);
  const Cut cut = eval_transform(evaluation(32, 8)).cut(2, 10000, {}, random);
  EXPECT_EQ(cut.box.width, 2 * kLongestOfShortSides);
  EXPECT_EQ(cut.width, 32 * kLongestOfShortSides);
  EXPECT_EQ(evaluated(image, 32, 8)[4][4][0].item<int>(), 200);
}

TEST(EvalTransform, RoundsHalvesToEven) {
  const at::Tensor cropped = evaluated(coordinates(9, 11), 9, 8);  // margins 0.5 and 1.5
  EXPECT_EQ(cropped[0][0][0].item<int>(), 0);
  EXPECT_EQ(cropped[0][0][1].item<int>(), 2);
  EXPECT_EQ(cropped.sizes(), (std::vector<int64_t>{8, 8, 3}));
}

TEST(EvalTransform, PadsSmallImagesWithBlack) {
  const at::Tensor cropped = evaluated(coordinates(3, 12), 3, 8);
  EXPECT_EQ(cropped.sizes(), (std::vector<int64_t>{8, 8, 3}));
  EXPECT_EQ(cropped[1][0][2].item<int>(), 0);
  EXPECT_EQ(cropped[2][0][2].item<int>(), 7);  // two rows above, three below
  EXPECT_EQ(cropped[4][0][0].item<int>(), 2);
  EXPECT_EQ(cropped[4][0][1].item<int>(), 2);
  EXPECT_EQ(cropped[5][0][2].item<int>(), 0);
}

TEST(Normalize, EqualsItsFormulaInOrder) {
  const std::vector<double> mean = {0.485, 0.456, 0.406};
  const std::vector<double> std = {0.229, 0.224, 0.225};
  const at::Tensor image = read_image(golden("rgb.png"));
  at::Tensor normalized = at::empty(image.sizes(), at::kFloat);
  normalize(image.const_data_ptr<uint8_t>(), image.numel() / 3, level_table(mean, std),
            normalized.mutable_data_ptr<float>());
  const at::Tensor expected =
      (image.to(at::kFloat) / 255 - at::tensor({mean[0], mean[1], mean[2]}, at::kFloat)) /
      at::tensor({std[0], std[1], std[2]}, at::kFloat);
  EXPECT_TRUE(normalized.equal(expected));
}

TEST(TrainTransform, GivesTheSizeAndFollowsTheStream) {
  AugmentConfig augment;
  augment.policy = Policy::kAutoAugment;
  const Transform transform = train_transform(augment, kBilinear, 32, 1.0);
  const at::Tensor image = read_image(golden("resize.png"));
  Random first(5);
  Random second(5);
  const at::Tensor once = transform(image, first);
  EXPECT_EQ(once.sizes(), (std::vector<int64_t>{32, 32, 3}));
  EXPECT_TRUE(once.is_contiguous());
  EXPECT_TRUE(once.equal(transform(image, second)));
  EXPECT_FALSE(once.equal(transform(image, second)));
}

TEST(TrainTransform, FlipsAsOftenAsAsked) {
  AugmentConfig augment;
  augment.crop_area = {1, 1};
  augment.crop_ratio = {1, 1};
  const at::Tensor image = coordinates(16, 16);
  for (double probability : {0.0, 0.5, 1.0}) {
    augment.flip = probability;
    const Transform transform = train_transform(augment, kBilinear, 16, 0);
    Random random(6);
    int flips = 0;
    for (int i = 0; i < 1000; ++i) flips += transform(image, random).equal(image.flip(1));
    EXPECT_NEAR(flips, 1000 * probability, 80);
  }
}

TEST(TrainTransform, ResizesAsAskedAndJittersColours) {
  AugmentConfig augment;
  const at::Tensor image = read_image(golden("resize.png"));
  const auto transformed = [&](Interpolation interpolation) {
    Random random(8);
    return train_transform(augment, interpolation, 32, 0)(image, random);
  };
  const at::Tensor plain = transformed(kBicubic);
  EXPECT_FALSE(plain.equal(transformed(kBilinear)));

  augment.color_jitter = {0.4, 0.4, 0.4, 0.1};
  Random random(8);
  const CropBox box = random_resized_crop(83, 61, augment.crop_area, augment.crop_ratio, random);
  at::Tensor expected = resize(crop(image, box), 32, 32, kBicubic);
  if (random.chance(augment.flip)) expected = expected.flip(1);
  EXPECT_TRUE(plain.equal(expected));
  EXPECT_TRUE(transformed(kBicubic).equal(color_jitter(expected, augment.color_jitter, random)));
}

TEST(EvalTransform, IsTorchvisionsOnPillowImages) {
  Random random(7);
  const at::Tensor image = read_image(golden("resize.png"));
  DataConfig data;
  data.eval_resize = 40;
  data.eval_crop = 32;
  for (const auto& [interpolation, name] : enum_names(Interpolation{})) {
    data.interpolation = interpolation;
    const at::Tensor expected = golden_result(fmt::format("{}_evaluation", name));
    EXPECT_EQ(largest_difference(eval_transform(data)(image, random), expected), 0) << name;
  }
}

}  // namespace
}  // namespace mobileone
