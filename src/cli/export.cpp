#include <cstdio>
#include <memory>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/cli/commands.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {

void add_export(CLI::App& app) {
  struct Options {
    std::string input, output;
    bool raw_weights = false, frozen = false;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("export", "Write a network as branchless TorchScript");
  command->add_option("checkpoint", options->input, "Checkpoint or published weights")->required();
  command->add_option("-o,--output", options->output, "TorchScript file to write")->required();
  command->add_flag("--freeze", options->frozen, "Turn the weights into constants of the code");
  command->add_flag("--raw", options->raw_weights, "Take the raw weights, not the moving average");
  command->callback([options] {
    const Checkpoint checkpoint = load_checkpoint(options->input);
    if (!checkpoint.folded()) fmt::print("{}: is not folded; folding it first\n", options->input);
    auto network = make_network(checkpoint, options->input, !options->raw_weights);
    network->to(torch::kFloat32);
    const Difference difference = export_torchscript(fold(network), checkpoint, options->input,
                                                     options->output, options->frozen);
    fmt::print("{}: written, loaded back and compared; largest logit difference {:.3g}\n",
               options->output, difference.absolute);
  });
}

}  // namespace mobileone::cli
