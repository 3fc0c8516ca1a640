#include "mobileone/model/options.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(NetworkOptions, StagesOfS4) {
  const auto options = network_options(Variant::kS4);
  EXPECT_EQ(options.variant, "s4");
  EXPECT_EQ(options.stem_channels, 64);
  ASSERT_EQ(options.stages.size(), 4u);
  EXPECT_EQ(options.stages[0].channels, 192);
  EXPECT_EQ(options.stages[1].channels, 448);
  EXPECT_EQ(options.stages[2].channels, 896);
  EXPECT_EQ(options.stages[3].channels, 2048);
}

TEST(NetworkOptions, SqueezeExciteStandsInS4sLastBlocksOnly) {
  for (const auto& unit : unit_table(network_options(Variant::kS4))) {
    const bool late = unit.name.starts_with("stage4") ||
                      (unit.name.starts_with("stage3") && std::stoi(unit.name.substr(7)) >= 10);
    EXPECT_EQ(unit.se, late) << unit.name;
  }
}

TEST(NetworkOptions, TheStemOfS0HasOneBranchAndItsUnitsFour) {
  const auto units = unit_table(network_options(Variant::kS0));
  EXPECT_EQ(units.front().branches, 1);
  EXPECT_EQ(units.front().out_channels, 48);
  for (size_t i = 1; i < units.size(); ++i) EXPECT_EQ(units[i].branches, 4) << units[i].name;
}

TEST(NetworkOptions, ConfigurationDepartsFromTheVariantKeyByKey) {
  ModelConfig config;
  config.variant = Variant::kS1;
  config.depths = {1, 2, 3, 4};
  config.branches = {5};
  const auto options = network_options(config, 10);
  EXPECT_EQ(options.variant, "custom");
  EXPECT_EQ(options.num_classes, 10);
  EXPECT_EQ(options.stages[3].blocks, 4);
  EXPECT_EQ(options.stages[3].channels, 1280);
  for (const auto& stage : options.stages) EXPECT_EQ(stage.branches, 5);
}

class OutputStride : public testing::TestWithParam<std::tuple<int64_t, int64_t>> {};

TEST_P(OutputStride, IsReachedByDilationNotByStride) {
  const auto [output_stride, stem_stride] = GetParam();
  ModelConfig config;
  config.output_stride = output_stride;
  config.stem_stride = stem_stride;
  int64_t size = 224, dilation = 1;
  for (const auto& unit : unit_table(network_options(config))) {
    size = unit.output_size(size);
    dilation = std::max(dilation, unit.dilation);
  }
  const int64_t natural = stem_stride * 16, reached = std::min(natural, output_stride);
  EXPECT_EQ(size, 224 / reached);
  // The last stage's single block keeps the dilation of the stage before it.
  EXPECT_EQ(dilation, std::max<int64_t>(1, natural / reached / 2));
}

INSTANTIATE_TEST_SUITE_P(Strides, OutputStride,
                         testing::Combine(testing::Values(8, 16, 32), testing::Values(1, 2)));

}  // namespace
}  // namespace mobileone
