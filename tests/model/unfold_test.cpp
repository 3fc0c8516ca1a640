#include "mobileone/model/unfold.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "mobileone/model/state_dict.h"

namespace mobileone {
namespace {

using torch::Tensor;

/// A variant's branches, SE and form at a quarter of the width, and fewer blocks.
NetworkOptions small_variant(Variant variant) {
  ModelConfig config;
  config.variant = variant;
  config.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  config.depths = {1, 2, 3, 1};
  if (variant == Variant::kS4) config.se_blocks = {0, 0, 2, 1};
  return network_options(config, 5);
}

Tensor images(int64_t count) { return torch::randn({count, 3, 48, 48}, torch::kFloat64); }

double relative_difference(const Tensor& actual, const Tensor& expected) {
  return ((actual - expected).norm() / expected.norm()).item<double>();
}

class Unfold : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    torch::manual_seed(5);
    NetworkOptions options = small_variant(GetParam());
    network = MobileOne(options);
    options.folded = true;
    folded = MobileOne(options);
    network->to(torch::kFloat64);
    folded->to(torch::kFloat64);
    folded->eval();
    torch::NoGradGuard no_grad;
    for (auto& parameter : folded->parameters()) {
      if (parameter.dim() == 1) parameter.normal_(0, 0.2);
    }
  }

  MobileOne network{nullptr}, folded{nullptr};
};

TEST_P(Unfold, EvaluatesAsTheFoldedNetwork) {
  unfold(folded, {images(4), images(6)}, network);
  network->eval();
  torch::NoGradGuard no_grad;
  const auto x = images(3), expected = folded->forward(x);
  EXPECT_LT(relative_difference(network->forward(x), expected), 1e-9);
  EXPECT_LT(relative_difference(fold(network)->forward(x), expected), 1e-9);
}

TEST_P(Unfold, TrainsOnTheMeasuredBatchAsItEvaluates) {
  const auto x = images(4);
  unfold(folded, {x}, network);
  network->train();
  torch::NoGradGuard no_grad;
  for (const Engine engine : {Engine::kFolded, Engine::kBranches}) {
    network->engine = engine;
    EXPECT_LT(relative_difference(network->forward(x), folded->forward(x)), 1e-9);
  }
}

TEST_P(Unfold, TrainsOnOtherBatchesNearlyAsItEvaluates) {
  unfold(folded, {images(16), images(16), images(16)}, network);
  network->train();
  torch::NoGradGuard no_grad;
  const auto x = images(16);
  EXPECT_LT(relative_difference(network->forward(x), folded->forward(x)), 0.2);
}

TEST_P(Unfold, EveryBranchIsLearned) {
  const auto x = images(4);
  unfold(folded, {x}, network);
  network->train();
  network->forward(x).square().sum().backward();
  for (const auto& unit : network->units()) {
    for (const auto& gamma : unit->branch_tensors().gammas) {
      EXPECT_GT(gamma.grad().abs().sum().item<double>(), 0) << unit->options.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, Unfold,
                         testing::Values(Variant::kS0, Variant::kS1, Variant::kS2, Variant::kS3,
                                         Variant::kS4),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace mobileone
