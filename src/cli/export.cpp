#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/cli/shipping.h"
#include "mobileone/export/formats.h"
#include "mobileone/util/error.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

struct ExportOptions {
  std::string input, output, format;  // format empty: as the output's name says
  ExportType type = ExportType::kFloat32;
  std::optional<Weights> weights;
  FormatOptions of_format;
  InterfaceOptions interface;
};

/// The format whose files' names end like this one's; null where there is none.
const Format* format_of_name(const std::string& path) {
  const auto found = std::find_if(formats().begin(), formats().end(), [&](const Format& format) {
    return has_ending(path, format.ending);
  });
  return found == formats().end() ? nullptr : &*found;
}

/// Throws Error where the options contradict each other.
const Format& format_of(const ExportOptions& options) {
  std::vector<std::string_view> endings;
  for (const auto& format : formats()) endings.push_back(format.ending);
  require_ending("--output", options.output, endings);
  const Format* named = format_of_name(options.output);
  for (const auto& format : formats()) {
    if (format.name != options.format) continue;
    if (!named || named == &format) return format;
    throw Error("{}: the name says {}, --format says {}; change one of them", options.output,
                named->name, format.name);
  }
  return named ? *named : formats().front();
}

/// Throws Error if an option of the command line is none of the format's.
void require_known(const Format& format, std::string_view option, bool given) {
  const auto knows = [&](const Format& other) {
    return std::find(other.options.begin(), other.options.end(), option) != other.options.end();
  };
  if (!given || knows(format)) return;
  const auto knowing = std::find_if(formats().begin(), formats().end(), knows);
  throw Error("{}: is for {}; {} has no such choice", option, knowing->title, format.title);
}

void export_network(const ExportOptions& options) {
  require_output(options.output, {options.input});
  const Format& format = format_of(options);
  require_known(format, "--freeze", options.of_format.frozen);
  require_known(format, "--portable", options.of_format.portable);
  const Checkpoint checkpoint = load_checkpoint(options.input);
  if (!checkpoint.folded()) fmt::print("{}: is not folded; folding it first\n", options.input);
  const ShippingCheck check(options.of_format.unchecked);
  const MobileOne folded = fold_for_export(
      check.network(checkpoint, options.input, options.weights), options.type, options.input);
  check.logits(folded, checkpoint.config.data.eval_crop, options.input);
  const Package written = package(folded, checkpoint, options.input,
                                  options.interface.preprocessing(), options.interface.outputs);
  const auto difference = format.write(written, options.output, options.of_format);
  if (!difference) {
    fmt::print("{}: written\n", options.output);
    return;
  }
  const std::string& output = written.description.output;
  fmt::print("{}: written, loaded back and compared; largest {} difference {}\n", options.output,
             output == "classes"                            ? "share of classes"
             : output == "probabilities"                    ? "probability"
             : output == "detections" || output == "scores" ? "score"
                                                            : "logit",
             to_string(*difference));
}

}  // namespace

void add_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  auto* command = app.add_subcommand("export", "Write a network as branchless TorchScript or ONNX");
  add_network_option(*command, "checkpoint", options->input, "Checkpoint or published weights");
  command->add_option("-o,--output", options->output, "File to write")->required();
  std::vector<std::string> names, endings;
  for (const auto& format : formats()) {
    names.emplace_back(format.name);
    endings.emplace_back(format.ending);
  }
  command
      ->add_option("--format", options->format,
                   fmt::format("Form of the file [by its name, {}; of one without ending {}]: {}",
                               fmt::join(endings, " or "), names.front(), fmt::join(names, ", ")))
      ->check(CLI::IsMember(names));
  add_enum_option(*command, "--dtype", options->type, "Type of weights and activations");
  add_interface_options(*command, options->interface);
  command->add_flag("--freeze", options->of_format.frozen,
                    "Turn TorchScript's weights into constants of its code");
  command->add_flag("--portable", options->of_format.portable,
                    "TorchScript for LibTorch without oneDNN, too: slower on CPUs that have it");
  add_weights_options(*command, options->weights);
  command->add_flag("--force", options->of_format.unchecked, kForceHelp);
  command->callback([options] { export_network(*options); });
}

}  // namespace mobileone::cli
