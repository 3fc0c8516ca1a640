#include "mobileone/data/operations.h"

#include "data/support.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

class PillowsOperation : public testing::TestWithParam<EnumName<Operation>> {};

TEST_P(PillowsOperation, HasEqualPixels) {
  const auto [operation, name] = GetParam();
  const at::Tensor image = read_image(golden("operations.png"));
  const at::Tensor expected = golden_result(std::string(name));
  int compared = 0;
  for (const CsvRow& row : parse_csv(read_file(golden("operations.csv")), "operations.csv")) {
    if (row.fields[0] != name) continue;
    const double magnitude = std::stod(row.fields[2]);
    const at::Tensor result = apply_operation(image, operation, magnitude);
    const int64_t top = std::stoll(row.fields[1]) * image.size(0);
    EXPECT_EQ(largest_difference(result, expected.narrow(0, top, image.size(0))), 0) << magnitude;
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

INSTANTIATE_TEST_SUITE_P(All, PillowsOperation, testing::ValuesIn(enum_names(Operation{})),
                         [](const auto& test) { return std::string(test.param.name); });

class SmallestImage : public testing::TestWithParam<EnumName<Operation>> {};

TEST_P(SmallestImage, KeepsItsSize) {
  const at::Tensor image = at::full({1, 2, 3}, 90, at::kByte);
  const at::Tensor result = apply_operation(image, GetParam().value, 0);
  EXPECT_EQ(result.sizes(), image.sizes());
  EXPECT_EQ(image.min().item<int>(), 90) << "the input must stay as it is";
}

INSTANTIATE_TEST_SUITE_P(All, SmallestImage, testing::ValuesIn(enum_names(Operation{})),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace mobileone
