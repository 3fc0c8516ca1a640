#include "mobileone/export/compare.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// Those of trained networks stay below 100.
constexpr double kLargestUsualLogit = 1e4;

struct Tolerance {
  double relative, floor;
};

Tolerance tolerance(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat64:
      return {1e-11, 1e-10};
    case torch::kFloat32:
      return {1e-5, 1e-4};
    case torch::kHalf:
      return {1e-2, 1e-2};
    default:
      throw Error("outputs in {} are not compared", torch::toString(type));
  }
}

}  // namespace

Difference largest_difference(const torch::Tensor& expected, const torch::Tensor& actual) {
  if (!expected.is_floating_point()) {
    const double share = expected.ne(actual).to(torch::kFloat64).mean().item<double>();
    return {share, share, 1};
  }
  const auto reference = expected.to(torch::kFloat64);
  const double absolute = (reference - actual.to(torch::kFloat64)).abs().max().item<double>();
  const double largest = reference.abs().max().item<double>();
  return {absolute, largest > 0 ? absolute / largest : absolute, largest};
}

double allowed_difference(const Difference& difference, torch::ScalarType type) {
  const auto [relative, floor] = tolerance(type);
  return std::max(floor, relative * difference.largest);
}

bool agrees(const Difference& difference, torch::ScalarType type) {
  return std::isfinite(difference.largest) &&
         difference.absolute <= allowed_difference(difference, type);
}

std::string to_string(const Difference& difference) {
  // Without the sign that a NaN may have.
  return fmt::format("{:.3g} absolute, {:.3g} relative", std::abs(difference.absolute),
                     std::abs(difference.relative));
}

std::string odd_logits(double largest) {
  if (!std::isfinite(largest)) return "its logits are NaN or infinite";
  if (largest < kLargestUsualLogit) return "";
  return fmt::format(
      "its logits reach {:.2g}, where a trained network's stay below 100, so that every "
      "probability is 0 or 1: the learning rate was too high, or running statistics are not of "
      "these weights",
      largest);
}

torch::Tensor seeded_input(int64_t channels, int64_t batch, int64_t size) {
  return torch::randn({batch, channels, size, size}, at::detail::createCPUGenerator(/*seed_val=*/0),
                      torch::kFloat32);
}

torch::Tensor seeded_input(const MobileOne& network, int64_t batch, int64_t size) {
  const auto parameter = network->parameters().front();
  return seeded_input(network->options.in_channels, batch, size).to(parameter.options());
}

}  // namespace mobileone
