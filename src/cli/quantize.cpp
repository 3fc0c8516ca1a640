#include "mobileone/quant/quantize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/cli/shipping.h"
#include "mobileone/data/image_inputs.h"
#include "mobileone/export/onnx.h"
#include "mobileone/model/graph_runner.h"
#include "mobileone/model/lower.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/task/task.h"
#include "mobileone/util/error.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

struct QuantizeCommand {
  std::string input, data, output;
  int64_t images = 128, workers = 2, threads = 0;
  uint64_t seed = 0;
  QuantizeOptions quantize;
  std::optional<Weights> weights;
  InterfaceOptions interface;
  bool force = false;
};

/// So many images of a set, drawn by chance, as they are judged: normalised batches.
std::vector<at::Tensor> drawn_images(const QuantizeCommand& options, const Config& config) {
  constexpr int64_t kBatch = 16;
  const ImageList list = read_image_inputs({options.data});
  if (list.size() < options.images) {
    throw Error(
        "{}: has {} images, expected {} to learn ranges from; name another set, or fewer "
        "by --images",
        options.data, list.size(), options.images);
  }
  const auto task = task_of(config);
  LoaderOptions loading = task->eval_options(config.data, kBatch);
  loading.workers = options.workers;
  loading.shuffle = true;
  loading.seed = options.seed;
  Loader loader(list, loading);
  loader.start_epoch(0, task->eval_transform(config.data));
  std::vector<at::Tensor> batches;
  int64_t missing = options.images;
  while (missing > 0) {
    const auto batch = loader.next();
    if (!batch) break;
    batches.push_back(batch->images.slice(0, 0, missing).clone());
    missing -= batches.back().size(0);
  }
  return batches;
}

/// What a graph gives as the logits of images.
at::Tensor logits_of(const graph::Graph& graph, const at::Tensor& images) {
  const auto logits = std::ranges::find(graph.outputs, "logits", &graph::Output::name);
  return GraphRunner(graph)(images).at(static_cast<size_t>(logits - graph.outputs.begin()));
}

/// On images that the ranges were not learnt from. Classes are the last axis of an anchor's logits,
/// else the second.
void print_agreement(const graph::Graph& exact, const graph::Graph& quantized,
                     const std::vector<at::Tensor>& images) {
  double power = 0, noise = 0;
  int64_t same = 0, all = 0;
  for (const at::Tensor& batch : images) {
    const at::Tensor expected = logits_of(exact, batch), actual = logits_of(quantized, batch);
    const int64_t axis = expected.dim() == 3 ? 2 : 1;
    const at::Tensor difference = expected - actual;
    power += (expected - expected.mean(axis, true)).square().sum().item<double>();
    noise += (difference - difference.mean(axis, true)).square().sum().item<double>();
    const at::Tensor best = expected.argmax(axis);
    same += best.eq(actual.argmax(axis)).sum().item<int64_t>();
    all += best.numel();
  }
  fmt::print("logits: signal to noise {:.1f} dB; the best class is the same {:.1f} % of the time\n",
             10 * std::log10(power / noise),
             100.0 * static_cast<double>(same) / static_cast<double>(all));
}

void print_layers(std::vector<LayerNoise> layers) {
  constexpr size_t kShown = 5;
  std::ranges::stable_sort(layers, {}, &LayerNoise::decibels);
  fmt::print("{} layers in 8 bits, the noisiest:\n", layers.size());
  for (size_t i = 0; i < std::min(kShown, layers.size()); ++i) {
    fmt::print("  {:5.1f} dB  {}\n", layers[i].decibels, layers[i].name);
  }
}

void quantize_network(const QuantizeCommand& options) {
  set_threads(options.threads);
  require_ending("--output", options.output, {".onnx"});
  require_output(options.output, {options.input});
  const Checkpoint checkpoint = load_checkpoint(options.input);
  if (!checkpoint.folded()) fmt::print("{}: is not folded; folding it first\n", options.input);
  const ShippingCheck check(options.force);
  const MobileOne folded =
      fold_for_export(check.network(checkpoint, options.input, options.weights),
                      ExportType::kFloat32, options.input);
  const graph::Graph exact = lower(folded);
  const auto pack = [&](const graph::Graph& graph) {
    return package(folded, checkpoint, options.input, options.interface.preprocessing(),
                   options.interface.outputs, graph);
  };
  pack(exact);  // throws where options are another task's
  std::vector<at::Tensor> images = drawn_images(options, checkpoint.config);
  const auto used = static_cast<std::ptrdiff_t>(images.size() - (images.size() + 2) / 4);
  const std::vector<at::Tensor> others(images.begin() + used, images.end());
  images.resize(static_cast<size_t>(used));
  const Quantized quantized = quantize(exact, images, options.quantize);
  export_onnx(pack(quantized.graph), options.output);
  fmt::print("{}: written\n", options.output);
  print_layers(quantized.layers);
  if (!others.empty()) print_agreement(exact, quantized.graph, others);
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto options = std::make_shared<QuantizeCommand>();
  auto* command = app.add_subcommand(
      "quantize", "Write a trained network in 8 bits as ONNX, for integer arithmetic");
  add_network_option(*command, "checkpoint", options->input, "Checkpoint or published weights");
  command
      ->add_option("--data", options->data,
                   "Images to learn ranges from, without labels: a folder, list, shards or pack")
      ->required();
  command->add_option("-o,--output", options->output, "File to write, .onnx")->required();
  command->add_option("--images", options->images, "How many, drawn by chance")
      ->check(CLI::Range(16, 1000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of chance")->capture_default_str();
  command->add_flag("--per-tensor", options->quantize.per_tensor,
                    "One scale for all weights of a layer, not one for each channel: what some "
                    "accelerators need");
  command->add_option("--keep-float", options->quantize.keep_float,
                      "Layers that stay in floating point, such as linear");
  command->add_flag("!--no-equalize", options->quantize.equalize,
                    "Leave the ranges of channels as they are");
  command->add_flag("!--no-bias-correction", options->quantize.correct_biases,
                    "Leave biases as they are");
  add_interface_options(*command, options->interface);
  command->add_option("--threads", options->threads, "[one for each core]")
      ->check(CLI::Range(0, 1024));
  add_weights_options(*command, options->weights);
  command->add_flag("--force", options->force, kForceHelp);
  command->callback([options] { quantize_network(*options); });
}

}  // namespace mobileone::cli
