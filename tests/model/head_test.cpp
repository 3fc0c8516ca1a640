#include "mobileone/model/head.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "mobileone/model/anchors.h"
#include "mobileone/model/counts.h"
#include "mobileone/model/infer.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"
#include "mobileone/model/unfold.h"

namespace mobileone {
namespace {

using torch::Tensor;

Config tiny_config(bool separable, int64_t output_stride = 16) {
  Config config;
  config.model.width_multipliers = {0.125, 0.125, 0.0625, 0.0625};
  config.model.depths = {1, 1, 2, 2};
  config.model.branches = {2};
  config.model.num_classes = 6;
  config.model.head = HeadKind::kDeepLabV3;
  config.segment.output_stride = output_stride;
  config.segment.channels = 16;
  config.segment.separable = separable;
  config.segment.dropout = 0;
  return config;
}

MobileOne tiny_network(bool separable, int64_t output_stride = 16) {
  torch::manual_seed(1);
  MobileOne network(network_options(tiny_config(separable, output_stride)));
  network->to(torch::kFloat64);
  torch::NoGradGuard no_grad;
  for (auto& item : state_dict(*network)) {
    if (item.key().ends_with("running_var")) item.value().uniform_(0.5, 1.5);
    if (item.key().ends_with("running_mean")) item.value().normal_(0, 0.3);
  }
  return network;
}

void expect_counted_and_shaped_as_built(const NetworkOptions& options) {
  const MobileOne network(options);
  const StateDict built = state_dict(*network);
  const StateShapes expected = state_shapes(options);
  ASSERT_EQ(expected.size(), built.size());
  for (size_t i = 0; i < built.size(); ++i) {
    ASSERT_EQ(expected[i].key(), built[i].key());
    ASSERT_EQ(expected[i].value(), built[i].value().sizes().vec()) << built[i].key();
  }
  int64_t parameters = 0;
  for (const auto& parameter : network->parameters()) parameters += parameter.numel();
  EXPECT_EQ(total_counts(options, 64).parameters, parameters);
}

TEST(DeepLab, RatesAreThoseOfTheOutputStride) {
  const auto rates = [](const Config& config) {
    return std::get<DeepLabOptions>(network_options(config).head).rates;
  };
  EXPECT_EQ(rates(tiny_config(false, 16)), (std::vector<int64_t>{6, 12, 18}));
  EXPECT_EQ(rates(tiny_config(false, 8)), (std::vector<int64_t>{12, 24, 36}));
  Config config = tiny_config(false, 8);
  config.segment.rates = {1, 2, 3};
  EXPECT_EQ(rates(config), (std::vector<int64_t>{1, 2, 3}));
}

TEST(DeepLab, HasTheSizeOfCvnets) {
  // Of S0 and 21 classes, 512 channels, without the auxiliary head: 16.53 M parameters.
  Config config;
  config.model.head = HeadKind::kDeepLabV3;
  config.segment.auxiliary = 0;
  EXPECT_NEAR((total_counts(network_options(config, 21), 512).parameters -
               total_counts(network_options(config, 0), 512).parameters) /
                  1e6,
              16.53, 0.005);
}

TEST(DeepLab, ItsBackboneHasTheTensorsOfTheClassifiers) {
  for (const int64_t output_stride : {16, 8}) {
    Config config = tiny_config(false, output_stride);
    config.model.num_classes = 0;
    ModelConfig strided = config.model;
    strided.head = HeadKind::kClassifier;
    const auto expected = state_shapes(network_options(strided, 0)),
               actual = state_shapes(network_options(config, 0));
    EXPECT_EQ(actual.keys(), expected.keys());
  }
}

TEST(DeepLab, IsCountedAndShapedAsItIsBuilt) {
  for (const bool separable : {false, true}) {
    for (const bool folded : {false, true}) {
      NetworkOptions options = network_options(tiny_config(separable));
      options.folded = folded;
      expect_counted_and_shaped_as_built(options);
    }
  }
}

TEST(DeepLab, TensorsTellWhatItIs) {
  for (const bool separable : {false, true}) {
    Config config = tiny_config(separable);
    config.segment.pooling = separable;
    const StateDict state = state_dict(*MobileOne(network_options(config)));
    EXPECT_EQ(infer_model(state).head, HeadKind::kDeepLabV3);
    EXPECT_EQ(infer_model(state).num_classes, 6);
    const SegmentConfig segment = infer_segment(state);
    EXPECT_EQ(segment.channels, 16);
    EXPECT_EQ(segment.separable, separable);
    EXPECT_EQ(segment.pooling, separable);
    EXPECT_GT(segment.auxiliary, 0);
    EXPECT_EQ(infer_segment(state_dict(*fold(MobileOne(network_options(config))))).auxiliary, 0);
  }
}

TEST(DeepLab, TheEngineTrainsItAsItsBranchesDo) {
  for (const bool separable : {false, true}) {
    const auto run = [&](Engine engine) {
      auto network = tiny_network(separable);
      network->engine = engine;
      network->train();
      for (auto& module : network->modules()) {
        if (auto* dropout = module->as<torch::nn::Dropout2d>()) dropout->options.p(0);
      }
      torch::manual_seed(2);
      const Outputs outputs = network->outputs(torch::randn({2, 3, 72, 56}, torch::kFloat64));
      EXPECT_EQ(outputs.size(), 2u);
      (outputs[0].square().sum() + outputs[1].square().sum()).backward();
      std::vector<Tensor> all = outputs;
      for (const auto& parameter : network->parameters()) all.push_back(parameter.grad());
      for (const auto& buffer : network->buffers()) all.push_back(buffer.to(torch::kFloat64));
      return all;
    };
    const auto folded = run(Engine::kFolded), branches = run(Engine::kBranches);
    ASSERT_EQ(folded.size(), branches.size());
    double largest = 0;
    for (const auto& tensor : branches) largest = std::max(largest, tensor.norm().item<double>());
    for (size_t i = 0; i < folded.size(); ++i) {
      EXPECT_LE((folded[i] - branches[i]).norm().item<double>(),
                1e-9 * std::max(branches[i].norm().item<double>(), 1e-3 * largest))
          << i;
    }
  }
}

TEST(DeepLab, FoldsWholeAndLeavesTheAuxiliaryHeadOut) {
  for (const int64_t output_stride : {16, 8}) {
    auto network = tiny_network(/*separable=*/true, output_stride);
    network->eval();
    auto folded = fold(network);
    for (const auto& item : state_dict(*folded)) {
      EXPECT_EQ(item.key().find("auxiliary"), std::string::npos) << item.key();
      EXPECT_EQ(item.key().find("rbr_"), std::string::npos) << item.key();
    }
    torch::NoGradGuard no_grad;
    const auto x = torch::randn({2, 3, 50, 37}, torch::kFloat64);
    const auto expected = network->forward(x);
    EXPECT_EQ(expected.sizes(), (std::vector<int64_t>{2, 6, 50, 37}));
    EXPECT_LT(((fold(network)->forward(x) - expected).norm() / expected.norm()).item<double>(),
              1e-12);
    EXPECT_TRUE(torch::equal(fold(folded)->forward(x), folded->forward(x)));
  }
}

TEST(FoldedUnitInEvaluation, ComputesADilatedDepthwiseConvolution) {
  for (const int64_t rate : {2, 5, 18}) {
    UnitOptions options;
    options.name = "unit";
    options.in_channels = options.out_channels = options.groups = 20;
    options.kernel = 3;
    options.dilation = rate;
    options.folded = true;
    Unit unit(options);
    unit->to(torch::kFloat64);
    const auto x = torch::randn({2, 20, 9, 14}, torch::kFloat64);
    const auto parameters = unit->named_parameters();
    const auto expected = torch::conv2d(x, parameters["reparam_conv.weight"],
                                        parameters["reparam_conv.bias"], 1, rate, rate, 20)
                              .relu();
    EXPECT_TRUE(torch::allclose(unit(x), expected, 1e-12, 1e-13));
    torch::NoGradGuard no_grad;
    EXPECT_TRUE(torch::allclose(unit(x), expected, 1e-12, 1e-13));
    EXPECT_TRUE(torch::allclose(
        unit(x.to(torch::kFloat64, false, false, torch::MemoryFormat::ChannelsLast)), expected,
        1e-12, 1e-13));
  }
}

TEST(DeepLab, IsAPartOfItsOwn) {
  auto network = tiny_network(/*separable=*/true);
  network->freeze({Part::kHead});
  network->train();
  for (const auto& item : network->named_parameters()) {
    EXPECT_EQ(item.value().requires_grad(), !item.key().starts_with("head.")) << item.key();
  }
  const auto before = network->named_buffers()["head.project.rbr_conv.0.bn.running_mean"].clone();
  const Outputs outputs = network->outputs(torch::randn({2, 3, 64, 64}, torch::kFloat64));
  EXPECT_EQ(outputs.size(), 1u) << "a frozen head has no auxiliary output";
  outputs.front().sum().backward();
  EXPECT_TRUE(
      torch::equal(network->named_buffers()["head.project.rbr_conv.0.bn.running_mean"], before));
  network->freeze({Part::kStem, Part::kStage1, Part::kStage2, Part::kStage3, Part::kStage4});
  network->train();
  EXPECT_EQ(network->outputs(torch::randn({2, 3, 64, 64}, torch::kFloat64)).size(), 2u);
}

TEST(DeepLab, DropsChannelsInTrainingOnly) {
  Config config = tiny_config(false);
  config.segment.dropout = 0.5;
  config.segment.auxiliary = 0;
  MobileOne network(network_options(config));
  const auto x = torch::randn({2, 3, 64, 64});
  torch::NoGradGuard no_grad;
  network->train();
  EXPECT_FALSE(torch::equal(network->forward(x), network->forward(x)));
  network->eval();
  EXPECT_TRUE(torch::equal(network->forward(x), network->forward(x)));
}

TEST(Unfold, TakesTheBackboneOfAClassifier) {
  torch::NoGradGuard no_grad;
  const Config config = tiny_config(false);
  auto classifier_options = network_options(config);
  classifier_options.head = ClassifierOptions{};
  MobileOne classifier(classifier_options);
  classifier->eval();
  auto folded = fold(classifier);
  MobileOne network(network_options(config));
  const auto head = network->named_parameters()["head.classify.weight"].clone();
  unfold(folded, {torch::randn({4, 3, 64, 64})}, network);
  network->eval();
  const auto x = torch::randn({2, 3, 64, 64});
  EXPECT_TRUE(torch::allclose(network->features(x).back(), folded->features(x).back(), 1e-3, 1e-4));
  EXPECT_TRUE(torch::equal(network->named_parameters()["head.classify.weight"], head));
}

TEST(Unfold, PutsBackWhatAHeadHad) {
  torch::NoGradGuard no_grad;
  for (const bool separable : {false, true}) {
    auto trained = tiny_network(separable);
    trained->eval();
    auto folded = fold(trained);
    auto network = tiny_network(separable);
    const auto x = torch::randn({4, 3, 64, 64}, torch::kFloat64);
    unfold(folded, {x}, network);
    network->eval();
    EXPECT_TRUE(torch::allclose(network->forward(x), folded->forward(x), 1e-9, 1e-10));
    const auto before = network->named_buffers()["head.aspp0.rbr_conv.0.bn.running_var"].clone();
    network->train();
    network->outputs(x);
    EXPECT_TRUE(torch::allclose(network->named_buffers()["head.aspp0.rbr_conv.0.bn.running_var"],
                                before, 1e-2));
  }
}

Config tiny_detector(bool joint) {
  Config config = tiny_config(false);
  config.segment = {};
  config.model.head = HeadKind::kSsdLite;
  config.detect.joint = joint;
  config.detect.strides =
      joint ? std::vector<int64_t>{8, 16, 32, 64, 128} : std::vector<int64_t>{16, 32, 64, 128};
  config.detect.extra_channels = {12, 9};
  return config;
}

TEST(SsdLite, HasTheSizeOfMmdetections) {
  // Of 80 classes the extra layers and heads on S0's stages 3 and 4, and on S4's: counted from its
  // configuration.
  for (const auto& [variant, expected] :
       {std::pair{Variant::kS0, 1'888'308}, {Variant::kS4, 3'035'700}}) {
    Config config;
    config.model.head = HeadKind::kSsdLite;
    config.model.variant = variant;
    NetworkOptions options = network_options(config, 80), backbone = network_options(config, 0);
    backbone.num_classes = 0;
    EXPECT_EQ(total_counts(options, 320).parameters - total_counts(backbone, 320).parameters,
              expected);
  }
}

TEST(SsdLite, IsCountedAndShapedAsItIsBuilt) {
  for (const bool joint : {false, true}) {
    for (const bool folded : {false, true}) {
      NetworkOptions options = network_options(tiny_detector(joint));
      options.folded = folded;
      expect_counted_and_shaped_as_built(options);
    }
  }
}

TEST(SsdLite, TensorsTellWhatItIs) {
  for (const bool joint : {false, true}) {
    const Config config = tiny_detector(joint);
    MobileOne network(network_options(config));
    for (const StateDict& state : {state_dict(*network), state_dict(*fold(network))}) {
      EXPECT_EQ(infer_model(state).head, HeadKind::kSsdLite);
      EXPECT_EQ(infer_model(state).num_classes, 6);
      const DetectConfig detect = infer_detect(state);
      EXPECT_EQ(detect.strides, config.detect.strides);
      EXPECT_EQ(detect.extra_channels, config.detect.extra_channels);
      EXPECT_EQ(detect.joint, joint);
    }
  }
}

/// Any size of image, for which there are as many anchors as outputs.
TEST(SsdLite, HasAnAnchorForEachOutput) {
  torch::NoGradGuard no_grad;
  const MobileOne network = fold(MobileOne(network_options(tiny_detector(true))));
  const auto& head = std::get<SsdLiteOptions>(network->options.head);
  for (const auto& [height, width] : {std::pair{64, 64}, {97, 50}, {33, 200}}) {
    const auto outputs = MobileOne(network)->forward(torch::randn({1, 3, height, width}));
    EXPECT_EQ(outputs.size(1), ssd_anchors(head, height, width).size(0));
  }
}

}  // namespace
}  // namespace mobileone
