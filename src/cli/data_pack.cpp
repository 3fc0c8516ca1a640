#include <memory>
#include <string>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/data/pack.h"
#include "mobileone/optim/runtime.h"

namespace mobileone::cli {
namespace {

struct PackOptions {
  std::string source, output;
  DataConfig data;  ///< what masks and boxes are
  PackSettings settings;
  int64_t workers = 2;
};

void pack(const PackOptions& options) {
  require_ending("output", options.output, {".pack"});
  set_threads(1);  // each worker decodes by itself
  const ImageList list = read_any_list(options.source, options.data.train_masks, options.data);
  const PackSummary summary = write_pack(list, options.output, options.settings, options.workers);
  if (summary.was_there) {
    fmt::print("{}: is there already\n", options.output);
    return;
  }
  fmt::print("{}: {} images{} as {}, {:.1f} MB", options.output, summary.images,
             list.masks     ? " with masks"
             : list.objects ? " with boxes"
                            : "",
             options.settings.decoded ? "pixels" : "files", summary.bytes / 1e6);
  if (summary.unreadable > 0) fmt::print("; {} of them could not be read", summary.unreadable);
  fmt::print("\n");
}

}  // namespace

void add_data_pack(CLI::App& data) {
  auto options = std::make_shared<PackOptions>();
  auto* command = data.add_subcommand(
      "pack",
      "Write a data set into one checked file that is mapped; goes on where it was stopped");
  command
      ->add_option(
          "source", options->source,
          "Folder, CSV list, tar shards or pack; of images with masks or boxes a list, or\n"
          "COCO's file of annotations, too")
      ->required();
  command->add_option("output", options->output, "File to write")->required();
  add_set_options(*command, options->data);
  auto* decoded = command->add_flag("--decoded", options->settings.decoded,
                                    "Store pixels, reduced, instead of image files");
  auto* short_side =
      command
          ->add_option("--short-side", options->settings.short_side,
                       "Short side of decoded images, px, at most; smaller ones stay")
          ->check(CLI::Range(8, 16384))
          ->capture_default_str()
          ->needs(decoded);
  command
      ->add_option("--max-side", options->settings.max_side,
                   "Long side of decoded images, px, at most, instead of the short one")
      ->check(CLI::Range(8, 16384))
      ->needs(decoded)
      ->excludes(short_side);
  command
      ->add_flag("--upright", options->settings.upright,
                 "Turn decoded images as their EXIF or XMP says")
      ->needs(decoded);
  command->add_option("--workers", options->workers, "Threads that read and decode")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->callback([options] {
    options->data.exif_orientation = options->settings.upright;  // what YOLO's shares are of
    if (options->settings.max_side > 0) options->settings.short_side = 0;
    pack(*options);
  });
}

}  // namespace mobileone::cli
