#include "mobileone/data/erase.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace mobileone {
namespace {

void fill_box(EraseMode mode, const at::Tensor& box, Random& random) {
  if (mode == EraseMode::kConst) {
    box.zero_();
    return;
  }
  const bool noise = mode == EraseMode::kPixel;
  at::Tensor values =
      at::empty({noise ? box.size(1) : 1, noise ? box.size(2) : 1, box.size(0)}, at::kFloat);
  float* out = values.mutable_data_ptr<float>();
  std::generate_n(out, values.numel(), [&] { return static_cast<float>(random.normal()); });
  box.copy_(values.permute({2, 0, 1}).expand_as(box));
}

}  // namespace

void erase_randomly(const EraseConfig& config, at::Tensor image, Random& random) {
  if (!random.chance(config.probability)) return;
  constexpr int kTries = 10;
  const int64_t height = image.size(1);
  const int64_t width = image.size(2);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double area =
        random.uniform(config.area[0], config.area[1]) * static_cast<double>(height * width);
    const double ratio =
        std::exp(random.uniform(std::log(config.ratio[0]), std::log(config.ratio[1])));
    const auto h = static_cast<int64_t>(std::nearbyint(std::sqrt(area * ratio)));
    const auto w = static_cast<int64_t>(std::nearbyint(std::sqrt(area / ratio)));
    if (h >= height || w >= width) continue;
    const int64_t top = random.integer(height - h + 1);
    const int64_t left = random.integer(width - w + 1);
    fill_box(config.mode, image.narrow(1, top, h).narrow(2, left, w), random);
    return;
  }
}

}  // namespace mobileone
