#include "mobileone/data/random_policies.h"

#include <c10/util/Exception.h>

#include <algorithm>

namespace mobileone {
namespace {

constexpr std::optional<Operation> kTorchvisionOperations[] = {
    std::nullopt,           Operation::kShearX,       Operation::kShearY,
    Operation::kTranslateX, Operation::kTranslateY,   Operation::kRotate,
    Operation::kBrightness, Operation::kColor,        Operation::kContrast,
    Operation::kSharpness,  Operation::kPosterize,    Operation::kSolarize,
    Operation::kEqualize,   Operation::kAutoContrast,
};

constexpr std::optional<Operation> kIncreasingOperations[] = {
    Operation::kAutoContrast, Operation::kEqualize,   Operation::kInvert,      Operation::kRotate,
    Operation::kPosterize,    Operation::kSolarize,   Operation::kSolarizeAdd, Operation::kColor,
    Operation::kContrast,     Operation::kBrightness, Operation::kSharpness,   Operation::kShearX,
    Operation::kShearY,       Operation::kTranslateX, Operation::kTranslateY,
};

/// Adds the operation with `probability`. Draws the same numbers whatever the operation.
void add_step(MagnitudeSpace space, std::optional<Operation> operation, double level,
              double probability, double strength, int64_t height, int64_t width, Random& random,
              std::vector<OperationStep>& steps) {
  const double applied = random.uniform();
  const bool negative = random.chance(0.5);
  if (!operation) return;
  if (applied >= probability * (has_magnitude(*operation) ? 1 : strength)) return;
  const double magnitude = magnitude_at(space, *operation, level, strength, height, width);
  steps.push_back({*operation, negative && has_sign(*operation) ? -magnitude : magnitude});
}

std::optional<Operation> random_operation(MagnitudeSpace space, Random& random) {
  const auto operations = policy_operations(space);
  return operations[random.integer(std::ssize(operations))];
}

}  // namespace

std::span<const std::optional<Operation>> policy_operations(MagnitudeSpace space) {
  switch (space) {
    case MagnitudeSpace::kRandAugment:
    case MagnitudeSpace::kTrivialWide:
      return kTorchvisionOperations;
    case MagnitudeSpace::kIncreasing:
      return kIncreasingOperations;
    case MagnitudeSpace::kAutoAugment:
      break;
  }
  TORCH_CHECK(false, "AutoAugment chooses among sub-policies");
}

std::vector<OperationStep> rand_augment_steps(const RandAugmentConfig& config, double strength,
                                              int64_t height, int64_t width, Random& random) {
  const bool timm = config.space == RandAugmentSpace::kTimm;
  const MagnitudeSpace space = timm ? MagnitudeSpace::kIncreasing : MagnitudeSpace::kRandAugment;
  std::vector<OperationStep> steps;
  for (int64_t i = 0; i < config.operations; ++i) {
    const auto operation = random_operation(space, random);
    const double level = std::clamp<double>(
        config.magnitude + config.magnitude_std * random.normal(), 0, last_level(space));
    add_step(space, operation, level, timm ? 0.5 : 1, strength, height, width, random, steps);
  }
  return steps;
}

std::vector<OperationStep> trivial_augment_steps(double strength, int64_t height, int64_t width,
                                                 Random& random) {
  constexpr MagnitudeSpace space = MagnitudeSpace::kTrivialWide;
  const auto operation = random_operation(space, random);
  const auto level = static_cast<double>(random.integer(last_level(space) + 1));
  std::vector<OperationStep> steps;
  add_step(space, operation, level, 1, strength, height, width, random, steps);
  return steps;
}

}  // namespace mobileone
