#include "mobileone/model/counts.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {
namespace {

nlohmann::json reference() {
  std::ifstream stream(MOBILEONE_SOURCE_DIR "/tests/golden/variants.json");
  return nlohmann::json::parse(stream);
}

class VariantCounts : public testing::TestWithParam<Variant> {};

int64_t parameters_of(const MobileOne& network) {
  int64_t count = 0;
  for (const auto& parameter : network->parameters()) count += parameter.numel();
  return count;
}

TEST_P(VariantCounts, EqualTheReferenceImplementations) {
  const auto expected = reference()[std::string(to_string(GetParam()))];
  auto options = network_options(GetParam());
  EXPECT_EQ(total_counts(options, 224).parameters, expected["train_params"]);
  options.folded = true;
  EXPECT_EQ(total_counts(options, 224).parameters, expected["fused_params"]);
  EXPECT_EQ(total_counts(options, 224).macs, expected["fused_macs_224"]);
}

TEST_P(VariantCounts, EqualTheModulesThatAreBuilt) {
  const auto expected = reference()[std::string(to_string(GetParam()))];
  auto options = network_options(GetParam());
  MobileOne network(options);
  EXPECT_EQ(parameters_of(network), expected["train_params"]);
  EXPECT_EQ(state_dict(*network).size(), expected["state_dict_keys"].get<size_t>());
  const MobileOne folded = fold(network);
  EXPECT_EQ(parameters_of(folded), expected["fused_params"]);
  EXPECT_EQ(state_dict(*folded).size(), expected["fused_keys"].get<size_t>());
}

INSTANTIATE_TEST_SUITE_P(All, VariantCounts,
                         testing::Values(Variant::kS0, Variant::kS1, Variant::kS2, Variant::kS3,
                                         Variant::kS4),
                         [](const auto& variant) { return std::string(to_string(variant.param)); });

TEST(LayerCounts, ActivationsOfS0AreTimmsPublishedFigures) {
  auto options = network_options(Variant::kS0);
  EXPECT_NEAR(total_counts(options, 224).activations / 1e6, 15.48, 0.005);
  options.folded = true;
  EXPECT_NEAR(total_counts(options, 224).activations / 1e6, 3.79, 0.005);
}

TEST(LayerCounts, SizesFollowTheComputation) {
  auto options = network_options(Variant::kS0);
  auto network = MobileOne(options);
  network->eval();
  torch::NoGradGuard no_grad;
  for (const int64_t size : {224, 97, 32}) {
    const auto features = network->features(torch::zeros({1, 3, size, size}));
    const auto layers = layer_counts(options, size);
    const auto& last = layers[layers.size() - 2];
    EXPECT_EQ(last.height, features.back().size(2));
    EXPECT_EQ(last.channels, features.back().size(1));
  }
}

}  // namespace
}  // namespace mobileone
