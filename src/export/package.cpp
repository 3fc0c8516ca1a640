#include "mobileone/export/package.h"

#include <torch/types.h>

#include "mobileone/graph/counts.h"
#include "mobileone/graph/passes.h"
#include "mobileone/model/lower.h"
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
                Preprocessing preprocessing, bool argmax) {
  const DataConfig& data = checkpoint.config.data;
  const bool half = folded->parameters().front().scalar_type() == torch::kHalf;
  Package package;
  package.graph = lower(folded);
  package.config = checkpoint.config;
  package.reference = [network = folded](const torch::Tensor& x) mutable {
    return network->forward(x);
  };
  const auto counts = graph::count_total(package.graph, data.eval_crop, data.eval_crop);
  const bool segments = std::holds_alternative<DeepLabOptions>(folded->options.head);
  if (argmax && !segments) throw Error("--argmax: is for segmentation; {} classifies", source);
  package.description = {
      .task = segments ? "segmentation" : "classification",
      .variant = folded->options.variant,
      .class_names = checkpoint.class_names,
      .num_classes = folded->options.num_classes,
      .interface = {half ? ExportType::kFloat16 : ExportType::kFloat32, preprocessing},
      .preparation = {data.exif_orientation, data.eval_resize, data.interpolation, data.eval_crop,
                      data.mean, data.std},
      .parameters = counts.parameters,
      .macs = counts.macs,
      .activations = counts.activations,
      .metrics = checkpoint.metrics,
      .source = source,
      .program = fmt::format("mobileone {}", version())};
  graph::Graph& graph = package.graph;
  if (preprocessing == Preprocessing::kInside) {
    graph = graph::with_levels(std::move(graph), normalize_levels(package.description.preparation));
    if (!segments) {
      graph = graph::with_last(std::move(graph), "softmax", graph::Softmax{}, "probabilities");
    }
  }
  if (argmax) graph = graph::with_last(std::move(graph), "argmax", graph::ArgMax{}, "classes");
  package.description.output = package.graph.outputs.front().name;
  return package;
}

namespace {

/// What a file's output is to be, of the network's logits.
torch::Tensor output_of(const torch::Tensor& logits, const std::string& output) {
  if (output == "classes") return logits.argmax(1).to(torch::kByte);
  return output == "probabilities" ? logits.to(torch::kFloat32).softmax(1) : logits;
}

}  // namespace

Difference compare(const Package& package,
                   const std::function<at::Tensor(const at::Tensor&)>& written) {
  const std::string& output = package.description.output;
  const auto& [type, preprocessing] = package.description.interface;
  const Preparation& p = package.description.preparation;
  const auto dtype = type == ExportType::kFloat16 ? torch::kHalf : torch::kFloat32;
  const int64_t size = p.crop, channels = package.graph.input.channels;
  if (preprocessing == Preprocessing::kOutside) {
    const auto x = seeded_input(channels, 2, size).to(dtype);
    return largest_difference(output_of(package.reference(x), output), written(x));
  }
  const auto images = torch::arange(2 * size * size * channels)
                          .remainder(256)
                          .to(torch::kByte)
                          .view({2, size, size, channels});
  const auto logits = package.reference(normalized(images, p).to(dtype));
  return largest_difference(output_of(logits, output), written(images));
}

}  // namespace mobileone
