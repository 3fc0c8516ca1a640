#include "mobileone/data/affine.h"

#include "data/support.h"
#include "mobileone/data/annotation.h"
#include "mobileone/data/blur.h"
#include "mobileone/data/index_mask.h"

namespace mobileone {
namespace {

std::string mask_golden(const std::string& name) {
  return std::string(MOBILEONE_SOURCE_DIR) + "/tests/golden/masks/" + name;
}

constexpr double kAngles[] = {-10, -3.3, 0, 0.01, 7.77, 45, 90, 170};

/// The i-th of results of the same size that stand one below the other.
at::Tensor part_of(const at::Tensor& results, int64_t i, int64_t height) {
  return results.narrow(0, i * height, height);
}

TEST(Rotation, OfAnImageHasPillowsPixels) {
  const at::Tensor image = read_image(golden("operations.png"));
  const at::Tensor results = read_image(mask_golden("turned.png"));
  const int64_t height = image.size(0), width = image.size(1);
  for (size_t i = 0; i < std::size(kAngles); ++i) {
    const at::Tensor turned = sample_bilinear(image, rotation(kAngles[i], height, width));
    EXPECT_EQ(largest_difference(turned, part_of(results, i, height)), 0) << kAngles[i];
  }
}

TEST(Rotation, OfAMaskHasPillowsLabels) {
  const at::Tensor mask = decode_index_mask(read_file(mask_golden("mask.png")), "mask", {});
  const at::Tensor results =
      decode_index_mask(read_file(mask_golden("turned_mask.png")), "turned", {});
  const int64_t height = mask.size(0), width = mask.size(1);
  for (size_t i = 0; i < std::size(kAngles); ++i) {
    const at::Tensor turned = sample_nearest(mask, rotation(kAngles[i], height, width), kIgnored);
    EXPECT_TRUE(turned.equal(part_of(results, i, height))) << kAngles[i];
  }
}

TEST(GaussianBlur, HasPillowsPixels) {
  const at::Tensor image = read_image(golden("operations.png"));
  const at::Tensor results = read_image(mask_golden("blurred.png"));
  int64_t i = 0;
  for (const double radius : {0.0, 0.05, 0.3, 0.71, 0.99}) {
    const at::Tensor blurred = gaussian_blur(image, radius);
    EXPECT_EQ(largest_difference(blurred, part_of(results, i++, image.size(0))), 0) << radius;
  }
}

TEST(GaussianBlur, OfASinglePixelIsThePixel) {
  const at::Tensor image = at::full({1, 1, 3}, 77, at::kByte);
  EXPECT_TRUE(gaussian_blur(image, 0.8).equal(image));
}

}  // namespace
}  // namespace mobileone
