// Apple's published S0 on photographs, against the reference implementation.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>
#include <string>

#include "mobileone/eval/evaluate.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

TEST(PublishedWeights, OfApplesS0GiveTheReferencesLogits) {
  const fs::path shared = fs::path(MOBILEONE_SOURCE_DIR) / "../shared";
  const fs::path weights = shared / "weights/mobileone_s0_fused.pth.tar",
                 images = shared / "data/imagenet50/labels.csv",
                 golden = shared / "golden/imagenet50_s0_expected.csv";
  for (const auto& path : {weights, images, golden}) {
    if (!fs::exists(path)) GTEST_SKIP() << path << " is not here";
  }
  Model model = load_model(weights, torch::kCPU);
  EXPECT_EQ(model.class_names.at(340), "zebra");
  std::vector<torch::Tensor> batches;
  const auto forward = model.forward;
  model.forward = [&](const torch::Tensor& x) {
    batches.push_back(forward(x));
    return batches.back();
  };
  const Evaluation result = evaluate(model, read_image_list(images), {});
  EXPECT_NEAR(result.meter.top1(), 92, 1e-9);
  EXPECT_NEAR(result.meter.top5(), 100, 1e-9);

  batches.erase(batches.begin());  // asked with to learn how many classes there are
  const auto logits = torch::cat(batches);
  const auto rows = parse_csv(read_file(golden), golden);
  ASSERT_EQ(logits.size(0), static_cast<int64_t>(rows.size()) - 1);
  double largest = 0;
  for (size_t row = 1; row < rows.size(); ++row) {
    const auto& fields = rows[row].fields;  // file, label, five classes, their logits
    const auto [values, classes] = logits[static_cast<int64_t>(row) - 1].topk(5);
    for (int64_t i = 0; i < 5; ++i) {
      EXPECT_EQ(classes[i].item<int64_t>(), std::stoll(fields[2 + i])) << fields[0];
      const double expected = std::stod(fields[7 + i]);
      EXPECT_NEAR(values[i].item<double>(), expected, 0.02) << fields[0];
      largest = std::max(largest, std::abs(values[i].item<double>() - expected));
    }
  }
  RecordProperty("largest_difference", std::to_string(largest));
}

}  // namespace
}  // namespace mobileone
