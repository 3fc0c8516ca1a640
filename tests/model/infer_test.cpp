#include "mobileone/model/infer.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// A state dict without content.
StateDict state_of(const ModelConfig& config, bool folded) {
  NetworkOptions options = network_options(config);
  options.folded = folded;
  StateDict state;
  for (const auto& item : state_shapes(options)) {
    state.insert(item.key(), at::empty(item.value()));
  }
  return state;
}

ModelConfig published(Variant variant, int64_t classes) {
  ModelConfig config;
  config.variant = variant;
  config.num_classes = classes;
  return config;
}

ModelConfig small() {
  ModelConfig config;
  config.num_classes = 7;
  config.in_channels = 1;
  config.width_multipliers = {0.25, 0.125, 0.125, 0.0625};
  config.depths = {1, 3, 2, 1};
  config.branches = {1, 2, 3, 4};
  config.se_blocks = {0, 1, 2, 0};
  config.stem_branches = 3;
  return config;
}

std::string error_of(const StateDict& state) {
  try {
    infer_model(state);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(InferModel, KnowsThePublishedVariants) {
  for (const auto& entry : enum_names(Variant{})) {
    const ModelConfig config = published(entry.value, 21);
    EXPECT_EQ(infer_model(state_of(config, false)), config) << entry.name;
    EXPECT_EQ(infer_model(state_of(config, true)), config) << entry.name;
  }
}

TEST(InferModel, DescribesOthers) {
  EXPECT_EQ(infer_model(state_of(small(), false)), small());
  for (const auto branch : {&ModelConfig::scale_branch, &ModelConfig::skip_branch}) {
    ModelConfig without = small();
    without.*branch = false;
    EXPECT_EQ(infer_model(state_of(without, false)), without);
  }
  ModelConfig folded = small();
  folded.branches = {1, 1, 1, 1};
  folded.stem_branches = 1;
  EXPECT_EQ(infer_model(state_of(small(), true)), folded);
}

TEST(InferModel, IsNotMisledByAFewTensors) {
  StateDict state = state_of(small(), false);
  state["stage2.1.rbr_conv.0.conv.weight"] = at::empty({17, 16, 1, 1});
  state.erase("stage2.3.rbr_conv.1.conv.weight");
  state.insert("stage3.0.rbr_conv.9.conv.weight", at::empty({1}));
  EXPECT_EQ(infer_model(state), small());
}

TEST(InferModel, RefusesWhatIsNoMobileOne) {
  EXPECT_EQ(error_of(StateDict()), "is no MobileOne: it has no stage 1");
  StateDict sparse = state_of(small(), true);
  sparse.insert("stage4.999999.reparam_conv.weight", at::empty({1}));
  EXPECT_EQ(error_of(sparse),
            "is no MobileOne: of stage 4 it has 3 units, but one numbered 999999");
  StateDict wide;
  for (int stage = 1; stage <= 4; ++stage) {
    wide.insert(fmt::format("stage{}.1.reparam_conv.bias", stage), at::empty({5000}));
  }
  EXPECT_EQ(error_of(wide),
            "is no MobileOne: width_multipliers would be 78.125, expected 0.01 to 64");
}

}  // namespace
}  // namespace mobileone
