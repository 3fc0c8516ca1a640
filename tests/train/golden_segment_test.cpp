// DeepLabV3, its loss, every gradient and statistic against numbers that PyTorch computed in
// float64 (tools/golden_segment.py).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"
#include "mobileone/optim/loss.h"

namespace mobileone {
namespace {

using torch::Tensor;
using torch::indexing::Slice;

struct SegmentGolden {
  std::string name;
  Engine engine;
};

/// The network whose numbers a file holds.
NetworkOptions described_by(const std::string& name) {
  const bool separable = name.starts_with("separable");
  ModelConfig config;
  config.width_multipliers = {8.0 / 64, 8.0 / 128, 2.0 / 256, 10.0 / 512};
  config.depths = {1, 1, 2, 2};
  config.branches = {2};
  config.output_stride = name.ends_with("_16") ? 16 : 8;
  NetworkOptions options = network_options(config, 5);
  options.head = DeepLabOptions{
      .channels = 8,
      .rates = separable ? std::vector<int64_t>{1, 2, 4} : std::vector<int64_t>{2, 3, 5},
      .pooling = name != "separable_16",
      .dropout = 0,
      .separable = separable,
      .auxiliary = name == "dense_16" || name == "separable_8"};
  return options;
}

/// The pixels that the files keep of a map.
Tensor kept_of(const Tensor& map) {
  return map.index({Slice(), Slice(), Slice(0, {}, 7), Slice(0, {}, 5)});
}

class GoldenSegmentation : public testing::TestWithParam<SegmentGolden> {
 protected:
  void SetUp() override {
    expected_ = read_safetensors(
        fmt::format(MOBILEONE_SOURCE_DIR "/tests/golden/segment_{}.safetensors", GetParam().name));
    network_ = MobileOne(described_by(GetParam().name));
    network_->to(torch::kFloat64);
    network_->engine = GetParam().engine;
    for (auto& module : network_->modules()) {
      if (auto* dropout = module->as<torch::nn::Dropout2d>()) dropout->options.p(0);
    }
    StateDict state;
    for (const auto& item : expected_) {
      constexpr std::string_view kState = "state.";
      if (item.key().starts_with(kState))
        state.insert(item.key().substr(kState.size()), item.value());
    }
    load_state_dict(*network_, state, GetParam().name);
    images_ = expected_["images"].to(torch::kFloat64);
  }

  void expect_close(const Tensor& actual, const std::string& what) {
    const Tensor& expected = expected_[what];
    ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
    // Gradients of what a batch norm takes away again vanish: against them nothing is close.
    EXPECT_LE((actual.detach() - expected).norm().item<double>(),
              1e-9 * expected.norm().item<double>() + 1e-12)
        << what;
  }

  StateDict expected_;
  MobileOne network_{nullptr};
  Tensor images_;
};

TEST_P(GoldenSegmentation, TrainsAsPyTorchDoes) {
  network_->train();
  const Outputs outputs = network_->outputs(images_);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto resized = at::upsample_bilinear2d(outputs[i], images_.sizes().slice(2), false);
    expect_close(kept_of(resized), fmt::format("train_logits.{}", i));
  }
  EXPECT_FALSE(expected_.contains(fmt::format("train_logits.{}", outputs.size())));
  auto loss = segmentation_loss(outputs[0], expected_["masks"]);
  for (size_t i = 1; i < outputs.size(); ++i) {
    loss = loss + 0.4 * segmentation_loss(outputs[i], expected_["masks"]);
  }
  expect_close(loss, "train_loss");
  loss.backward();
  for (const auto& item : network_->named_parameters()) {
    expect_close(item.value().grad(), "grad." + item.key());
  }
  for (const auto& item : network_->named_buffers()) {
    const std::string after = "after." + item.key();
    if (expected_.contains(after)) expect_close(item.value(), after);
  }
}

TEST_P(GoldenSegmentation, EvaluatesAsPyTorchDoesFoldedAndNot) {
  torch::NoGradGuard no_grad;
  network_->train();
  network_->outputs(images_);  // the statistics that the file's evaluation is by
  network_->eval();
  ASSERT_EQ(network_->forward(images_).sizes().slice(2), images_.sizes().slice(2));
  expect_close(kept_of(network_->forward(images_)), "eval_logits");
  expect_close(kept_of(fold(network_)->forward(images_)), "eval_logits");
}

std::vector<SegmentGolden> segment_goldens() {
  std::vector<SegmentGolden> all;
  for (const Engine engine : {Engine::kFolded, Engine::kBranches}) {
    for (const char* name : {"dense_16", "dense_8", "separable_16", "separable_8"}) {
      all.push_back({name, engine});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, GoldenSegmentation, testing::ValuesIn(segment_goldens()),
                         [](const auto& golden) {
                           return fmt::format("{}_{}", golden.param.name,
                                              to_string(golden.param.engine));
                         });

}  // namespace
}  // namespace mobileone
