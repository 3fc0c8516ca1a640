#include <memory>
#include <string>

#include "mobileone/cli/commands.h"
#include "mobileone/data/shapes.h"

namespace mobileone::cli {

void add_data(CLI::App& app) {
  struct Options {
    std::string folder;
    ShapesOptions shapes;
  };
  auto options = std::make_shared<Options>();
  auto* data = app.add_subcommand("data", "Make and inspect data sets");
  data->require_subcommand(1);
  add_data_show(*data);
  add_data_pack(*data);
  add_data_inspect(*data);
  add_data_masks(*data);
  add_data_convert(*data);
  auto* shapes = data->add_subcommand(
      "shapes", "Draw a labelled set of JPEGs: ten classes of shapes and textures, train and val");
  shapes->add_option("folder", options->folder, "Folder to make")->required();
  shapes->add_option("--train", options->shapes.train_per_class, "Training images per class")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  shapes->add_option("--val", options->shapes.val_per_class, "Validation images per class")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  shapes->add_option("--size", options->shapes.size, "Width and height, px")
      ->check(CLI::Range(16, 2048))
      ->capture_default_str();
  shapes->add_option("--seed", options->shapes.seed, "The same seed draws the same bytes")
      ->capture_default_str();
  shapes->callback([options] {
    const bool drawn = draw_shapes(options->folder, options->shapes);
    fmt::print("{}: {}\n", options->folder, drawn ? "drawn" : "is there already");
  });
}

}  // namespace mobileone::cli
