#include <torch/utils.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/cli/shipping.h"
#include "mobileone/data/image_inputs.h"
#include "mobileone/data/loader.h"
#include "mobileone/export/compare.h"
#include "mobileone/model/counts.h"
#include "mobileone/task/task.h"
#include "mobileone/util/error.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

struct ReparamOptions {
  std::string input, output;
  std::optional<std::string> data;
  std::optional<Weights> weights;
  bool float64 = false, force = false;
};

/// Up to 64 images of the set, or one where they differ in size, as the network sees them in
/// evaluation.
torch::Tensor real_images(const std::string& path, const Config& config) {
  const auto task = task_of(config);
  LoaderOptions loading = task->eval_options(config.data, /*batch_size=*/64);
  loading.shuffle = true;
  Loader loader(read_image_inputs({path}), loading);
  loader.start_epoch(0, task->eval_transform(config.data));
  auto batch = loader.next();
  if (!batch) throw Error("{}: no readable image in it", path);
  return batch->images;
}

void compare(const char* what, MobileOne unfolded, MobileOne folded, const torch::Tensor& images,
             const ShippingCheck& check) {
  const auto expected = unfolded->forward(images);
  const Difference difference = largest_difference(expected, folded->forward(images));
  fmt::print("{:<22} largest logit difference {}\n", what, to_string(difference));
  check.agreement(difference, expected.scalar_type(), what);
}

void reparam(const ReparamOptions& options) {
  require_ending("--output", options.output, kTorchEndings);
  torch::NoGradGuard no_grad;
  require_output(options.output, {options.input, options.data.value_or("")});
  Checkpoint checkpoint = load_checkpoint(options.input);
  if (checkpoint.folded()) throw Error("{}: is folded already", options.input);
  const ShippingCheck check(options.force);
  const Weights taken = keep_one_set(checkpoint, options.input, options.weights);
  const auto dtype = options.float64 ? torch::kFloat64 : torch::kFloat32;
  MobileOne unfolded = check.network(checkpoint, options.input);
  unfolded->to(dtype);
  const MobileOne folded = fold(unfolded);

  const DataConfig& data = checkpoint.config.data;
  check.logits(unfolded, data.eval_crop, options.input);
  compare("seeded input", unfolded, folded, seeded_input(unfolded, 4, data.eval_crop), check);
  if (options.data) {
    compare("real images", unfolded, folded,
            real_images(*options.data, checkpoint.config).to(dtype), check);
  }
  checkpoint.weights = state_dict(*folded);
  save_checkpoint(options.output, checkpoint);
  const LayerCounts before = total_counts(unfolded->options, data.eval_crop);
  const LayerCounts after = total_counts(folded->options, data.eval_crop);
  fmt::print("{}: {} weights of {}, {} parameters folded into {}\n", options.output,
             to_string(taken), options.input, before.parameters, after.parameters);
}

}  // namespace

void add_reparam(CLI::App& app) {
  auto options = std::make_shared<ReparamOptions>();
  auto* command =
      app.add_subcommand("reparam", "Fold a checkpoint's branches into single convolutions");
  add_network_option(*command, "checkpoint", options->input,
                     "best.pth or last.pth of a run, or published weights");
  command->add_option("-o,--output", options->output, "Folded checkpoint to write")->required();
  command->add_option("--data", options->data, "Compare on images of this data set, too");
  add_weights_options(*command, options->weights);
  command->add_flag("--float64", options->float64, "Compute and store in float64");
  command->add_flag("--force", options->force, kForceHelp);
  command->callback([options] { reparam(*options); });
}

}  // namespace mobileone::cli
