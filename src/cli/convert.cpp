#include <fmt/ranges.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/foreign.h"
#include "mobileone/checkpoint/numbers.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/config/difference.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

enum class Container { kTorch, kSafetensors };

struct ConvertOptions {
  std::string input, output;
  std::optional<Dialect> dialect;
  std::optional<torch::ScalarType> dtype;
  std::optional<Weights> weights;
  bool folded = false;
};

Container container_of(const std::string& path) {
  for (const auto ending : kTorchEndings) {
    if (has_ending(path, ending)) return Container::kTorch;
  }
  if (has_ending(path, ".safetensors")) return Container::kSafetensors;
  throw Error("{}: its name tells no format: expected it to end in {} or .safetensors", path,
              fmt::join(kTorchEndings, ", "));
}

torch::ScalarType dtype_of(const Checkpoint& checkpoint) {
  return checkpoint.weights.front().value().scalar_type();
}

/// In a memory of its own: what was a slice of something larger is not written with all of it.
torch::Tensor converted(const torch::Tensor& tensor, torch::ScalarType dtype,
                        const std::string& place) {
  if (!tensor.is_floating_point()) return tensor.clone(torch::MemoryFormat::Contiguous);
  const auto rounded =
      tensor.to(dtype, /*non_blocking=*/false, /*copy=*/true, torch::MemoryFormat::Contiguous);
  if (!torch::equal(rounded.isfinite(), tensor.isfinite())) {
    throw Error("{} has numbers beyond the largest {}; choose another --dtype", place,
                torch::toString(dtype));
  }
  return rounded;
}

/// Folds if asked to, in float64, and rounds once.
void prepare(Checkpoint& checkpoint, const ConvertOptions& options) {
  auto dtype = options.dtype;
  if (options.folded && !checkpoint.folded()) {
    if (!dtype) dtype = dtype_of(checkpoint);
    MobileOne network = make_network(checkpoint, options.input, /*wanted=*/{}, Unsound::kAccept);
    network->to(torch::kFloat64);
    checkpoint.weights = state_dict(*fold(network));
  }
  for (auto& item : checkpoint.weights) {
    item.value() = converted(item.value(), dtype.value_or(item.value().scalar_type()),
                             options.input + ": " + item.key());
  }
}

/// Warns of what a state dict does not tell and its reader will take to be otherwise.
void warn_of_what_is_lost(const Config& config, Dialect dialect, const std::string& output) {
  Config assumed, actual;
  assumed.data = actual.data = published_data(dialect, config.model.in_channels);
  actual.model.stem_stride = config.model.stem_stride;
  actual.model.output_stride = config.model.output_stride;
  actual.data.eval_resize = config.data.eval_resize;
  actual.data.eval_crop = config.data.eval_crop;
  actual.data.mean = config.data.mean;
  actual.data.std = config.data.std;
  actual.data.interpolation = config.data.interpolation;
  std::vector<std::string> lost;
  for (const auto& [key, ours, theirs, scope] : differences(actual, assumed)) {
    lost.push_back(fmt::format("{} is {} (assumed: {})", key, ours, theirs));
  }
  if (lost.empty()) return;
  log::warning(
      "{}: a bare state dict does not tell that {}; .safetensors and checkpoints (without "
      "--dialect) do",
      output, fmt::join(lost, ", "));
}

/// Returns what was written.
std::string write(const Checkpoint& checkpoint, const ConvertOptions& options,
                  Container container) {
  if (container == Container::kTorch && !options.dialect) {
    save_checkpoint(options.output, checkpoint);
    return "checkpoint";
  }
  const Dialect dialect = options.dialect.value_or(Dialect::kApple);
  if (container == Container::kSafetensors) {
    write_safetensors_weights(options.output, checkpoint, dialect);
  } else {
    warn_of_what_is_lost(checkpoint.config, dialect, options.output);
    write_torch_weights(options.output, checkpoint, dialect);
  }
  return fmt::format("weights, as {} names them,", to_string(dialect));
}

void convert(const ConvertOptions& options) {
  torch::NoGradGuard no_grad;
  const Container container = container_of(options.output);
  require_output(options.output, {options.input});
  Checkpoint checkpoint = load_checkpoint(options.input);
  const Weights taken = keep_one_set(checkpoint, options.input, options.weights);
  NetworkOptions network = network_options(checkpoint.config, /*num_classes=*/0);
  network.folded = checkpoint.folded();
  require_fit(checkpoint.weights, state_shapes(network), options.input);
  if (const auto flaw = unsound_numbers(checkpoint.weights)) {
    log::warning("{}: no right result can come of its weights: {}", options.input, *flaw);
  }
  prepare(checkpoint, options);
  const std::string form = write(checkpoint, options, container);
  fmt::print("{}: {} of mobileone {}, {}, {}, from the {} weights of {}\n", options.output, form,
             network_options(checkpoint.config).variant,
             checkpoint.folded() ? "folded" : "unfolded", torch::toString(dtype_of(checkpoint)),
             to_string(taken), options.input);
}

}  // namespace

void add_convert(CLI::App& app) {
  auto options = std::make_shared<ConvertOptions>();
  auto* command =
      app.add_subcommand("convert", "Read any MobileOne weights and write them in another form");
  add_network_option(*command, "input", options->input, "Checkpoint or published weights");
  command
      ->add_option("output", options->output,
                   "File to write: .pth, .pt, .bin, .pth.tar or .safetensors")
      ->required();
  add_enum_option(
      *command, "--dialect", options->dialect,
      "Write weights alone, under these names [.pth, ...: a checkpoint of this program; "
      ".safetensors: apple]");
  command->add_flag("--folded", options->folded, "Fold the branches first");
  const std::map<std::string, torch::ScalarType> types = {{"float32", torch::kFloat32},
                                                          {"float16", torch::kFloat16},
                                                          {"bfloat16", torch::kBFloat16},
                                                          {"float64", torch::kFloat64}};
  command
      ->add_option_function<std::string>(
          "--dtype", [options, types](const std::string& name) { options->dtype = types.at(name); },
          "Numbers to write [the input's]")
      ->check(CLI::IsMember(types));
  add_weights_options(*command, options->weights);
  command->callback([options] { convert(*options); });
}

}  // namespace mobileone::cli
