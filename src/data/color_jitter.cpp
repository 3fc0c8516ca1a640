#include "mobileone/data/color_jitter.h"

#include <algorithm>

namespace mobileone {

std::vector<OperationStep> random_color_steps(const std::array<double, 4>& amounts,
                                              Random& random) {
  constexpr std::array kOperations = {Operation::kBrightness, Operation::kContrast,
                                      Operation::kColor, Operation::kHue};
  std::vector<OperationStep> steps;
  for (size_t i = 0; i < amounts.size(); ++i) {
    const double least =
        kOperations[i] == Operation::kHue ? -amounts[i] : std::max(-1.0, -amounts[i]);
    steps.push_back({kOperations[i], random.uniform(least, amounts[i])});
  }
  random.shuffle(steps);
  std::erase_if(steps, [&](const OperationStep& step) {
    const auto place = std::find(kOperations.begin(), kOperations.end(), step.operation);
    return amounts[place - kOperations.begin()] == 0;
  });
  return steps;
}

at::Tensor color_jitter(const at::Tensor& image, const std::array<double, 4>& amounts,
                        Random& random) {
  return apply_operations(image, random_color_steps(amounts, random));
}

}  // namespace mobileone
