#include "mobileone/export/compare.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

namespace mobileone {

Difference largest_difference(const torch::Tensor& expected, const torch::Tensor& actual) {
  const auto reference = expected.to(torch::kFloat64);
  const double absolute = (reference - actual.to(torch::kFloat64)).abs().max().item<double>();
  const double scale = reference.abs().max().item<double>();
  return {absolute, scale > 0 ? absolute / scale : absolute};
}

torch::Tensor seeded_input(const MobileOne& network, int64_t batch, int64_t size) {
  const auto parameter = network->parameters().front();
  return torch::randn({batch, network->options.in_channels, size, size},
                      at::detail::createCPUGenerator(/*seed_val=*/0), torch::kFloat32)
      .to(parameter.options());
}

}  // namespace mobileone
