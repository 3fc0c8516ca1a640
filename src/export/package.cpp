#include "mobileone/export/package.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "mobileone/graph/counts.h"
#include "mobileone/graph/passes.h"
#include "mobileone/model/anchors.h"
#include "mobileone/model/lower.h"
#include "mobileone/task/detections.h"
#include "mobileone/util/error.h"
#include "mobileone/util/version.h"

namespace mobileone {
namespace {

/// What is subtracted from the 256 levels, and divided by.
graph::Normalize normalize_levels(const Preparation& p) {
  const auto levels = [](const std::vector<double>& values) {
    std::vector<float> scaled;
    for (const double value : values) scaled.push_back(static_cast<float>(value * 255));
    return scaled;
  };
  return {levels(p.mean), levels(p.std)};
}

torch::Tensor normalized(const torch::Tensor& images, const Preparation& p) {
  const graph::Normalize levels = normalize_levels(p);
  const auto channels = [](const std::vector<float>& v) {
    return torch::tensor(v).view({-1, 1, 1});
  };
  return (images.permute({0, 3, 1, 2}).to(torch::kFloat32) - channels(levels.mean)) /
         channels(levels.std);
}

std::string task_name(const HeadOptions& head) {
  if (std::holds_alternative<DeepLabOptions>(head)) return "segmentation";
  return std::holds_alternative<SsdLiteOptions>(head) ? "detection" : "classification";
}

graph::DecodeBoxes decoding(const SsdLiteOptions& head, int64_t size) {
  const auto anchors =
      std::make_shared<const torch::Tensor>(ssd_anchors(head, size, size).to(torch::kFloat32));
  const auto side = static_cast<float>(size);
  return {
      .anchors = {anchors->sizes().vec(), {anchors, anchors->const_data_ptr<float>()}},
      .variances = {static_cast<float>(head.variances[0]), static_cast<float>(head.variances[1])},
      .width = side,
      .height = side};
}

graph::Suppress suppression(const DetectConfig& detect) {
  const NmsConfig nms = nms_of(detect);
  return {.score = static_cast<float>(nms.score),
          .iou = static_cast<float>(nms.iou),
          .candidates = nms.candidates,
          .detections = nms.detections};
}

}  // namespace

MobileOne fold_for_export(const MobileOne& network, ExportType type, const std::string& origin) {
  torch::NoGradGuard no_grad;
  MobileOne folded = fold(network);
  folded->to(torch::kFloat32);
  if (type == ExportType::kFloat32) return folded;
  for (const auto& item : state_dict(*folded)) {
    const auto finite = item.value().isfinite();
    if (torch::equal(item.value().to(torch::kHalf).isfinite(), finite)) continue;
    const double largest = item.value().where(finite, 0).abs().max().item<double>();
    throw Error(
        "{}: {} has values up to {:.3g}, of which float16 holds none above 65504; export with "
        "--dtype float32",
        origin, item.key(), largest);
  }
  folded->to(torch::kHalf);
  return folded;
}

Package package(const MobileOne& folded, const Checkpoint& checkpoint, const std::string& source,
                Preprocessing preprocessing, const OutputChoices& outputs) {
  return package(folded, checkpoint, source, preprocessing, outputs, lower(folded));
}

Package package(const MobileOne& folded, const Checkpoint& checkpoint, const std::string& source,
                Preprocessing preprocessing, const OutputChoices& outputs, graph::Graph lowered) {
  const DataConfig& data = checkpoint.config.data;
  const bool half = folded->parameters().front().scalar_type() == torch::kHalf;
  Package package;
  package.graph = std::move(lowered);
  package.config = checkpoint.config;
  package.reference = [network = folded](const torch::Tensor& x) mutable {
    return network->forward(x);
  };
  const auto counts = graph::count_total(package.graph, data.eval_crop, data.eval_crop);
  const std::string task = task_name(folded->options.head);
  const auto require_task = [&](bool wanted, const char* option, const char* own) {
    if (wanted && task != own) throw Error("{}: is for {}; {} does {}", option, own, source, task);
  };
  require_task(outputs.argmax, "--argmax", "segmentation");
  require_task(outputs.raw, "--raw-outputs", "detection");
  package.description = {
      .task = task,
      .variant = folded->options.variant,
      .class_names = checkpoint.class_names,
      .num_classes = folded->options.num_classes,
      .interface = {half ? ExportType::kFloat16 : ExportType::kFloat32, preprocessing},
      .preparation = {data.exif_orientation, data.eval_resize, data.interpolation, data.eval_crop,
                      data.mean, data.std, data.letterbox},
      .parameters = counts.parameters,
      .macs = counts.macs,
      .activations = counts.activations,
      .metrics = checkpoint.metrics,
      .source = source,
      .program = fmt::format("mobileone {}", version())};
  graph::Graph& graph = package.graph;
  if (preprocessing == Preprocessing::kInside) {
    graph = graph::with_levels(std::move(graph), normalize_levels(package.description.preparation));
    if (task == "classification") {
      graph = graph::with_last(std::move(graph), "softmax", graph::Softmax{}, "probabilities");
    }
  }
  if (outputs.argmax) {
    graph = graph::with_last(std::move(graph), "argmax", graph::ArgMax{}, "classes");
  }
  if (task == "detection") {
    const auto& head = std::get<SsdLiteOptions>(folded->options.head);
    graph = graph::with_boxes(std::move(graph), decoding(head, data.eval_crop), data.eval_crop,
                              data.eval_crop);
    if (!outputs.raw) {
      graph = graph::with_detections(std::move(graph), suppression(checkpoint.config.detect));
    }
  }
  package.description.output = package.graph.outputs.front().name;
  return package;
}

namespace {

/// The scores of what SSDLite finds in each of its images, one by one.
torch::Tensor best_scores(const Package& package, const torch::Tensor& outputs) {
  const auto head = std::get<SsdLiteOptions>(network_options(package.config).head);
  const int64_t size = package.description.preparation.crop;
  const auto found = DetectionDecoder(head, nms_of(package.config.detect), size, size)(outputs[0]);
  std::vector<double> scores;
  for (const Detection& each : found) scores.push_back(each.score);
  return torch::tensor(scores, torch::kFloat32);
}

/// What is compared of a file's output, of the network's.
torch::Tensor output_of(const Package& package, const torch::Tensor& x) {
  const std::string& output = package.description.output;
  if (output == "classes") return x.argmax(1).to(torch::kByte);
  if (output == "probabilities") return x.to(torch::kFloat32).softmax(1);
  if (output == "scores") return x.slice(2, 4).to(torch::kFloat32).softmax(2);
  return output == "detections" ? best_scores(package, x) : x;
}

/// Rounding may swap or drop a few of the last detections: of these the best are compared, of which
/// both have as many, unless many more are missing.
Difference detections_difference(torch::Tensor expected, torch::Tensor written) {
  written = written.select(1, 4);
  const int64_t most = std::max(expected.size(0), written.size(0)),
                least = std::min(expected.size(0), written.size(0));
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (most - least > 2 + most / 50) return {kInfinite, kInfinite, 1};
  if (least == 0) return {0, 0, 1};
  return largest_difference(expected.slice(0, 0, least), written.slice(0, 0, least));
}

}  // namespace

Difference compare(const Package& package,
                   const std::function<at::Tensor(const at::Tensor&)>& written) {
  const auto& [type, preprocessing] = package.description.interface;
  const Preparation& p = package.description.preparation;
  const auto dtype = type == ExportType::kFloat16 ? torch::kHalf : torch::kFloat32;
  const int64_t size = p.crop, channels = package.graph.input.channels;
  const int64_t batch = package.graph.input.batch > 0 ? package.graph.input.batch : 2;
  torch::Tensor x = seeded_input(channels, batch, size).to(dtype), own = x;
  if (preprocessing == Preprocessing::kInside) {
    x = torch::arange(batch * size * size * channels)
            .remainder(256)
            .to(torch::kByte)
            .view({batch, size, size, channels});
    own = normalized(x, p).to(dtype);
  }
  const auto expected = output_of(package, package.reference(own)), actual = written(x);
  return package.description.output == "detections" ? detections_difference(expected, actual)
                                                    : largest_difference(expected, actual);
}

}  // namespace mobileone
