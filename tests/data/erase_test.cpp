#include "mobileone/data/erase.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace mobileone {
namespace {

constexpr float kUntouched = 100;  // far from what noise can be

/// The box that is no longer as it was: top, left, height, width; nothing if there is none.
std::vector<int64_t> erased_box(const at::Tensor& image) {
  const at::Tensor changed = image.ne(kUntouched).all(0).nonzero();
  if (changed.size(0) == 0) return {};
  const auto low = std::get<0>(changed.min(0));
  const auto high = std::get<0>(changed.max(0));
  const auto begin = [&](int axis) { return low[axis].item<int64_t>(); };
  const auto length = [&](int axis) { return high[axis].item<int64_t>() + 1 - begin(axis); };
  EXPECT_EQ(changed.size(0), length(0) * length(1)) << "not a box";
  return {begin(0), begin(1), length(0), length(1)};
}

at::Tensor image_after(const EraseConfig& config, Random& random) {
  // As a batch holds it.
  at::Tensor batch =
      at::full({1, 3, 60, 80}, kUntouched).contiguous(at::MemoryFormat::ChannelsLast);
  erase_randomly(config, batch[0], random);
  return batch[0];
}

TEST(Erase, HappensAsOftenAsAsked) {
  for (double probability : {0.0, 0.25, 1.0}) {
    Random random(1);
    int erased = 0;
    for (int i = 0; i < 2000; ++i) {
      erased += !erased_box(image_after({.probability = probability}, random)).empty();
    }
    EXPECT_NEAR(erased, 2000 * probability, 100);
  }
}

TEST(Erase, BoxesHaveTheAskedAreasAndRatios) {
  constexpr int kSamples = 4000;
  // Small enough for every ratio to fit, so that no box is drawn again.
  const EraseConfig config{.probability = 1, .area = {0.05, 0.15}};
  Random random(2);
  std::array<int, 5> areas{};
  std::array<int, 5> ratios{};
  double top = 0;
  for (int i = 0; i < kSamples; ++i) {
    const auto box = erased_box(image_after(config, random));
    const auto height = static_cast<double>(box[2]);
    const auto width = static_cast<double>(box[3]);
    const double area = (height * width / 4800 - 0.05) / 0.1;
    const double ratio = 0.5 + std::log(height / width) / std::log(1 / 0.3) / 2;
    ++areas[std::clamp(static_cast<int>(area * 5), 0, 4)];
    ++ratios[std::clamp(static_cast<int>(ratio * 5), 0, 4)];
    top += static_cast<double>(box[0]) / (60 - height);
  }
  for (int bin = 0; bin < 5; ++bin) {
    EXPECT_NEAR(areas[bin], kSamples / 5, 150) << bin;
    EXPECT_NEAR(ratios[bin], kSamples / 5, 150) << bin;
  }
  EXPECT_NEAR(top / kSamples, 0.5, 0.03);
}

TEST(Erase, NeverTouchesWhatIsTooSmall) {
  Random random(3);
  at::Tensor image = at::full({3, 4, 5}, kUntouched);
  erase_randomly({.probability = 1, .area = {0.9, 1}}, image, random);
  EXPECT_TRUE(erased_box(image).empty());
}

TEST(Erase, FillsAsTheModeSays) {
  const auto values = [](EraseMode mode) {
    Random random(4);
    const at::Tensor image =
        image_after({.probability = 1, .mode = mode, .area = {0.3, 0.3}}, random);
    const auto box = erased_box(image);
    return image.narrow(1, box[0], box[2]).narrow(2, box[1], box[3]).reshape({3, -1});
  };
  EXPECT_TRUE(values(EraseMode::kConst).eq(0).all().item<bool>());

  const at::Tensor color = values(EraseMode::kRand);
  EXPECT_TRUE(color.eq(color.narrow(1, 0, 1)).all().item<bool>());
  EXPECT_EQ(std::get<0>(at::_unique(color)).numel(), 3);

  const at::Tensor noise = values(EraseMode::kPixel);
  EXPECT_NEAR(noise.mean().item<double>(), 0, 5 / std::sqrt(noise.numel()));
  EXPECT_NEAR(noise.std().item<double>(), 1, 5 / std::sqrt(noise.numel()));
}

}  // namespace
}  // namespace mobileone
