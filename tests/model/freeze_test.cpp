#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {
namespace {

using torch::Tensor;

/// With statistics that no batch has.
MobileOne frozen_network(const std::vector<Part>& parts, Engine engine) {
  ModelConfig config;
  config.width_multipliers = {0.25, 0.25, 0.125, 0.125};
  config.depths = {1, 2, 2, 1};
  config.branches = {2};
  config.se_blocks = {0, 1, 1, 0};
  torch::manual_seed(9);
  MobileOne network(network_options(config, 4));
  network->to(torch::kFloat64);
  network->engine = engine;
  network->freeze(parts);
  torch::NoGradGuard no_grad;
  for (auto& buffer : network->buffers()) {
    if (buffer.is_floating_point()) buffer.uniform_(0.5, 1.5);
  }
  network->train();
  return network;
}

class Freeze : public testing::TestWithParam<std::vector<Part>> {
 protected:
  bool names(Part part) const { return std::ranges::count(GetParam(), part) > 0; }
};

TEST_P(Freeze, BothEnginesTrainTheRestAlike) {
  torch::manual_seed(1);
  const auto x = torch::randn({4, 3, 40, 40}, torch::kFloat64);
  auto by_branches = frozen_network(GetParam(), Engine::kBranches),
       by_folding = frozen_network(GetParam(), Engine::kFolded);
  const auto expected = by_branches->forward(x), actual = by_folding->forward(x);
  EXPECT_TRUE(torch::allclose(actual, expected, 1e-9, 1e-12));
  expected.square().sum().backward();
  actual.square().sum().backward();
  for (const auto& item : by_branches->named_parameters()) {
    const auto& other = by_folding->named_parameters()[item.key()];
    ASSERT_EQ(item.value().grad().defined(), !names(part_of(item.key()))) << item.key();
    ASSERT_EQ(other.grad().defined(), item.value().grad().defined()) << item.key();
    if (!other.grad().defined()) continue;
    EXPECT_TRUE(torch::allclose(other.grad(), item.value().grad(), 1e-7, 1e-9)) << item.key();
  }
  for (const auto& item : by_branches->named_buffers()) {
    EXPECT_TRUE(torch::allclose(by_folding->named_buffers()[item.key()], item.value(), 1e-9))
        << item.key();
  }
}

TEST_P(Freeze, KeepsTheStatisticsOfFrozenUnitsOnly) {
  for (const Engine engine : {Engine::kFolded, Engine::kBranches}) {
    auto network = frozen_network(GetParam(), engine);
    StateDict before;
    for (const auto& item : network->named_buffers()) {
      before.insert(item.key(), item.value().clone());
    }
    network->forward(torch::randn({4, 3, 40, 40}, torch::kFloat64));
    for (const auto& item : before) {
      EXPECT_EQ(torch::equal(network->named_buffers()[item.key()], item.value()),
                names(part_of(item.key())))
          << item.key();
    }
  }
}

TEST_P(Freeze, FeaturesComeFromEveryStage) {
  const auto x = torch::randn({4, 3, 64, 64}, torch::kFloat64);
  const auto expected = frozen_network(GetParam(), Engine::kBranches)->features(x),
             actual = frozen_network(GetParam(), Engine::kFolded)->features(x);
  ASSERT_EQ(actual.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(torch::allclose(actual[i], expected[i], 1e-9, 1e-12)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Parts, Freeze,
                         testing::Values(std::vector<Part>{}, std::vector{Part::kStem},
                                         std::vector{Part::kStem, Part::kStage1, Part::kStage2},
                                         std::vector{Part::kStage2},
                                         std::vector{Part::kStage1, Part::kStage3},
                                         std::vector{Part::kStem, Part::kStage4, Part::kClassifier},
                                         std::vector{Part::kStem, Part::kStage1, Part::kStage2,
                                                     Part::kStage3, Part::kStage4}));

TEST(FreezeNetwork, CanBeTakenBack) {
  auto network = frozen_network({Part::kStage1}, Engine::kFolded);
  network->freeze({});
  for (const auto& item : network->named_parameters()) {
    EXPECT_TRUE(item.value().requires_grad()) << item.key();
  }
  for (const auto& unit : network->units()) EXPECT_TRUE(unit->is_training());
}

}  // namespace
}  // namespace mobileone
