#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/cli/shipping.h"
#include "mobileone/export/onnx.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/util/error.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

struct ExportOptions {
  std::string input, output;
  std::optional<ExportFormat> format;  // empty: as the output's name says
  ExportType type = ExportType::kFloat32;
  std::optional<Weights> weights;
  bool frozen = false, portable = false, with_preprocessing = false, force = false;
};

/// The format that a file's name says; none where it says nothing.
std::optional<ExportFormat> named_format(const std::filesystem::path& path) {
  if (has_ending(path.native(), ".onnx")) return ExportFormat::kOnnx;
  if (has_ending(path.native(), ".pt")) return ExportFormat::kTorchScript;
  return std::nullopt;
}

/// Throws Error where the options contradict each other.
ExportFormat format_of(const ExportOptions& options) {
  require_ending("--output", options.output, {".pt", ".onnx"});
  const auto named = named_format(options.output);
  if (named && options.format && named != options.format) {
    throw Error("{}: the name says {}, --format says {}; change one of them", options.output,
                to_string(*named), to_string(*options.format));
  }
  const auto format = options.format.value_or(named.value_or(ExportFormat::kTorchScript));
  if (options.frozen && format == ExportFormat::kOnnx) {
    throw Error("--freeze: is for TorchScript; the weights of ONNX are constants without it");
  }
  if (options.portable && format == ExportFormat::kOnnx) {
    throw Error("--portable: is for TorchScript; ONNX is portable without it");
  }
  return format;
}

void export_network(const ExportOptions& options) {
  require_output(options.output, {options.input});
  const ExportFormat format = format_of(options);
  const Checkpoint checkpoint = load_checkpoint(options.input);
  if (!checkpoint.folded()) fmt::print("{}: is not folded; folding it first\n", options.input);
  const ShippingCheck check(options.force);
  const MobileOne folded = fold_for_export(
      check.network(checkpoint, options.input, options.weights), options.type, options.input);
  check.logits(folded, checkpoint.config.data.eval_crop, options.input);
  const auto preprocessing =
      options.with_preprocessing ? Preprocessing::kInside : Preprocessing::kOutside;
  if (format == ExportFormat::kOnnx) {
    export_onnx(folded, checkpoint, options.input, options.output, preprocessing);
    fmt::print("{}: written\n", options.output);
    return;
  }
  const Difference difference =
      export_torchscript(folded, checkpoint, options.input, options.output,
                         {.preprocessing = preprocessing,
                          .frozen = options.frozen,
                          .portable = options.portable,
                          .unchecked = options.force});
  fmt::print("{}: written, loaded back and compared; largest {} difference {}\n", options.output,
             options.with_preprocessing ? "probability" : "logit", to_string(difference));
}

}  // namespace

void add_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  auto* command = app.add_subcommand("export", "Write a network as branchless TorchScript or ONNX");
  add_network_option(*command, "checkpoint", options->input, "Checkpoint or published weights");
  command->add_option("-o,--output", options->output, "File to write")->required();
  add_enum_option(
      *command, "--format", options->format,
      "Form of the file [by its name, .pt or .onnx; of one without ending torchscript]");
  add_enum_option(*command, "--dtype", options->type, "Type of weights and activations");
  command->add_flag("--with-preprocessing", options->with_preprocessing,
                    "Take uint8 images [N,H,W,3], cropped already, and give probabilities");
  command->add_flag("--freeze", options->frozen,
                    "Turn TorchScript's weights into constants of its code");
  command->add_flag("--portable", options->portable,
                    "TorchScript for LibTorch without oneDNN, too: slower on CPUs that have it");
  add_weights_options(*command, options->weights);
  command->add_flag("--force", options->force, kForceHelp);
  command->callback([options] { export_network(*options); });
}

}  // namespace mobileone::cli
