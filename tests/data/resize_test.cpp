#include "mobileone/data/resize.h"

#include "data/support.h"
#include "mobileone/data/transforms.h"

namespace mobileone {
namespace {

class PillowsResize : public testing::TestWithParam<EnumName<Interpolation>> {
 protected:
  at::Tensor resized(const at::Tensor& image, int64_t height, int64_t width) const {
    return resize(image, height, width, GetParam().value);
  }
  at::Tensor expected(const std::string& name) const {
    return golden_result(fmt::format("{}_{}", GetParam().name, name));
  }
};

TEST_P(PillowsResize, HasEqualPixels) {
  constexpr std::array<int64_t, 2> kSizes[] = {{24, 24},  {83, 30}, {40, 61}, {20, 58}, {100, 90},
                                               {150, 20}, {1, 1},   {83, 1},  {3, 130}};
  const at::Tensor image = read_image(golden("resize.png"));
  for (const auto& [height, width] : kSizes) {
    const at::Tensor result = resized(image, height, width);
    EXPECT_TRUE(result.is_contiguous());
    EXPECT_EQ(largest_difference(result, expected(fmt::format("{}x{}", height, width))), 0)
        << height << " x " << width;
  }
}

TEST_P(PillowsResize, KeepsAnImageOfTheSize) {
  const at::Tensor image = read_image(golden("resize.png"));
  EXPECT_EQ(largest_difference(resized(image, 83, 61), image), 0);
}

TEST_P(PillowsResize, TakesViews) {
  const at::Tensor image = read_image(golden("resize.png"));
  const at::Tensor box = crop(image, {11, 7, 50, 40});
  const at::Tensor column = crop(image, {0, 0, 83, 1});
  ASSERT_FALSE(box.is_contiguous());
  EXPECT_EQ(largest_difference(resized(box, 32, 32), expected("crop")), 0);
  EXPECT_EQ(largest_difference(resized(column, 20, 9), expected("column")), 0);
  EXPECT_TRUE(resized(box, 50, 40).is_contiguous());

  const at::Tensor planes = box.permute({2, 0, 1}).contiguous().permute({1, 2, 0});
  EXPECT_EQ(largest_difference(resized(planes, 32, 32), expected("crop")), 0);
}

TEST_P(PillowsResize, SpreadsASinglePixel) {
  const at::Tensor pixel = at::tensor({10, 20, 30}, at::kByte).reshape({1, 1, 3});
  EXPECT_EQ(largest_difference(resized(pixel, 4, 5), pixel.expand({4, 5, 3})), 0);
}

TEST_P(PillowsResize, OfOneLevelIsOfThatLevel) {
  for (const int level : {0, 1, 128, 255}) {
    const at::Tensor image = at::full({13, 29, 3}, level, at::kByte);
    const at::Tensor result = resized(image, 7, 40);
    EXPECT_EQ(largest_difference(result, at::full_like(result, level)), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PillowsResize, testing::ValuesIn(enum_names(Interpolation{})),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace mobileone
