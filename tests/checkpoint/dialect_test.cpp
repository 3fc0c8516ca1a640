#include "mobileone/checkpoint/dialect.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

namespace mobileone {
namespace {

struct Row {
  Dialect dialect;
  const char* apple;
  const char* theirs;
};

TEST(Dialects, SpellAsTheirProjectsDo) {
  const Row rows[] = {
      {Dialect::kTimm, "stage0.rbr_conv.0.conv.weight", "stem.conv_kxk.0.conv.weight"},
      {Dialect::kTimm, "stage1.1.rbr_skip.running_var", "stages.0.1.identity.running_var"},
      {Dialect::kTimm, "stage3.18.rbr_scale.bn.bias", "stages.2.18.conv_scale.bn.bias"},
      {Dialect::kTimm, "stage4.1.se.reduce.weight", "stages.3.1.attn.fc1.weight"},
      {Dialect::kTimm, "stage4.1.reparam_conv.bias", "stages.3.1.reparam_conv.bias"},
      {Dialect::kTimm, "linear.bias", "head.fc.bias"},
      {Dialect::kMmpretrain, "stage0.rbr_scale.conv.weight",
       "backbone.stage0.branch_scale.conv.weight"},
      {Dialect::kMmpretrain, "stage2.15.rbr_conv.3.bn.num_batches_tracked",
       "backbone.stage2.15.branch_conv_list.3.norm.num_batches_tracked"},
      {Dialect::kMmpretrain, "stage2.15.rbr_skip.weight", "backbone.stage2.15.branch_norm.weight"},
      {Dialect::kMmpretrain, "stage4.0.se.expand.bias", "backbone.stage4.0.se.conv2.conv.bias"},
      {Dialect::kMmpretrain, "stage1.0.reparam_conv.weight",
       "backbone.stage1.0.branch_reparam.weight"},
      {Dialect::kMmpretrain, "linear.weight", "head.fc.weight"},
      {Dialect::kCoreNet, "stage0.rbr_conv.0.bn.weight", "conv_1.rbr_conv.0.block.norm.weight"},
      {Dialect::kCoreNet, "stage1.3.rbr_skip.bias", "layer_2.3.rbr_skip.bias"},
      {Dialect::kCoreNet, "stage4.0.rbr_scale.conv.weight",
       "layer_5.0.rbr_scale.block.conv.weight"},
      {Dialect::kCoreNet, "stage0.reparam_conv.bias", "conv_1.reparam_conv.bias"},
      {Dialect::kCoreNet, "linear.weight", "classifier.classifier_fc.weight"},
  };
  for (const auto& [dialect, apple, theirs] : rows) {
    EXPECT_EQ(translate(apple, Dialect::kApple, dialect), theirs);
    EXPECT_EQ(translate(theirs, dialect, Dialect::kApple), apple);
  }
}

TEST(Dialects, KnowNoOtherNames) {
  for (const char* name : {"", "conv1.weight", "stage1.rbr_skip.weight", "stage1.x.rbr_skip.weight",
                           "stage1.01.rbr_skip.weight", "stage1.-1.rbr_skip.weight",
                           "stage1.99999999999999999999.rbr_skip.weight", "stages.0.0.identity"}) {
    EXPECT_EQ(translate(name, Dialect::kApple, Dialect::kTimm), std::nullopt) << name;
  }
}

/// The names of S4, which has everything that any variant has, or of S0 with its four branches.
StateDict state_of(Variant variant, bool folded) {
  NetworkOptions options = network_options(variant);
  options.folded = folded;
  StateDict state;
  for (const auto& item : state_shapes(options)) state.insert(item.key(), at::empty({0}));
  return state;
}

TEST(Dialects, AreRecognizedByNamesAloneAndTranslatedBack) {
  for (const Variant variant : {Variant::kS0, Variant::kS4}) {
    for (const bool folded : {false, true}) {
      const StateDict apple = state_of(variant, folded);
      for (const auto& entry : enum_names(Dialect{})) {
        for (const std::string prefix :
             {"", "module.", "module._orig_mod.", "_orig_mod.module.", "net.", "model.model."}) {
          StateDict theirs;
          for (const auto& item : to_dialect(apple, entry.value)) {
            theirs.insert(prefix + item.key(), item.value());
          }
          const auto found = recognize(theirs);
          ASSERT_TRUE(found);
          EXPECT_EQ(found->dialect, entry.value) << entry.name;
          EXPECT_EQ(found->prefix, prefix);
          EXPECT_EQ(found->state.keys(), apple.keys());
          for (size_t i = 0; i < apple.size(); ++i) {
            EXPECT_EQ(found->spell(apple[i].key()), theirs[i].key());
          }
        }
      }
    }
  }
}

TEST(Dialects, ABackboneNeedsNoPrefix) {
  StateDict state;
  state.insert("stage0.branch_reparam.weight", at::empty({0}));
  state.insert("head.fc.weight", at::empty({0}));
  const auto found = recognize(state);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->dialect, Dialect::kMmpretrain);
  EXPECT_EQ(found->state.keys(),
            (std::vector<std::string>{"stage0.reparam_conv.weight", "linear.weight"}));
}

TEST(Dialects, WrappersWithinNamesArePassedOver) {
  StateDict state;
  state.insert("_fsdp_wrapped_module.stage0._orig_mod.rbr_skip.weight", at::empty({0}));
  state.insert("stage1.module.0._checkpoint_wrapped_module.rbr_skip.weight", at::empty({0}));
  const auto found = recognize(state);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->prefix, "");
  EXPECT_EQ(found->state.keys(),
            (std::vector<std::string>{"stage0.rbr_skip.weight", "stage1.0.rbr_skip.weight"}));
}

/// The names of a folded S0, each after `prefix`.
StateDict prefixed(const std::string& prefix) {
  StateDict state;
  for (const auto& item : state_of(Variant::kS0, true)) {
    state.insert(prefix + item.key(), item.value());
  }
  return state;
}

TEST(Dialects, WhatStandsOutsideThePrefixIsAStray) {
  StateDict state = prefixed("model.");
  for (const char* name : {"n_averaged", "criterion.weight", "model.stage1.total_ops"}) {
    state.insert(name, at::empty({0}));
  }
  const auto found = recognize(state);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state.keys(), state_of(Variant::kS0, true).keys());
  EXPECT_EQ(found->strays, std::vector<std::string>{"criterion.weight"});
}

TEST(Dialects, NetworksMayStandSideBySide) {
  StateDict state = prefixed("student.");
  state.update(prefixed("teacher."));
  state.insert("head.fc.weight", at::empty({0}));
  const auto found = recognize_all(state);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].prefix, "student.");
  EXPECT_EQ(found[1].prefix, "teacher.");
  EXPECT_EQ(found[0].strays, std::vector<std::string>{"head.fc.weight"});
}

TEST(Dialects, StrangersKeepTheirNamesApart) {
  StateDict state = to_dialect(state_of(Variant::kS0, true), Dialect::kTimm);
  state.insert("stage0.reparam_conv.weight", at::empty({0}));  // Apple's name, in a file of timm's
  state.insert("steps", at::empty({0}));
  const auto found = recognize(state);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->dialect, Dialect::kTimm);
  EXPECT_TRUE(found->state.contains("?stage0.reparam_conv.weight"));
  EXPECT_EQ(found->spell("?steps"), "steps");
}

TEST(Dialects, NothingIsRecognizedInNothing) {
  EXPECT_FALSE(recognize(StateDict()));
  StateDict state;
  state.insert("conv1.weight", at::empty({0}));
  EXPECT_FALSE(recognize(state));
}

}  // namespace
}  // namespace mobileone
