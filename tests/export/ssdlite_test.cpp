// A detector in every format.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "export/onnx_peer.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/export/onnx.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/model/graph_runner.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/task/detections.h"
#include "support/error_of.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {

constexpr int64_t kSize = 96;

Checkpoint small_detector() {
  Checkpoint checkpoint;
  Config& config = checkpoint.config;
  config.model.head = HeadKind::kSsdLite;
  config.model.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  config.model.depths = {1, 1, 2, 1};
  config.model.num_classes = 3;
  config.detect.strides = {16, 32, 64};
  config.detect.nms = {.score = 0.2, .iou = 0.45, .candidates = 40, .detections = 30};
  config.data.eval_crop = kSize;
  checkpoint.class_names = {"cat", "dog", "owl"};
  return checkpoint;
}

MobileOne random_detector(const Checkpoint& checkpoint) {
  torch::manual_seed(3);
  MobileOne network = fold(MobileOne(network_options(checkpoint.config)));
  for (auto& item : network->named_parameters()) {
    if (item.key().find("_classes") != std::string::npos) item.value().normal_(0, 0.2);
    if (item.key().find("_boxes") != std::string::npos) item.value().normal_(0, 0.02);
  }
  return network;
}

class SsdLite : public testing::Test {
 protected:
  torch::NoGradGuard no_grad;
  const Checkpoint checkpoint = small_detector();
  const MobileOne network = random_detector(checkpoint);
  const Package whole = package(network, checkpoint, "d.pth", Preprocessing::kOutside),
                raw = package(network, checkpoint, "d.pth", Preprocessing::kOutside, {.raw = true});
  const torch::Tensor image = torch::randn({1, 3, kSize, kSize});

  /// [n,6], as files give them.
  torch::Tensor expected() const {
    const DetectionDecoder decode(std::get<SsdLiteOptions>(network->options.head),
                                  nms_of(checkpoint.config.detect), kSize, kSize);
    std::vector<torch::Tensor> rows{torch::zeros({0, 6})};
    for (const auto& [box, label, score] : decode(whole.reference(image)[0])) {
      rows.push_back(torch::tensor(
          {{box.left, box.top, box.right, box.bottom, score, static_cast<double>(label)}},
          torch::kFloat32));
    }
    return torch::cat(rows);
  }
};

TEST_F(SsdLite, FindsTheSameAsAGraphAndInTorchScript) {
  const auto found = expected();
  ASSERT_GT(found.size(0), 5);
  ASSERT_EQ(found.size(0), 30) << "some are to be cut off";
  EXPECT_TRUE(torch::allclose(GraphRunner(whole.graph)(image).front(), found, 1e-4, 1e-3));
  for (const auto form :
       {TorchScriptForm::kPortable, TorchScriptForm::kFused, TorchScriptForm::kPacked}) {
    auto module = to_torchscript(whole.graph, form);
    EXPECT_TRUE(torch::allclose(module.forward({image}).toTensor(), found, 1e-4, 1e-3));
    EXPECT_ANY_THROW(module.forward({torch::randn({2, 3, kSize, kSize})}));
  }
}

TEST_F(SsdLite, GivesAllBoxesRaw) {
  const auto x = torch::randn({2, 3, kSize, kSize});
  const auto outputs = to_torchscript(raw.graph, TorchScriptForm::kFused).forward({x}).toTuple();
  const auto scores = outputs->elements()[0].toTensor();
  EXPECT_LT(largest_difference(raw.reference(x).slice(2, 4).softmax(2), scores).absolute, 1e-5);
  EXPECT_EQ(outputs->elements()[1].toTensor().sizes(), torch::IntArrayRef({2, scores.size(1), 4}));
  EXPECT_EQ(raw.description.output, "scores");
  EXPECT_EQ(raw.description.task, "detection");
}

TEST_F(SsdLite, SaysTheAnchorsOfRawBoxes) {
  const auto anchors =
      std::get<graph::DecodeBoxes>(
          std::ranges::find(raw.graph.nodes, "decode", &graph::Node::name)->operation)
          .anchors;
  const auto metadata = onnx_metadata(to_onnx(raw));
  const auto listed = nlohmann::json::parse(metadata.at("anchors")).get<std::vector<float>>();
  ASSERT_EQ(std::ssize(listed), graph::element_count(anchors.shape));
  EXPECT_TRUE(std::equal(listed.begin(), listed.end(), anchors.values.get()));
  EXPECT_EQ(nlohmann::json::parse(metadata.at("variances")).get<std::vector<float>>(),
            (std::vector<float>{0.1f, 0.2f}));
  EXPECT_FALSE(onnx_metadata(to_onnx(whole)).contains("anchors"));
}

TEST_F(SsdLite, IsExportedAndReadBack) {
  const TestFolder folder;
  const std::string path = folder.path("d.pt");
  for (const Package* each : {&whole, &raw}) {
    EXPECT_LT(export_torchscript(*each, path)->absolute, 1e-4);
    const auto actual = make_network(load_checkpoint(path), path)->forward(image);
    EXPECT_LT(largest_difference(whole.reference(image), actual).relative, 1e-5);
  }
}

TEST_F(SsdLite, FindsTheSameInOnnx) {
  if (!has_onnx()) GTEST_SKIP() << kNeedsOnnx;
  const OnnxPeer peer;
  Checkpoint all = checkpoint;  // none is cut off
  all.config.detect.nms = {.score = 0.2, .iou = 0.45, .candidates = 1000, .detections = 1000};
  const Package uncut = package(network, all, "d.pth", Preprocessing::kOutside);
  export_onnx(uncut, peer.model());
  auto answer = peer.ask_peer({peer.leave_case(image, GraphRunner(uncut.graph)(image)[0])});
  peer.expect_near(answer, 1e-3);
  EXPECT_EQ(answer["output_shape"], nlohmann::json({"found", 6}));

  export_onnx(raw, peer.model());
  const auto x = torch::randn({2, 3, kSize, kSize});
  answer = peer.ask_peer({peer.leave_case(x, raw.reference(x).slice(2, 4).softmax(2))});
  peer.expect_near(answer, 1e-4);
}

TEST_F(SsdLite, OptionsOfOtherTasksAreRefused) {
  EXPECT_EQ(error_of([&] {
              package(network, checkpoint, "d.pth", Preprocessing::kOutside, {.argmax = true});
            }),
            "--argmax: is for segmentation; d.pth does detection");
}

}  // namespace
}  // namespace mobileone
