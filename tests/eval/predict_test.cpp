#include "mobileone/eval/predict.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "mobileone/data/image.h"
#include "mobileone/data/image_inputs.h"
#include "mobileone/util/file.h"
#include "test_folder.h"

namespace mobileone {
namespace {

/// Plain images whose grey level is their class, and a "network" that reads it.
class PredictTest : public testing::Test {
 protected:
  PredictTest() {
    model.origin = "model";
    model.config.data.eval_resize = model.config.data.eval_crop = 16;
    model.config.data.mean = {0, 0, 0};
    model.config.data.std = {1, 1, 1};
    model.class_names = {"a", "b", "c", "d", "e", "f"};
    model.forward = [this](const torch::Tensor& x) {
      largest_batch = std::max(largest_batch, x.size(0));
      const auto level = (x.mean({1, 2, 3}) * 255 / 40).round().to(torch::kLong);
      return 2 * at::one_hot(level.clamp(0, 5), 6).to(torch::kFloat);
    };
  }

  /// "image 3.png" is of class 3, every third cannot be read.
  std::string image(int64_t i) const {
    const std::string path = folder.path(fmt::format("image {}.png", i));
    if (i % 3 == 2) {
      write_whole(path, "no picture");
    } else {
      write_png(path, torch::full({20, 30, 3}, (i % 6) * 40, torch::kUInt8));
    }
    return path;
  }

  const TestFolder folder;
  Model model;
  int64_t largest_batch = 0;
};

TEST_F(PredictTest, GoesOnPastUnreadableImagesInOrder) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < 20; ++i) names.push_back(image(i));
  const ImageList images = read_image_inputs(names);
  for (const int64_t batch : {1, 3, 64}) {
    largest_batch = 0;
    std::vector<PredictedImage> predicted;
    const int64_t unreadable =
        predict(model, images, 3, {.batch_size = batch, .workers = 3},
                [&](const PredictedImage& image) { predicted.push_back(image); });
    EXPECT_EQ(unreadable, 6);
    EXPECT_EQ(largest_batch, std::min<int64_t>(batch, batch == 3 ? 2 : 14));
    ASSERT_EQ(predicted.size(), 20u);
    for (int64_t i = 0; i < 20; ++i) {
      const auto& [name, classes, error] = predicted[i];
      EXPECT_EQ(name, names[i]);
      if (i % 3 == 2) {
        EXPECT_TRUE(classes.empty());
        EXPECT_NE(error.find(names[i]), std::string::npos) << error;
        continue;
      }
      EXPECT_EQ(error, "");
      ASSERT_EQ(classes.size(), 3u);
      EXPECT_EQ(classes[0].index, i % 6);
      EXPECT_EQ(classes[0].class_name, model.class_names[i % 6]);
      EXPECT_GT(classes[0].probability, classes[1].probability);
    }
  }
}

TEST_F(PredictTest, NothingThatCanBeRead) {
  const ImageList images = read_image_inputs({image(2), "/nowhere.png"});
  int64_t taken = 0;
  EXPECT_EQ(predict(model, images, 3, {}, [&](const PredictedImage&) { ++taken; }), 2);
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace mobileone
