#include "mobileone/task/segmentation.h"

#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

#include <cmath>

namespace mobileone {
namespace {
namespace F = torch::nn::functional;

constexpr int64_t kClasses = 4;

Config segmenting() {
  Config config;
  config.model.head = HeadKind::kDeepLabV3;
  config.model.num_classes = kClasses;
  config.loss.label_smoothing = 0;
  return config;
}

Batch random_batch(int64_t images, int64_t height, int64_t width) {
  Batch batch;
  batch.images = torch::randn({images, 3, height, width});
  batch.labels = torch::full({images}, -1, torch::kLong);
  batch.masks = torch::randint(kClasses, {images, height, width}, torch::kByte);
  batch.masks.narrow(1, 0, 2).fill_(kIgnored);
  for (int64_t i = 0; i < images; ++i) batch.indices.push_back(i);
  return batch;
}

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& masks) {
  return F::cross_entropy(resized_logits(logits, masks.size(1), masks.size(2)),
                          masks.to(torch::kLong), F::CrossEntropyFuncOptions().ignore_index(255));
}

TEST(Segmentation, LossIsCrossEntropyAndTheAuxiliaryOnesShare) {
  torch::manual_seed(0);
  const Config config = segmenting();
  const auto task = task_of(config);
  const Batch batch = random_batch(2, 9, 12);
  const auto main = torch::randn({2, kClasses, 3, 4}, torch::kFloat64),
             auxiliary = torch::randn({2, kClasses, 5, 6}, torch::kFloat64);
  EXPECT_NEAR(task->loss({main}, batch).item<double>(),
              cross_entropy(main, batch.masks).item<double>(), 1e-12);
  EXPECT_NEAR(task->loss({main, auxiliary}, batch).item<double>(),
              cross_entropy(main, batch.masks).item<double>() +
                  0.4 * cross_entropy(auxiliary, batch.masks).item<double>(),
              1e-12);
}

TEST(Segmentation, ABatchInPartsHasTheLossOfTheWhole) {
  torch::manual_seed(1);
  for (const std::vector<double>& class_weights :
       {std::vector<double>{}, std::vector<double>{1, 2, 3, 0.5}}) {
    const auto task = task_of(segmenting(), class_weights);
    Batch batch = random_batch(5, 8, 8);
    batch.masks[0].fill_(kIgnored);  // parts then weigh differently
    const auto logits = torch::randn({5, kClasses, 4, 4}, torch::kFloat64);
    double sum = 0;
    const auto parts = logits.tensor_split(2);
    for (int64_t i = 0; i < 2; ++i) {
      const Batch part = batch.part(i, 2);
      sum += task->loss({parts[static_cast<size_t>(i)]}, part).item<double>() * task->weight(part);
    }
    EXPECT_NEAR(sum / task->weight(batch), task->loss({logits}, batch).item<double>(), 1e-12);
  }
}

TEST(Segmentation, ABatchWithoutLabelledPixelsTeachesNothing) {
  const auto task = task_of(segmenting());
  Batch batch = random_batch(2, 4, 4);
  batch.masks.fill_(kIgnored);
  const auto logits = torch::randn({2, kClasses, 2, 2}, torch::requires_grad());
  const auto loss = task->loss({logits}, batch);
  loss.backward();
  EXPECT_EQ(task->weight(batch), 0);
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(logits.grad().abs().max().item<double>(), 0);
}

TEST(SegmentationMeter, JudgesAtTheSizeOfTheMasks) {
  torch::manual_seed(2);
  SegmentationMeter meter(kClasses), first(kClasses), second(kClasses);
  PixelConfusion expected(kClasses);
  for (int64_t i = 0; i < 4; ++i) {
    const Batch batch = random_batch(1, 10 + i, 14);
    const auto logits = torch::randn({1, kClasses, 5, 7});
    meter.add({logits}, batch);
    (i < 2 ? first : second).add({logits}, batch);
    expected.add(resized_logits(logits, 10 + i, 14).argmax(1), batch.masks);
  }
  EXPECT_EQ(meter.images(), 4);
  EXPECT_EQ(meter.confusion().miou(), expected.miou());
  first.merge(second);
  EXPECT_EQ(first.confusion().miou(), meter.confusion().miou());
  EXPECT_NEAR(first.loss(), meter.loss(), 1e-12);
}

TEST(SegmentationMeter, CountsImagesWithoutNumbers) {
  SegmentationMeter meter(kClasses);
  auto logits = torch::zeros({2, kClasses, 4, 4});
  logits[1][2][3][3] = NAN;
  meter.add({logits}, random_batch(2, 4, 4));
  EXPECT_EQ(meter.without_numbers(), 1);
}

}  // namespace
}  // namespace mobileone
