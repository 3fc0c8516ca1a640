#include "mobileone/model/mobileone.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "mobileone/model/state_dict.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// A network small enough for float64 tests, with everything a large one has.
NetworkOptions small_network(int64_t branches, bool se, int64_t output_stride = 32,
                             int64_t stem_stride = 2) {
  ModelConfig config;
  config.width_multipliers = {0.25, 0.25, 0.125, 0.125};
  config.depths = {1, 2, 2, 1};
  config.branches = {branches};
  config.output_stride = output_stride;
  config.stem_stride = stem_stride;
  if (se) config.se_blocks = {0, 0, 1, 1};
  return network_options(config, 7);
}

void randomise_state(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& item : state_dict(module)) {
    auto tensor = item.value();
    if (!tensor.is_floating_point()) continue;
    if (item.key().ends_with("running_var")) {
      tensor.uniform_(0.5, 1.5);
    } else {
      tensor.normal_(0, 0.5);
    }
  }
}

struct FoldCase {
  int64_t branches;
  bool se;
  int64_t output_stride, stem_stride;
};

class Fold : public testing::TestWithParam<FoldCase> {};

TEST_P(Fold, KeepsTheFunction) {
  const auto [branches, se, output_stride, stem_stride] = GetParam();
  for (int seed = 0; seed < 3; ++seed) {
    torch::manual_seed(seed);
    MobileOne network(small_network(branches, se, output_stride, stem_stride));
    network->to(torch::kFloat64);
    randomise_state(*network);
    network->eval();
    torch::NoGradGuard no_grad;
    const auto x = torch::randn({2, 3, 50, 37}, torch::kFloat64);
    const auto expected = network->forward(x);
    const auto difference = (fold(network)->forward(x) - expected).norm() / expected.norm();
    EXPECT_LT(difference.item<double>(), 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Fold,
                         testing::Values(FoldCase{1, false, 32, 2}, FoldCase{4, false, 32, 2},
                                         FoldCase{5, true, 32, 2}, FoldCase{2, true, 16, 2},
                                         FoldCase{3, false, 8, 2}, FoldCase{1, true, 32, 1}));

TEST(FoldNetwork, LeavesConvolutionBiasSeAndLinearOnly) {
  const MobileOne folded = fold(MobileOne(small_network(4, true)));
  for (const auto& item : state_dict(*folded)) {
    const bool known = item.key().find("reparam_conv.") != std::string::npos ||
                       item.key().find("se.") != std::string::npos ||
                       item.key().starts_with("linear.");
    EXPECT_TRUE(known) << item.key();
  }
}

TEST(MobileOne, FeaturesHaveTheStridesOfTheirStages) {
  MobileOne network(small_network(1, false));
  network->eval();
  const auto features = network->features(torch::zeros({1, 3, 64, 64}));
  ASSERT_EQ(features.size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(features[i].size(2), 64 >> (i + 2));
}

TEST(MobileOne, GradientsReachEveryParameter) {
  torch::manual_seed(0);
  MobileOne network(small_network(2, true));
  network->forward(torch::randn({4, 3, 32, 32})).square().sum().backward();
  for (const auto& item : network->named_parameters()) {
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
  }
}

TEST(MobileOne, DilationIsInEveryBranch) {
  // With a dilated depthwise unit a pixel reaches outputs 2 away but none 1 away.
  UnitOptions options;
  options.name = "unit";
  options.in_channels = options.out_channels = options.groups = 2;
  options.kernel = 3;
  options.dilation = 2;
  options.branches = 3;
  Unit unit(options);
  randomise_state(*unit);
  unit->eval();
  torch::NoGradGuard no_grad;
  auto x = torch::zeros({1, 2, 9, 9});
  const auto base = unit->forward(x);
  x.index_put_({0, torch::indexing::Slice(), 4, 4}, 100);
  const auto moved = (unit->forward(x) - base).abs();
  EXPECT_EQ(moved.index({0, 0, 4, 5}).item<float>() + moved.index({0, 1, 3, 4}).item<float>(), 0);
  EXPECT_EQ(unit->forward(x).sizes(), x.sizes());
}

TEST(StateDict, MismatchNamesEveryTensor) {
  MobileOne network(small_network(1, false));
  auto state = state_dict(*MobileOne(small_network(2, false)));
  try {
    load_state_dict(*network, state, "file.pth");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("file.pth: its weights do not fit the network; ")) << message;
    EXPECT_NE(message.find("unexpected: stage1.0.rbr_conv.1.conv.weight"), std::string::npos);
  }
}

}  // namespace
}  // namespace mobileone
