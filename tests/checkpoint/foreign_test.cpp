#include "mobileone/checkpoint/foreign.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/files.h"
#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/data/imagenet.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;
using testing::FilesTest;

/// Random weights; numbers of batches are 1.
Checkpoint checkpoint_of(const ModelConfig& model, bool folded, at::ScalarType dtype = at::kFloat) {
  Checkpoint checkpoint;
  checkpoint.config.model = model;
  NetworkOptions options = network_options(checkpoint.config);
  options.folded = folded;
  for (const auto& item : state_shapes(options)) {
    const bool counter = item.value().empty();
    checkpoint.weights.insert(
        item.key(), counter ? at::ones({}, at::kLong) : at::randn(item.value()).to(dtype));
  }
  return checkpoint;
}

ModelConfig published(Variant variant) {
  ModelConfig model;
  model.variant = variant;
  model.num_classes = 11;
  return model;
}

/// With squeeze-and-excitation and a different k in each stage.
ModelConfig small_model() {
  ModelConfig model;
  model.num_classes = 5;
  model.width_multipliers = {0.25, 0.125, 0.125, 0.125};
  model.depths = {1, 2, 2, 1};
  model.branches = {1, 2, 3, 1};
  model.se_blocks = {0, 0, 1, 1};
  return model;
}

Value file_of(const StateDict& state) { return Value(state).named("x.pth"); }

void expect_equal(const StateDict& actual, const StateDict& expected) {
  ASSERT_EQ(actual.keys(), expected.keys());
  for (const auto& item : expected) {
    const at::Tensor& tensor = actual[item.key()];
    EXPECT_EQ(tensor.scalar_type(), item.value().scalar_type()) << item.key();
    EXPECT_TRUE(tensor.equal(item.value())) << item.key();
  }
}

class ForeignTest : public FilesTest {
 protected:
  Checkpoint read_back(const std::string& name) { return load_checkpoint(folder_ / name); }
};

TEST_F(ForeignTest, EveryVariantInEveryDialect) {
  for (const auto& variant : enum_names(Variant{})) {
    for (const bool folded : {false, true}) {
      const Checkpoint original = checkpoint_of(published(variant.value), folded);
      for (const auto& dialect : enum_names(Dialect{})) {
        SCOPED_TRACE(fmt::format("{} {}", variant.name, dialect.name));
        const auto read = read_foreign(file_of(to_dialect(original.weights, dialect.value)), "x");
        EXPECT_EQ(read.config.model, original.config.model);
        EXPECT_EQ(read.folded(), folded);
        expect_equal(read.weights, original.weights);
      }
    }
  }
}

TEST_F(ForeignTest, AHeadOfPixelsInEveryDialect) {
  ModelConfig model = small_model();
  model.head = HeadKind::kDeepLabV3;
  for (const bool folded : {false, true}) {
    const Checkpoint original = checkpoint_of(model, folded);
    for (const auto& dialect : enum_names(Dialect{})) {
      SCOPED_TRACE(dialect.name);
      const auto read = read_foreign(file_of(to_dialect(original.weights, dialect.value)), "x");
      EXPECT_EQ(read.config.model.head, HeadKind::kDeepLabV3);
      EXPECT_EQ(read.config.model.num_classes, model.num_classes);
      EXPECT_EQ(read.config.segment.channels, original.config.segment.channels);
      expect_equal(read.weights, original.weights);
    }
  }
}

TEST_F(ForeignTest, AHeadOfBoxesInEveryDialect) {
  ModelConfig model = small_model();
  model.head = HeadKind::kSsdLite;
  for (const bool folded : {false, true}) {
    const Checkpoint original = checkpoint_of(model, folded);
    for (const auto& dialect : enum_names(Dialect{})) {
      SCOPED_TRACE(dialect.name);
      const auto read = read_foreign(file_of(to_dialect(original.weights, dialect.value)), "x");
      EXPECT_EQ(read.config.model.head, HeadKind::kSsdLite);
      EXPECT_EQ(read.config.model.num_classes, model.num_classes);
      EXPECT_EQ(read.config.detect.strides.size(), 6);
      expect_equal(read.weights, original.weights);
    }
  }
}

TEST_F(ForeignTest, ThroughFilesOfAllDialectsAndDtypes) {
  for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble}) {
    const Checkpoint original = checkpoint_of(small_model(), false, dtype);
    Checkpoint passed = original;
    for (const auto& dialect : enum_names(Dialect{})) {
      write_torch_weights(folder_ / "x.pth", passed, dialect.value);
      passed = read_back("x.pth");
      write_safetensors_weights(folder_ / "x.safetensors", passed, dialect.value);
      passed = read_back("x.safetensors");
    }
    EXPECT_EQ(passed.config.model, original.config.model);
    expect_equal(passed.weights, original.weights);
  }
}

TEST_F(ForeignTest, SafetensorsKeepWhatKeysDoNotTell) {
  Checkpoint original = checkpoint_of(small_model(), true);
  original.config.model.stem_stride = 1;
  original.config.data.eval_crop = 48;
  original.config.data.train = "somewhere/private";
  original.class_names = {"a", "b", "c", "d", "e \"quoted\""};
  write_safetensors_weights(folder_ / "x.safetensors", original, Dialect::kTimm);
  const Checkpoint read = read_back("x.safetensors");
  EXPECT_EQ(read.config.model, original.config.model);
  EXPECT_EQ(read.config.data.eval_crop, 48);
  EXPECT_EQ(read.config.data.train, "");
  EXPECT_EQ(read.class_names, original.class_names);
  Metadata metadata;
  read_safetensors(folder_ / "x.safetensors", &metadata);
  EXPECT_EQ(metadata["format"], "pt");
  EXPECT_EQ(metadata["architecture"], "mobileone_custom");
  EXPECT_EQ(metadata["dialect"], "timm");
  EXPECT_EQ(metadata["num_classes"], "5");
}

TEST_F(ForeignTest, FindsWeightsAndAverageInTheirEntries) {
  const StateDict raw = checkpoint_of(small_model(), false).weights,
                  average = checkpoint_of(small_model(), false).weights;
  const StateDict theirs = to_dialect(raw, Dialect::kTimm);
  for (const char* name : {"state_dict", "model"}) {
    const auto read = read_foreign(Value::Dict{{"epoch", 3}, {name, theirs}}, "x.pth");
    expect_equal(read.weights, raw);
    EXPECT_TRUE(read.ema.is_empty());
  }
  for (const char* name : {"state_dict_ema", "model_ema", "ema"}) {
    const Value::Dict both{{"state_dict", theirs}, {name, average}};
    const auto read = read_foreign(both, "x.pth");
    expect_equal(read.weights, raw);
    expect_equal(read.ema, average);
    expect_equal(read_foreign(Value::Dict{{name, average}}, "x.pth").weights, average);
  }
}

TEST_F(ForeignTest, FindsThemInTheEntriesOfOtherProgramsAndWrappers) {
  const StateDict raw = checkpoint_of(small_model(), false).weights,
                  average = checkpoint_of(small_model(), false).weights;
  const auto wrapped = [](const StateDict& state, const std::string& prefix) {
    StateDict named;
    for (const auto& item : state) named.insert(prefix + item.key(), item.value());
    return named;
  };
  StateDict averaged_model = wrapped(average, "module.");  // torch.optim.swa_utils.AveragedModel
  averaged_model.insert("n_averaged", at::ones({}, at::kLong));
  StateDict lightning = wrapped(raw, "model.");
  lightning.insert("criterion.weight", at::ones({5}));
  StateDict side_by_side = wrapped(raw, "model.");
  side_by_side.update(wrapped(average, "ema_model.module."));
  const std::vector<Value::Dict> with_average = {
      {{"model", raw}, {"model_ema", averaged_model}, {"args", Value::Placeholder{"x"}}},
      {{"model_state_dict", raw}, {"ema_state_dict", average}},
      {{"state_dict", lightning}, {"swa", Value::Dict{{"module", averaged_model}}}},
      {{"state_dict", side_by_side}},
      {{"net", raw}, {"ema", Value::Dict{{"decay", 0.99}, {"shadow", average}}}}};
  for (const auto& file : with_average) {
    const auto read = read_foreign(file, "x.pth");
    expect_equal(read.weights, raw);
    expect_equal(read.ema, average);
  }
  const std::vector<Value::Dict> without = {
      {{"state_dict", raw}, {"ema", 0.999}},
      {{"state_dict", raw}, {"ema", Value::Dict{{"decay", 0.999}}}},
      {{"state_dict", raw}, {"ema", Value::Dict{{"head.fc.weight", at::ones({5, 3})}}}},
      {{"state_dict", lightning}},
      {{"state_dict", wrapped(raw, "_orig_mod.module.net.")}},
      {{"module", raw}, {"optimizer", Value::Dict{{"momentum", average}}}},
      {{"teacher", average}, {"student", raw}},
      {{"whatever", raw}}};
  for (const auto& file : without) {
    const auto read = read_foreign(file, "x.pth");
    expect_equal(read.weights, raw);
    EXPECT_TRUE(read.ema.is_empty());
  }
  expect_equal(read_foreign(averaged_model, "x.pth").weights, average);
  EXPECT_EQ(
      error_of([&] {
        read_foreign(Value::Dict{{"left", raw}, {"right", raw}}, "x.pth");
      }),
      "x.pth: holds several networks, at left and right; save the one that is meant by itself");
}

TEST_F(ForeignTest, ABackboneHasNoClassifier) {
  ModelConfig model = small_model();
  model.num_classes = 0;
  Checkpoint original = checkpoint_of(model, false);
  original.weights.erase("linear.weight");
  original.weights.erase("linear.bias");
  StateDict detector;
  for (const auto& item : original.weights) detector.insert("backbone." + item.key(), item.value());
  detector.insert("bbox_head.weight", at::ones({4}));
  for (const StateDict& state : {original.weights, detector}) {
    const auto read = read_foreign(file_of(state), "x.pth");
    EXPECT_EQ(read.config.model.num_classes, 0);
    expect_equal(read.weights, original.weights);
    EXPECT_EQ(error_of([&] { make_network(read, "x.pth"); }),
              "x.pth: has no classifier; as model.pretrained, `mobileone train` gives it one");
  }
}

TEST_F(ForeignTest, NoNetworkIsBuiltForWeightsThatDoNotFitIt) {
  Checkpoint checkpoint = checkpoint_of(small_model(), true);
  checkpoint.config.model.width_multipliers = {64, 64, 64, 64};  // 10 GB
  EXPECT_NE(error_of([&] { make_network(checkpoint, "x.pth"); }).find("do not fit the network"),
            std::string::npos);
}

TEST_F(ForeignTest, UnsoundWeightsMakeNoNetworkUnlessAccepted) {
  Checkpoint checkpoint = checkpoint_of(small_model(), true);
  checkpoint.weights["stage0.reparam_conv.bias"][1] = NAN;
  EXPECT_EQ(error_of([&] { make_network(checkpoint, "x.pth"); }),
            "x.pth: no right result can come of its weights: stage0.reparam_conv.bias: 1 of 16 "
            "numbers are NaN or infinite");
  EXPECT_EQ(make_network(checkpoint, "x.pth", /*wanted=*/{}, Unsound::kAccept)->options.num_classes,
            5);
}

TEST_F(ForeignTest, CountersMayBeMissing) {
  StateDict state;
  const auto original = checkpoint_of(small_model(), false).weights;
  for (const auto& item : original) {
    if (item.value().dim() > 0) state.insert(item.key(), item.value());
  }
  const auto read = read_foreign(file_of(state), "x.pth").weights;
  EXPECT_EQ(read.keys(), original.keys());
  EXPECT_EQ(read["stage0.rbr_scale.bn.num_batches_tracked"].item<int64_t>(), 0);
}

TEST_F(ForeignTest, KnowsHowPublishedWeightsSeeImages) {
  ModelConfig model = small_model();
  model.num_classes = 1000;
  const StateDict state = checkpoint_of(model, true).weights;
  const auto read = read_foreign(file_of(to_dialect(state, Dialect::kTimm)), "x.pth");
  EXPECT_EQ(read.config.data, DataConfig());
  EXPECT_EQ(read.class_names, imagenet_classes().names);
  const auto corenet = read_foreign(file_of(to_dialect(state, Dialect::kCoreNet)), "x.pth");
  EXPECT_EQ(corenet.config.data.mean, (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(corenet.config.data.std, (std::vector<double>{1, 1, 1}));
  EXPECT_TRUE(read_foreign(file_of(checkpoint_of(small_model(), true).weights), "x.pth")
                  .class_names.empty());
}

TEST_F(ForeignTest, NamesEveryTensorThatDoesNotFitAsTheFileDoes) {
  StateDict state;
  for (const auto& item :
       to_dialect(checkpoint_of(small_model(), true).weights, Dialect::kMmpretrain)) {
    state.insert("module." + item.key(), item.value());
  }
  state.erase("module.backbone.stage2.1.branch_reparam.bias");
  state.erase("module.head.fc.bias");
  state["module.backbone.stage0.branch_reparam.weight"] = at::zeros({16, 3, 5, 5});
  state.insert("module.steps", at::zeros({}));
  EXPECT_EQ(error_of([&] { read_foreign(file_of(state), "x.pth"); }),
            "x.pth: its weights do not fit the network; 2 missing: "
            "module.backbone.stage2.1.branch_reparam.bias, module.head.fc.bias; 1 unexpected: "
            "module.steps; 1 of another shape: module.backbone.stage0.branch_reparam.weight is "
            "[16, 3, 5, 5], expected [16, 3, 3, 3]");
}

TEST_F(ForeignTest, RefusesWhatHoldsNoMobileOne) {
  const auto error = [](const Value& file) {
    return error_of([&] { read_foreign(file.named("x.pth"), "x.pth"); });
  };
  EXPECT_EQ(error(Value::List{1}), "x.pth: is a list, expected a dict");
  EXPECT_EQ(error(Value::Dict{}), "x.pth: is no MobileOne: it holds no tensors");
  EXPECT_EQ(
      error(Value::Dict{{"conv1.weight", at::zeros({1})}}),
      "x.pth: is no MobileOne: none of its 1 tensors has a name of one ('conv1.weight', ...)");
  EXPECT_EQ(error(Value::Dict{{"net", Value::Dict{{"w", at::zeros({1})}}}}),
            "x.pth: is no MobileOne: none of its 1 tensors has a name of one ('w', ...)");
  EXPECT_EQ(
      error(Value::Dict{{"state_dict", Value::Dict{{"epoch", 3}}},
                        {"args", Value::Placeholder{"an object made by argparse.Namespace"}}}),
      "x.pth: is no MobileOne: it holds no tensors, but 'state_dict' (a dict), 'args' (an "
      "object made by argparse.Namespace)");
  EXPECT_EQ(error(Value::Dict{{"stem.reparam_conv.bias", at::zeros({1})}}),
            "x.pth: is no MobileOne: it has no stage 1");
  StateDict quantized = checkpoint_of(small_model(), true).weights;
  quantized["linear.bias"] = at::zeros({5}, at::kChar);
  EXPECT_EQ(error(quantized), "x.pth: linear.bias is of dtype Char, expected a floating-point one");
}

TEST_F(ForeignTest, MetadataMustFitTheTensors) {
  const Checkpoint original = checkpoint_of(small_model(), true);
  write_safetensors(folder_ / "x.safetensors", original.weights,
                    {{"mobileone_config", "model: {variant: s4}"}});
  EXPECT_NE(error_of([&] { read_back("x.safetensors"); }).find("do not fit the network"),
            std::string::npos);
  write_safetensors(folder_ / "x.safetensors", original.weights, {{"mobileone_class_names", "{}"}});
  EXPECT_EQ(error_of([&] { read_back("x.safetensors"); }),
            (folder_ / "x.safetensors").string() +
                ": mobileone_class_names in its metadata is no JSON list of texts");
}

TEST_F(ForeignTest, ReadsTheReferencesNetworks) {
  expect_equal(load_checkpoint(testing::golden("tiny_k1_se.pth")).weights,
               load_checkpoint(testing::golden("tiny_k1_se.safetensors")).weights);
  for (const std::string name : {"tiny_k1_se", "tiny_k4"}) {
    const Checkpoint unfolded = load_checkpoint(testing::golden(name + ".safetensors"));
    EXPECT_FALSE(unfolded.folded());
    const StateDict folded = state_dict(*fold(make_network(unfolded, name)));
    const Checkpoint expected = load_checkpoint(testing::golden(name + "_fused.safetensors"));
    EXPECT_TRUE(expected.folded());
    for (const auto& item : expected.weights) {
      EXPECT_LT((folded[item.key()] - item.value()).abs().max().item<double>(), 1e-6) << item.key();
    }
  }
}

}  // namespace
}  // namespace mobileone
