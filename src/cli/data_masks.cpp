#include <cstdio>
#include <memory>
#include <string>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/data/coco_masks.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {
namespace {

struct MasksOptions {
  std::string annotations, classes = "all";
  MaskFilesOptions files;
};

/// Annotations of classes that cover no pixels, since nothing but their box is known.
int64_t count_without_shape(const CocoAnnotations& coco, const MaskClasses& classes) {
  int64_t count = 0;
  for (const CocoImage& image : coco.images) {
    for (const CocoObject& object : image.objects) {
      const auto* polygons = std::get_if<std::vector<Polygon>>(&object.segmentation);
      count +=
          classes.of_category[object.category] >= 0 && polygons != nullptr && polygons->empty();
    }
  }
  return count;
}

void make_masks(const MasksOptions& options) {
  const std::string& output = options.files.output;
  require_folder_name("output", output);
  set_threads(1);  // each worker draws by itself
  const CocoAnnotations coco = read_coco(options.annotations);
  const MaskClasses classes = mask_classes(options.classes, coco);
  const int64_t without_shape = count_without_shape(coco, classes);
  const MaskFilesSummary made = write_coco_masks(coco, classes, options.files);
  const auto percent = [&](int64_t pixels) {
    return 100.0 * static_cast<double>(pixels) / static_cast<double>(made.pixels);
  };
  fmt::print("{}: {} masks of {} classes, {:.1f} % of the pixels of objects, {:.1f} % ignored",
             output, made.masks, classes.names.size(), percent(made.of_objects),
             percent(made.ignored));
  if (made.left_out > 0) {
    fmt::print("; {} images with fewer than {} pixels of objects left out", made.left_out,
               options.files.min_pixels);
  }
  if (without_shape > 0) fmt::print("; {} annotations have a box only", without_shape);
  fmt::print("\n");
}

}  // namespace

void add_data_masks(CLI::App& data) {
  auto options = std::make_shared<MasksOptions>();
  auto* command = data.add_subcommand(
      "masks", "Draw the polygons and runs of COCO's annotations as a folder of masks");
  command->add_option("annotations", options->annotations, "instances_train2017.json or another")
      ->required();
  command->add_option("images", options->files.images, "Folder of the images it names")->required();
  command->add_option("output", options->files.output, "Folder to make")->required();
  command
      ->add_option("--classes", options->classes,
                   "voc (Pascal VOC's 20), all, or a text of lines `category = class`")
      ->capture_default_str();
  add_enum_option(*command, "--overlap", options->files.rules.overlap,
                  "Pixels of several annotations: of the first one's class, or ignored");
  add_enum_option(*command, "--crowds", options->files.rules.crowds,
                  "Pixels of crowds: ignored, or of their class");
  command
      ->add_option("--min-pixels", options->files.min_pixels,
                   "Leave out images with fewer pixels of classes than these")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--workers", options->files.threads, "Threads that draw and encode")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->callback([options] { make_masks(*options); });
}

}  // namespace mobileone::cli
