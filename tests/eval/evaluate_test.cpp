#include "mobileone/eval/evaluate.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "mobileone/data/image.h"
#include "mobileone/data/image_files.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/util/error.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// Plain images whose grey level is their class, and a "network" that reads it.
class EvaluateTest : public testing::Test {
 protected:
  EvaluateTest() {
    for (int64_t i = 0; i < 12; ++i) {
      const std::string path = (dir / fmt::format("{}.png", i)).string();
      write_png(path, torch::full({20, 30, 3}, (i % 6) * 40, torch::kUInt8));
      files->add(path);
      list.labels.push_back(static_cast<int32_t>(i % 6));
    }
    list.origin = dir.string();
    list.storage = files;
    model.origin = "model";
    model.config.data.eval_resize = model.config.data.eval_crop = 16;
    model.config.data.mean = {0, 0, 0};
    model.config.data.std = {1, 1, 1};
    model.forward = [](const torch::Tensor& x) {
      const auto level = (x.mean({1, 2, 3}) * 255 / 40).round().to(torch::kLong);
      return at::one_hot(level.clamp(0, 5), 6).to(torch::kFloat);
    };
  }
  const TestFolder folder;
  const fs::path dir = folder.path();
  const std::shared_ptr<ImageFiles> files = std::make_shared<ImageFiles>("");
  ImageList list;
  Model model;
};

TEST_F(EvaluateTest, CountsAndConfusion) {
  list.labels[0] = 3;  // a grey-0 image that claims to be of class 3
  const Evaluation result = evaluate(model, list, {.batch_size = 5, .workers = 2});
  EXPECT_EQ(result.meter.images(), 12);
  EXPECT_NEAR(result.meter.top1(), 100.0 * 11 / 12, 1e-9);
  EXPECT_EQ(std::count_if(result.images.begin(), result.images.end(),
                          [](const auto& image) { return image.label == image.prediction; }),
            11);
  EXPECT_EQ(result.class_names[2], "2");
}

TEST_F(EvaluateTest, KeepsWhatBecameOfEachImage) {
  list.labels[0] = 3;
  const Evaluation result = evaluate(model, list, {.batch_size = 5, .workers = 2});
  ASSERT_EQ(result.images.size(), 12u);
  EXPECT_EQ(result.images[0].label, 3);
  EXPECT_EQ(result.images[0].prediction, 0);
  for (int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(result.images[i].index, i);
    EXPECT_NEAR(result.images[i].probability, std::exp(1) / (std::exp(1) + 5), 1e-12);
  }
}

TEST_F(EvaluateTest, LogitsThatAreNotFiniteAreNoFault) {
  const auto finite = model.forward;
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    model.forward = [&](const torch::Tensor& x) {
      auto logits = finite(x);
      logits[0].fill_(bad);
      return logits;
    };
    const Evaluation result = evaluate(model, list, {.batch_size = 4});
    EXPECT_EQ(result.images.size(), 12u);
    EXPECT_FALSE(std::isfinite(result.images[0].probability));
    EXPECT_TRUE(std::isfinite(result.images[1].probability));
  }
}

TEST_F(EvaluateTest, ALabelOutOfRangeIsRefused) {
  list.labels[7] = 6;
  EXPECT_THROW(evaluate(model, list, {}), Error);
}

TEST_F(EvaluateTest, ClassesOfAnotherSetAreRefused) {
  model.class_names = {"a", "b", "c", "d", "e", "f"};
  list.class_names = {"a", "b", "c", "d", "e", "g"};
  try {
    evaluate(model, list, {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'g', which has 'f'"), std::string::npos)
        << error.what();
  }
}

TEST_F(EvaluateTest, ASetMayHaveAPartOfTheClasses) {
  model.class_names = {"a", "b", "c", "d", "e", "f"};
  list.class_names = {"e", "b"};  // the images of greys 4 and 1 in that order of labels
  const auto keep = std::make_shared<ImageFiles>("");
  list.labels.clear();
  for (const int64_t i : {4, 1, 10, 7}) {
    keep->add(files->name(i));
    list.labels.push_back(i % 6 == 4 ? 0 : 1);
  }
  list.storage = keep;
  Evaluation result = evaluate(model, list, {});
  EXPECT_EQ(result.meter.top1(), 100);
  EXPECT_EQ(result.present, 2);
  EXPECT_EQ(per_class(result.images).back().correct, 2);
  EXPECT_EQ(result.images[1].label, 1);

  // Class f wins everywhere, and the right one comes second.
  const auto right = model.forward;
  model.forward = [&](const torch::Tensor& x) {
    return right(x) + torch::tensor({0., 0., 0., 0., 0., 2.}, torch::kFloat32);
  };
  EXPECT_EQ(evaluate(model, list, {}).meter.top1(), 0);
  result = evaluate(model, list, {.restrict = true});
  EXPECT_EQ(result.meter.top1(), 100);
  EXPECT_NEAR(result.images[0].probability, std::exp(1) / (std::exp(1) + 1), 1e-6);
  EXPECT_TRUE(std::isfinite(result.meter.loss()));
}

TEST_F(EvaluateTest, ManyClassesTakeNoMatrix) {
  constexpr int64_t kClasses = 1'000'000;
  model.forward = [](const torch::Tensor& x) {
    auto logits = torch::zeros({1, kClasses}).repeat({x.size(0), 1});
    logits.select(1, kClasses - 1).fill_(1);
    return logits;
  };
  list.labels[3] = kClasses - 1;
  const Evaluation result = evaluate(model, list, {.batch_size = 1});
  EXPECT_NEAR(result.meter.top1(), 100.0 / 12, 1e-9);
  EXPECT_EQ(result.class_names.back(), "999999");
}

TEST_F(EvaluateTest, InBfloat16) {
  const auto linear = torch::randn({6, 3});
  model.forward = [&](const torch::Tensor& x) { return at::linear(x.mean({2, 3}), linear); };
  const auto half = evaluate(model, list, {.precision = Precision::kBfloat16});
  const auto full = evaluate(model, list, {});
  EXPECT_NE(half.meter.loss(), full.meter.loss());
  EXPECT_NEAR(half.meter.loss(), full.meter.loss(), 0.05);
  model.exported = true;
  EXPECT_THROW(evaluate(model, list, {.precision = Precision::kBfloat16}), Error);
}

}  // namespace
}  // namespace mobileone
