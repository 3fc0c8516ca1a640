#include "mobileone/data/color_jitter.h"

#include <map>

#include "data/support.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

TEST(ColorJitter, StepsGivePillowsPixels) {
  const at::Tensor image = read_image(golden("operations.png"));
  std::map<int64_t, at::Tensor> results;
  const auto rows = parse_csv(read_file(golden("jitters.csv")), "jitters.csv");
  for (size_t i = 1; i < rows.size(); ++i) {
    at::Tensor& result = results.try_emplace(std::stoll(rows[i].fields[0]), image).first->second;
    result = apply_operation(result, from_string<Operation>(rows[i].fields[1]).value(),
                             std::stod(rows[i].fields[2]));
  }
  const at::Tensor expected = golden_result("jitters");
  ASSERT_EQ(static_cast<int64_t>(results.size()) * image.size(0), expected.size(0));
  for (const auto& [row, result] : results) {
    EXPECT_EQ(largest_difference(result, expected.narrow(0, row * image.size(0), image.size(0))), 0)
        << row;
  }
}

TEST(ColorJitter, DrawsUniformChangesInEveryOrder) {
  constexpr std::array<double, 4> kAmounts = {0.4, 1, 0.2, 0.1};
  constexpr int kSamples = 24'000;
  std::map<std::vector<Operation>, int> orders;
  std::map<Operation, std::array<int, 4>> quarters;
  Random random(1);
  for (int i = 0; i < kSamples; ++i) {
    std::vector<Operation> order;
    for (const auto& [operation, magnitude] : random_color_steps(kAmounts, random)) {
      order.push_back(operation);
      const double amount = operation == Operation::kBrightness ? kAmounts[0]
                            : operation == Operation::kContrast ? kAmounts[1]
                            : operation == Operation::kColor    ? kAmounts[2]
                                                                : kAmounts[3];
      ASSERT_LE(std::abs(magnitude), amount);
      ++quarters[operation].at(static_cast<int>((magnitude / amount + 1) * 2));
    }
    ++orders[order];
  }
  ASSERT_EQ(orders.size(), 24u);
  // Five standard deviations are 155 of an order's 1000, and 335 of a quarter's 6000.
  for (const auto& [order, count] : orders) EXPECT_NEAR(count, kSamples / 24, 155);
  ASSERT_EQ(quarters.size(), 4u);
  for (const auto& [operation, counts] : quarters) {
    for (const int count : counts) EXPECT_NEAR(count, kSamples / 4, 335) << to_string(operation);
  }
}

TEST(ColorJitter, LeavesOutWhatHasNoAmountAndDrawsAsMuch) {
  const at::Tensor image = read_image(golden("operations.png"));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random whole(seed);
    Random hueless(seed);
    Random none(seed);
    std::vector<OperationStep> steps = random_color_steps({0.4, 0.4, 0.4, 0.1}, whole);
    const auto fewer = random_color_steps({0.4, 0.4, 0.4, 0}, hueless);
    std::erase_if(steps, [](const OperationStep& s) { return s.operation == Operation::kHue; });
    ASSERT_EQ(fewer.size(), 3u);
    for (size_t i = 0; i < fewer.size(); ++i) {
      EXPECT_EQ(fewer[i].operation, steps[i].operation);
      EXPECT_EQ(fewer[i].magnitude, steps[i].magnitude);
    }
    EXPECT_TRUE(color_jitter(image, {0, 0, 0, 0}, none).equal(image));
    const uint64_t next = whole.bits();
    EXPECT_EQ(hueless.bits(), next);
    EXPECT_EQ(none.bits(), next);
  }
}

}  // namespace
}  // namespace mobileone
