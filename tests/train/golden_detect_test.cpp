// SSDLite's anchors, matching, loss and suppression against torchvision's, and whole networks with
// every gradient and statistic against PyTorch's, in float64 (tools/golden_detect.py).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <tuple>

#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/model/anchors.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"
#include "mobileone/optim/detection_loss.h"
#include "mobileone/task/detections.h"

namespace mobileone {
namespace {

using torch::Tensor;
using torch::indexing::Slice;

StateDict detect_golden(const std::string& name) {
  return read_safetensors(
      fmt::format(MOBILEONE_SOURCE_DIR "/tests/golden/detect_{}.safetensors", name));
}

void expect_same(const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  // Gradients of what a batch norm takes away again vanish: against them nothing is close.
  EXPECT_LE((actual.detach() - expected).norm().item<double>(),
            1e-9 * expected.norm().item<double>() + 1e-12)
      << what;
}

SsdLiteOptions head_of(SsdPreset preset) {
  Config config;
  config.model.head = HeadKind::kSsdLite;
  config.detect.preset = preset;
  return std::get<SsdLiteOptions>(network_options(config, 80).head);
}

TEST(SsdBoxes, AnchorsAreThoseOfEachLibrary) {
  const StateDict expected = detect_golden("boxes");
  for (const auto& [preset, name] : enum_names(SsdPreset())) {
    expect_same(ssd_anchors(head_of(preset), 320, 320), expected[fmt::format("anchors.{}", name)],
                std::string(name));
  }
}

std::vector<LabelledBox> boxes_of(const StateDict& expected, int64_t image) {
  const Tensor boxes = expected[fmt::format("boxes.{}", image)],
               classes = expected[fmt::format("classes.{}", image)];
  std::vector<LabelledBox> all;
  for (int64_t i = 0; i < boxes.size(0); ++i) {
    const double* edges = boxes.const_data_ptr<double>() + 4 * i;
    all.push_back({{edges[0], edges[1], edges[2], edges[3]},
                   static_cast<int32_t>(classes[i].item<int64_t>())});
  }
  return all;
}

TEST(SsdBoxes, AnchorsAreMatchedAndCodedAsTorchvisionDoes) {
  const StateDict expected = detect_golden("boxes");
  const AnchorMatcher match(head_of(SsdPreset::kTorchvision), 96, 96, 0.5);
  for (const int64_t image : {0, 1}) {
    const SsdTargets targets = match(boxes_of(expected, image));
    EXPECT_TRUE(targets.labels.equal(expected[fmt::format("labels.{}", image)])) << image;
    const Tensor offsets = expected[fmt::format("offsets.{}", image)];
    EXPECT_LE((targets.offsets - offsets).abs().max().item<double>(), 1e-6) << image;
  }
}

TEST(SsdBoxes, LossAndGradientAreTorchvisions) {
  const StateDict expected = detect_golden("boxes");
  const Tensor outputs = expected["outputs"].clone().requires_grad_();
  const Tensor labels = torch::stack({expected["labels.0"], expected["labels.1"]});
  const Tensor offsets = torch::stack({expected["offsets.0"], expected["offsets.1"]});
  const Tensor loss = detection_loss(outputs, labels, offsets, DetectConfig(), 0);
  expect_same(loss, expected["loss"], "loss");
  loss.backward();
  expect_same(outputs.grad(), expected["gradient"], "gradient");
}

/// In an order that does not depend on that of equal scores.
std::vector<Detection> sorted(std::vector<Detection> found) {
  std::ranges::sort(found, [](const Detection& a, const Detection& b) {
    return std::tuple(-a.score, a.label, a.box.left) < std::tuple(-b.score, b.label, b.box.left);
  });
  return found;
}

TEST(SsdBoxes, DetectionsAreTorchvisions) {
  const StateDict expected = detect_golden("boxes");
  const NmsConfig nms{.score = 0.02, .iou = 0.45, .candidates = 300, .detections = 200};
  const DetectionDecoder decode(head_of(SsdPreset::kTorchvision), nms, 96, 96);
  std::vector<Detection> theirs;
  for (int64_t i = 0; i < expected["detect.scores"].size(0); ++i) {
    const float* edges = expected["detect.boxes"].const_data_ptr<float>() + 4 * i;
    theirs.push_back({{edges[0], edges[1], edges[2], edges[3]},
                      static_cast<int32_t>(expected["detect.labels"][i].item<int64_t>() - 1),
                      expected["detect.scores"][i].item<double>()});
  }
  const auto found = sorted(decode(expected["detect.outputs"]));
  theirs = sorted(theirs);
  ASSERT_EQ(found.size(), theirs.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].label, theirs[i].label) << i;
    EXPECT_NEAR(found[i].score, theirs[i].score, 1e-6) << i;
    EXPECT_GT(iou(found[i].box, theirs[i].box), 1 - 1e-5) << i;
  }
}

TEST(SsdBoxes, MinNegativesTeachFromImagesWithoutObjects) {
  const Tensor outputs = torch::randn({2, 50, 7}, torch::kFloat64).requires_grad_();
  const Tensor labels = torch::zeros({2, 50}, torch::kInt64), offsets = torch::zeros({2, 50, 4});
  EXPECT_EQ(detection_loss(outputs, labels, offsets, DetectConfig(), 0).item<double>(), 0);
  DetectConfig detect;
  detect.min_negatives = 3;
  detection_loss(outputs, labels, offsets, detect, 0).backward();
  const Tensor taught = outputs.grad().abs().sum(2).gt(0).sum(1);
  EXPECT_TRUE(taught.eq(3).all().item<bool>());
  // They are those of the lowest probability of the background.
  const Tensor background = outputs.slice(2, 4).softmax(2).select(2, 0);
  const Tensor chosen = outputs.grad().abs().sum(2).gt(0);
  EXPECT_LE(background.masked_select(chosen).max().item<double>(),
            background.masked_fill(chosen, 1).amin(1).max().item<double>());
}

TEST(SsdBoxes, FocalLossOfGammaZeroIsCrossEntropyOfAllAnchors) {
  const Tensor outputs = torch::randn({2, 9, 7}, torch::kFloat64);
  const Tensor labels = torch::randint(0, 3, {2, 9}), offsets = torch::randn({2, 9, 4});
  DetectConfig focal, all;
  focal.focal = 1e-12;
  all.negatives = 1000;
  EXPECT_NEAR(detection_loss(outputs, labels, offsets, focal, 0).item<double>(),
              detection_loss(outputs, labels, offsets, all, 0).item<double>(), 1e-9);
}

struct DetectGolden {
  std::string name;
  Engine engine;
};

/// The network whose numbers a file holds.
NetworkOptions detector_of(const std::string& name) {
  const bool joint = name == "joint";
  ModelConfig config;
  config.width_multipliers = {8.0 / 64, 8.0 / 128, 12.0 / 256, 10.0 / 512};
  config.depths = {1, 1, 2, 2};
  config.branches = {2};
  NetworkOptions options = network_options(config, 5);
  options.head =
      SsdLiteOptions{.strides = joint ? std::vector<int64_t>{8, 16, 32, 64}
                                      : std::vector<int64_t>{16, 32, 64, 128},
                     .extra_channels = joint ? std::vector<int64_t>{8} : std::vector<int64_t>{8, 6},
                     .joint = joint,
                     .scales = {0.1, 0.3, 0.5, 0.7, 0.9},
                     .ratios = {{2, 3}, {2, 3}, {2, 3}, {2, 3}}};
  return options;
}

class GoldenDetection : public testing::TestWithParam<DetectGolden> {
 protected:
  void SetUp() override {
    expected_ = detect_golden(GetParam().name);
    network_ = MobileOne(detector_of(GetParam().name));
    network_->to(torch::kFloat64);
    network_->engine = GetParam().engine;
    StateDict state;
    for (const auto& item : expected_) {
      constexpr std::string_view kState = "state.";
      if (item.key().starts_with(kState))
        state.insert(item.key().substr(kState.size()), item.value());
    }
    load_state_dict(*network_, state, GetParam().name);
    images_ = expected_["images"].to(torch::kFloat64);
  }

  StateDict expected_;
  MobileOne network_{nullptr};
  Tensor images_;
};

/// The anchors that the files keep.
Tensor kept_anchors(const Tensor& outputs) { return outputs.index({Slice(), Slice(0, {}, 3)}); }

TEST_P(GoldenDetection, TrainsAsPyTorchDoes) {
  network_->train();
  const Tensor outputs = network_->forward(images_);
  const auto& head = std::get<SsdLiteOptions>(network_->options.head);
  EXPECT_EQ(outputs.size(1), ssd_anchors(head, 96, 80).size(0));
  expect_same(kept_anchors(outputs), expected_["train_outputs"], "train_outputs");
  const Tensor loss =
      detection_loss(outputs, expected_["labels"], expected_["offsets"], DetectConfig(), 0);
  expect_same(loss, expected_["train_loss"], "train_loss");
  loss.backward();
  for (const auto& item : network_->named_parameters()) {
    expect_same(item.value().grad(), expected_["grad." + item.key()], item.key());
  }
  for (const auto& item : network_->named_buffers()) {
    const std::string after = "after." + item.key();
    if (expected_.contains(after)) expect_same(item.value(), expected_[after], after);
  }
}

TEST_P(GoldenDetection, EvaluatesAsPyTorchDoesFoldedAndNot) {
  torch::NoGradGuard no_grad;
  network_->train();
  network_->outputs(images_);  // the statistics that the file's evaluation is by
  network_->eval();
  expect_same(kept_anchors(network_->forward(images_)), expected_["eval_outputs"], "branches");
  expect_same(kept_anchors(fold(network_)->forward(images_)), expected_["eval_outputs"], "folded");
}

std::vector<DetectGolden> detect_goldens() {
  std::vector<DetectGolden> all;
  for (const Engine engine : {Engine::kFolded, Engine::kBranches}) {
    for (const char* name : {"separate", "joint"}) all.push_back({name, engine});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, GoldenDetection, testing::ValuesIn(detect_goldens()),
                         [](const auto& golden) {
                           return fmt::format("{}_{}", golden.param.name,
                                              to_string(golden.param.engine));
                         });

}  // namespace
}  // namespace mobileone
