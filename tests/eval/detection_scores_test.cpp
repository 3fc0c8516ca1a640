#include "mobileone/eval/detection_scores.h"

#include <gtest/gtest.h>

#include "dist/as_processes.h"

namespace mobileone {
namespace {

std::vector<Detection> found_in(size_t image) {
  std::vector<Detection> found;
  for (size_t i = 0; i < image; ++i) {
    const double at = static_cast<double>(i) / 3;
    found.push_back({{at, at + 1, at + 2, at + 3}, static_cast<int32_t>(i % 2), at / 7});
  }
  return found;
}

TEST(DetectionScores, ProcessesShareWhatTheyFound) {
  constexpr size_t kSetSize = 8;
  for (const int64_t size : {1, 3}) {
    as_processes(size, [&](const Processes& processes) {
      std::vector<std::vector<Detection>> found(kSetSize);
      for (auto i = static_cast<size_t>(processes.rank()); i < kSetSize;
           i += static_cast<size_t>(size)) {
        found[i] = found_in(i);
      }
      share_detections(processes, found);
      for (size_t i = 0; i < kSetSize; ++i) EXPECT_EQ(found[i], found_in(i)) << i;
    });
  }
}

TEST(DetectionScores, AreOfAllImages) {
  const CocoObject object{.category = 1, .box = {10, 10, 50, 40}, .area = 2000};
  const std::vector<DetectedImage> images = {{1, {object}, {{object.box, 1, 0.5}}}, {2, {object}}};
  const auto evaluation = score_detections({"a", "b"}, images);
  EXPECT_EQ(evaluation.images, 2);
  EXPECT_NEAR(evaluation.scores.ap50, 51.0 / 101, 1e-12);
  EXPECT_EQ(evaluation.errors.image_costs, (std::vector<double>{0, 1}));
}

}  // namespace
}  // namespace mobileone
