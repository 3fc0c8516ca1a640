#include "mobileone/task/task.h"

#include <torch/utils.h>

#include "mobileone/task/classification.h"
#include "mobileone/task/detection.h"
#include "mobileone/task/segmentation.h"

namespace mobileone {

std::unique_ptr<Task> task_of(const Config& config, const std::vector<double>& class_weights) {
  const torch::Tensor weights =
      class_weights.empty() ? torch::Tensor() : torch::tensor(class_weights, torch::kFloat64);
  switch (config.model.head) {
    case HeadKind::kClassifier:
      return std::make_unique<Classification>(config, weights);
    case HeadKind::kDeepLabV3:
      return std::make_unique<Segmentation>(config, weights);
    case HeadKind::kSsdLite:
      return std::make_unique<DetectionTask>(config);
  }
  TORCH_CHECK(false, "unknown head");
}

void for_each_batch(Loader& loader, const Processes& processes, const std::function<void()>& before,
                    const std::function<void(const Batch&)>& see) {
  torch::NoGradGuard no_grad;
  while (true) {
    const auto batch = loader.next();
    // One process may be done before the others, and waits for them here, so that none waits long.
    if (processes.sums({batch ? 1.0 : 0.0})[0] == 0) break;
    if (before) before();
    if (batch) see(*batch);
  }
}

}  // namespace mobileone
