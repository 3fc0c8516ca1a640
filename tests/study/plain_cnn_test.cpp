#include "mobileone/study/plain_cnn.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "mobileone/bench/operators.h"

namespace mobileone {
namespace {

/// All of a CNN's multiply-adds for one image.
int64_t macs_of(const Layer& network, int64_t size) {
  return total_counts(count_operators(network, torch::randn({1, 3, size, size}))).macs;
}

TEST(PlainCnn, DividesItsLayersBetweenTheWidths) {
  torch::NoGradGuard no_grad;
  const PlainCnnConfig config = {.layers = 6, .widths = {4, 8, 16}};
  const auto relu = [](const LayerShape&) { return activation_layer(Activation::kRelu, 1); };
  const Layer network = plain_cnn(config, relu);
  EXPECT_EQ(network(torch::randn({2, 3, 32, 32})).sizes().vec(),
            (std::vector<int64_t>{2, 16, 4, 4}));
  const int64_t expected =
      9 * (256 * (3 * 4 + 4 * 4) + 64 * (4 * 8 + 8 * 8) + 16 * (8 * 16 + 16 * 16));
  EXPECT_EQ(macs_of(network, 32), expected);
}

TEST(PlainCnn, ActivationsKeepTheShapeAndDifferFromEachOther) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const auto x = torch::randn({2, 16, 5, 5});
  std::vector<torch::Tensor> outputs;
  for (const Activation activation : all_of_enum<Activation>()) {
    outputs.push_back(activation_layer(activation, 16)(x.clone()));
    ASSERT_EQ(outputs.back().sizes(), x.sizes());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(torch::allclose(outputs[i], outputs[j])) << i << " and " << j;
    }
  }
}

TEST(PlainCnn, DynamicActivationsDependOnTheGlobalMean) {
  torch::NoGradGuard no_grad;
  constexpr int64_t kChannels = 128;  // 8 hidden units: not all of them are dead
  torch::manual_seed(1);
  auto x = torch::randn({1, kChannels, 4, 4});
  auto other = x.clone();
  other.select(2, 3).add_(5);  // the last row only
  for (const Activation activation : {Activation::kSeRelu, Activation::kDynamicReluA,
                                      Activation::kDynamicReluB, Activation::kDynamicShiftMax}) {
    const Layer layer = activation_layer(activation, kChannels);
    EXPECT_FALSE(torch::allclose(layer(x.clone()).select(2, 0), layer(other.clone()).select(2, 0)))
        << to_string(activation);
  }
}

/// Dynamic ReLU-A shares its two lines between all channels: outputs are one convex, piecewise
/// linear function of the inputs.
TEST(PlainCnn, DynamicReluAIsOneFunctionForAllChannels) {
  torch::NoGradGuard no_grad;
  auto x = torch::randn({1, 8, 4, 4});
  x[0][1] = x[0][0];
  const auto y = activation_layer(Activation::kDynamicReluA, 8)(x);
  EXPECT_TRUE(torch::equal(y[0][0], y[0][1]));
}

TEST(PlainCnn, BlocksAddWhatTheySay) {
  torch::NoGradGuard no_grad;
  const PlainCnnConfig config = {.layers = 4, .widths = {16, 32}};
  const int64_t plain = macs_of(block_cnn(config, Block::kPlain, 3), 32);
  EXPECT_EQ(macs_of(block_cnn(config, Block::kSkip, 3), 32), plain);
  EXPECT_EQ(macs_of(block_cnn(config, Block::kPooling, 3), 32), plain);
  EXPECT_EQ(macs_of(block_cnn(config, Block::kLayerPooling, 3), 32), plain);
  const int64_t se = 2 * (2 * 16 * 1) + 2 * (2 * 32 * 2);
  EXPECT_EQ(macs_of(block_cnn(config, Block::kSe, 3), 32), plain + se);
  EXPECT_EQ(macs_of(block_cnn(config, Block::kBranches, 3), 32), 3 * plain + plain / 9);
  EXPECT_EQ(block_cnn(config, Block::kPooling, 3)(torch::randn({2, 3, 32, 32})).sizes().vec(),
            (std::vector<int64_t>{2, 32, 1, 1}));
}

}  // namespace
}  // namespace mobileone
