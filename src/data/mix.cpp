#include "mobileone/data/mix.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace mobileone {
namespace {

/// The logarithm of a number from Gamma(shape): Marsaglia & Tsang 2000, who take a shape below 1
/// from the next one. As a logarithm, so that tiny shapes stay above zero.
double log_gamma_variate(double shape, Random& random) {
  if (shape < 1) {
    const double boost = std::log(1 - random.uniform()) / shape;
    return log_gamma_variate(shape + 1, random) + boost;
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double normal = random.normal();
    const double root = 1 + c * normal;
    if (root <= 0) continue;
    const double v = root * root * root;
    const double accepted = 0.5 * normal * normal + d * (1 - v + std::log(v));
    if (std::log(1 - random.uniform()) < accepted) return std::log(d * v);
  }
}

/// timm's: about a point anywhere in the image, cut off at its borders.
CropBox random_mix_box(double weight, int64_t height, int64_t width, Random& random) {
  const double side = std::sqrt(1 - weight);
  const auto along = [&](int64_t length) {
    const int64_t half = static_cast<int64_t>(static_cast<double>(length) * side) / 2;
    const int64_t center = random.integer(length);
    const int64_t begin = std::max<int64_t>(0, center - half);
    return std::pair(begin, std::min(length, center + half) - begin);
  };
  const auto [top, box_height] = along(height);
  const auto [left, box_width] = along(width);
  return {top, left, box_height, box_width};
}

}  // namespace

double random_beta(double alpha, Random& random) {
  const double a = log_gamma_variate(alpha, random);
  const double b = log_gamma_variate(alpha, random);
  return 1 / (1 + std::exp(b - a));
}

Mixture random_mixture(const MixConfig& config, int64_t height, int64_t width, Random& random) {
  if (!random.chance(config.probability)) return {};
  const bool switched = random.chance(config.switch_probability);
  Mixture mixture;
  mixture.cuts = config.cutmix > 0 && (config.mixup == 0 || switched);
  mixture.weight = random_beta(mixture.cuts ? config.cutmix : config.mixup, random);
  if (!mixture.cuts) return mixture;
  mixture.box = random_mix_box(mixture.weight, height, width, random);
  mixture.weight = 1 - static_cast<double>(mixture.box.height * mixture.box.width) /
                           static_cast<double>(height * width);
  return mixture;
}

void mix_images(const Mixture& mixture, at::Tensor images) {
  const auto& [weight, cuts, box] = mixture;
  const at::Tensor part =
      cuts ? images.narrow(2, box.top, box.height).narrow(3, box.left, box.width) : images;
  const double exchanged = cuts ? 1 : 1 - weight;
  if (exchanged == 0) return;
  for (int64_t i = 0; i < images.size(0) / 2; ++i) {
    at::Tensor own = part[i];
    at::Tensor other = part[images.size(0) - 1 - i];
    const at::Tensor before = own.clone();
    own.lerp_(other, exchanged);
    other.lerp_(before, exchanged);
  }
}

}  // namespace mobileone
