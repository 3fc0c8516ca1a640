#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/options.h"
#include "mobileone/cli/tasks.h"
#include "mobileone/data/frames.h"
#include "mobileone/data/image_inputs.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {
namespace {

/// Hands each image of standard input to `take` as it comes.
void for_each_frame(const std::function<void(const ImageList&)>& take) {
  FrameReader frames(STDIN_FILENO, "standard input");
  int64_t count = 0;
  while (auto bytes = frames.next()) {
    take(one_image(fmt::format("frame_{:06}", ++count), *std::move(bytes)));
  }
  if (count == 0) throw Error("standard input: is empty, expected images");
}

void predict_all(const PredictOptions& options) {
  set_threads(options.inference.threads);
  std::vector<std::string> inputs = options.images;
  for (const auto& list : options.lists) {
    const auto paths = read_path_list(list);
    inputs.insert(inputs.end(), paths.begin(), paths.end());
  }
  const bool from_stream = inputs == std::vector<std::string>{"-"};
  const ImageList images = from_stream ? ImageList{} : read_image_inputs(inputs);
  const Model model = load_model(options.inference, choose_device(options.inference.device()));
  const TaskCommands& commands = commands_of(model.config.model.head);
  PredictionPrinter printer(options.format, commands.prediction_columns, images.size());
  const auto predict = [&](const ImageList& list) {
    commands.predict(options, model, list, printer);
  };
  if (from_stream) {
    for_each_frame(predict);
  } else {
    predict(images);
  }
  printer.end();
}

}  // namespace

void add_predict(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  auto* command = app.add_subcommand(
      "predict", "Classify or segment images, or find objects in them, with any network file");
  add_inference_options(*command, options->inference);
  command->add_option(
      "images", options->images,
      "Image files, folders, patterns, CSV lists, tar shards, packs; or - for images "
      "from standard input, one behind the other (frames of a video)");
  command->add_option(
      "--list", options->lists,
      "File of such names, one a line or each ended by a NUL; - for standard input");
  command->add_option("--top", options->count, "Classes to print per image [5]")
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--least-score", options->least_score,
                   "Detection: of less sure objects nothing is said [0.3]")
      ->check(number_range(0, 1));
  add_enum_option(*command, "--format", options->format, "What to print");
  command->add_option(
      "--output", options->output,
      "Folder: of segmentation for the mask of each image, a PNG of indices, and an "
      "overlay, of detection for the images with boxes drawn on them");
  command->add_flag_callback(
      "--json", [options] { options->format = PredictionFormat::kJson; },
      "Print one JSON array and nothing else");
  command->callback([options] { predict_all(*options); });
}

}  // namespace mobileone::cli
