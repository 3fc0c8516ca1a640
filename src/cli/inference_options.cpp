#include "mobileone/cli/inference_options.h"

#include "mobileone/cli/options.h"
#include "mobileone/config/validate.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {

void add_inference_options(CLI::App& command, InferenceOptions& options) {
  add_network_option(command, "model", options.model,
                     "Checkpoint, published weights, TorchScript or ONNX");
  command
      .add_option("--resize", options.resize,
                  "Short side before the crop, px [the model's, or 256]")
      ->check(CLI::Range(8, 4096));
  command.add_option("--crop", options.crop, "Centre crop, px [the model's, or 224]")
      ->check(CLI::Range(8, 4096));
  command.add_option("--batch", options.evaluation.batch_size, "Images per batch")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--workers", options.evaluation.workers, "Threads that read images")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Threads of computation [one per core]")
      ->check(CLI::Range(1, 1024));
  add_enum_option(command, "--precision", options.evaluation.precision,
                  "Numbers that a checkpoint is computed in");
  add_weights_options(command, options.weights);
  command.add_flag("--run-code", options.run_code, kRunCodeHelp);
  command.add_flag("--cpu", options.cpu, "Compute on the CPU even if there is a GPU");
}

Model load_model(const InferenceOptions& options, torch::Device device) {
  Model model = mobileone::load_model(options.model, device, options.weights,
                                      options.run_code ? ScriptCode::kRun : ScriptCode::kLeave);
  const HeadKind head = model.config.model.head;
  if (options.crop > 0 && head == HeadKind::kDeepLabV3) {
    throw Error("--crop: segmentation takes the whole picture; --resize says its short side");
  }
  if (options.resize > 0 && head == HeadKind::kSsdLite) {
    throw Error("--resize: detection takes the whole picture; --crop says the square it becomes");
  }
  DataConfig& data = model.config.data;
  if (options.crop > 0) data.eval_crop = options.crop;
  if (options.resize > 0) data.eval_resize = options.resize;
  validate(model.config);
  return model;
}

}  // namespace mobileone::cli
