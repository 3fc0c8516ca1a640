#include "mobileone/data/auto_augment.h"

#include "data/support.h"
#include "mobileone/data/magnitudes.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

TEST(AutoAugment, StrengthZeroIsTheIdentity) {
  const at::Tensor image = read_image(golden("operations.png"));
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    ASSERT_EQ(largest_difference(auto_augment(image, 0, random), image), 0) << seed;
  }
}

TEST(AutoAugment, SameStreamGivesSameImage) {
  const at::Tensor image = read_image(golden("operations.png"));
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random first(seed);
    Random second(seed);
    ASSERT_EQ(largest_difference(auto_augment(image, 0.7, first), auto_augment(image, 0.7, second)),
              0);
    EXPECT_EQ(first.bits(), second.bits());
  }
}

TEST(AutoAugment, StrongerChangesMore) {
  const at::Tensor image = read_image(golden("operations.png"));
  const auto mean_change = [&](double strength) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      Random random(seed);
      const at::Tensor result = auto_augment(image, strength, random);
      sum += (result.to(at::kFloat) - image.to(at::kFloat)).abs().mean().item<double>();
    }
    return sum / 300;
  };
  const double weak = mean_change(0.3);
  const double middle = mean_change(0.6);
  EXPECT_GT(weak, 1);
  EXPECT_GT(middle, weak);
  EXPECT_GT(mean_change(1.0), middle);
}

TEST(AutoAugment, HasTorchvisionsTable) {
  const auto rows = parse_csv(read_file(golden("policy.csv")), "policy.csv");
  ASSERT_EQ(rows.size(), 1 + 2 * imagenet_policy().size());
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::vector<std::string>& fields = rows[i].fields;
    const SubPolicy& policy = imagenet_policy()[std::stoul(fields[0])];
    const PolicyStep& step = i % 2 == 1 ? policy.first : policy.second;
    EXPECT_EQ(to_string(step.operation), fields[1]) << i;
    EXPECT_EQ(step.probability, std::stod(fields[2])) << i;
    EXPECT_EQ(step.bin, fields[3].empty() ? 0 : std::stoi(fields[3])) << i;
  }
}

TEST(AutoAugment, SubPoliciesGivePillowsPixels) {
  const at::Tensor image = read_image(golden("rgb.png"));
  const int64_t height = image.size(0);
  for (const double sign : {1.0, -1.0}) {
    const at::Tensor expected = golden_result(sign > 0 ? "policy_positive" : "policy_negative");
    ASSERT_EQ(expected.size(0), static_cast<int64_t>(imagenet_policy().size()) * height);
    int64_t top = 0;
    for (const auto& [first, second] : imagenet_policy()) {
      at::Tensor result = image;
      for (const auto& [operation, probability, bin] : {first, second}) {
        const bool one_sided =
            operation == Operation::kPosterize || operation == Operation::kSolarize;
        const double magnitude =
            magnitude_at(MagnitudeSpace::kAutoAugment, operation, bin, 1, height, image.size(1));
        result = apply_operation(result, operation, one_sided ? magnitude : sign * magnitude);
      }
      EXPECT_EQ(largest_difference(result, expected.narrow(0, top, height)), 0)
          << to_string(first.operation) << ", " << to_string(second.operation) << " " << sign;
      top += height;
    }
  }
}

}  // namespace
}  // namespace mobileone
